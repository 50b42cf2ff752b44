"""The making of a sandbox and of the environment of its code, at the same time and within a bound.

`instance` calls this first of all; what it gets, it owns.
"""

import asyncio
import os

from mayfly.engine.api import Target
from mayfly.engine.templates import Templates
from mayfly.sandbox.api import Sandbox, SandboxStartError

# How long both may take together; a few milliseconds are usual.
START_TIMEOUT_S = 60.0


async def provision(templates: Templates, target: Target, instance: str) -> tuple[Sandbox, dict[str, str]]:
    """A running sandbox for `target` and the variables for `instance`; when one fails, nothing is left of the other.

    Raises what either raises; `SandboxStartError` when they take too long.
    """
    start = asyncio.create_task(templates.start(target))
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            environment = dict(await target.environment(instance))
            return await start, environment
    except BaseException as error:
        start.cancel()
        (made,) = await asyncio.gather(start, return_exceptions=True)
        if not isinstance(made, BaseException):
            await _undo(made)
        if isinstance(error, TimeoutError):
            raise SandboxStartError(f"no instance could be started within {START_TIMEOUT_S:g} s") from error
        raise


async def _undo(sandbox: Sandbox) -> None:
    """Discard a sandbox of which nothing was taken over yet."""
    sandbox.control.close()
    os.close(sandbox.output)
    if sandbox.endpoint is not None:
        sandbox.endpoint.close()
    await sandbox.discard()
