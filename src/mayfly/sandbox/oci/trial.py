"""Whether this machine can give the levels of OCI runtimes, found out by trying; `mayfly doctor` shows it.

A trial starts a supervisor, and runs a program in a container: half a second, or two for gVisor.
"""

import asyncio
import tempfile
from pathlib import Path

from mayfly.errors import PlatformError
from mayfly.sandbox import interpreters
from mayfly.sandbox.facts import Fact
from mayfly.sandbox.oci import runtimes
from mayfly.sandbox.oci.factory import OciFactory

_CURES = {runtimes.CONTAINER: "apt install crun", runtimes.GVISOR: "apt install runsc"}


def examine(path: str) -> tuple[Fact, ...]:
    """A fact for each level that every installation knows; `path` is a search path like $PATH."""
    return asyncio.run(_examine(path))


async def _examine(path: str) -> tuple[Fact, ...]:
    return tuple(await asyncio.gather(*(_try(level, path) for level in runtimes.KNOWN)))


async def _try(level: str, path: str) -> Fact:
    with tempfile.TemporaryDirectory(prefix="mayfly-trial-") as directory:
        try:
            factory = OciFactory(Path(directory), runtimes.locate(level, path))
            try:
                await factory.prepare("trial", interpreters.current())
                return Fact(level, True, f"{factory.layers[0]}: {factory.program}", needed=False)
            finally:
                await factory.close()
        except PlatformError as error:
            return Fact(level, False, str(error), _CURES[level], needed=False)
