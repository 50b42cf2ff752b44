"""Makes sandboxes: out of the machine, an image, or the package of a function, with modules loaded where that is asked.

As isolated as a function's instance, for the same factories make both; without credentials, and with nobody behind the
endpoint of the platform inside.
"""

import asyncio
import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Protocol

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.images.records import Image
from mayfly.images.service import Resolved
from mayfly.policy import egress
from mayfly.sandbox import frames
from mayfly.sandbox.api import Sandbox, SandboxSpec
from mayfly.sandboxes.model import Lent, SandboxRefusedError, Snapshot, Wanted
from mayfly.sandboxes.processes import become_launcher
from mayfly.sandboxes.room import Room, environment
from mayfly.sandboxes.templates import Forks, Templates

_PYTHON_S = 10.0  # until a Python must have said that it is there


class Makes(Forks, Protocol):
    """Whoever makes sandboxes: see `SandboxFactory`."""

    @property
    def level(self) -> str: ...


class HasFunctions(Protocol):
    """Whoever has functions."""

    async def lend(self, name: str) -> Lent:
        """The package of a function of Python, named as in calls; `SandboxMissingError`, `SandboxRefusedError`."""


class HasImages(Protocol):
    """Whoever has images: see `images.service.Images`."""

    async def resolve(self, uri: str) -> Resolved: ...

    async def prepare(self, resolved: Resolved) -> Image: ...

    def root(self, digest: str) -> Path: ...

    def pinned(self, digest: str) -> contextlib.AbstractContextManager[None]: ...


class Maker:
    """`open` before the first sandbox, `close` after the last."""

    def __init__(self, factory: Makes, images: HasImages, functions: HasFunctions, home: Path, clock: Clock) -> None:
        """`home` is a directory of its own."""
        self._factory = factory
        self._images = images
        self._functions = functions
        self._templates = Templates(factory)
        self._empty = home / "empty"
        self._clock = clock

    async def open(self) -> None:
        await asyncio.to_thread(self._empty.mkdir, 0o755, True, True)

    def close(self) -> None:
        self._templates.close()

    def leave(self, memory_mb: int) -> None:
        """Have processes with modules loaded take no more than this, which no sandbox wants."""
        self._templates.reduce(memory_mb)

    async def make(self, wanted: Wanted, snapshot: Snapshot | None) -> Room:
        """A sandbox that runs, yet without the files of its snapshot. `SandboxRefusedError`, `SandboxMissingError`,
        `ImageError`, `PlatformError`."""
        source = snapshot.wanted if snapshot is not None else wanted
        described = msgspec.structs.replace(
            wanted, image=source.image, function=source.function, imports=source.imports
        )
        image, root = None, None
        sandbox_id = f"sbx-{ids.token(12)}"
        with contextlib.ExitStack() as cleanup:
            spec = self._spec(wanted, sandbox_id)
            if source.image is not None:
                resolved = await self._images.resolve(source.image)
                cleanup.enter_context(self._images.pinned(resolved.digest))
                image = await self._images.prepare(resolved)
                root = self._images.root(resolved.digest)
            if source.function is not None:
                lent = await self._functions.lend(source.function)
                cleanup.enter_context(lent.keep())
                sandbox = await self._start_python(spec, described, lent)
            else:
                sandbox = await self._factory.start(dataclasses.replace(spec, program=True, root=root))
            for listener in (sandbox.endpoint, sandbox.runtime_api):
                if listener is not None:
                    listener.close()  # nobody answers there
            os.close(sandbox.output)  # every process has streams of its own
            level = wanted.level or self._factory.level
            return Room(sandbox_id, described, level, sandbox, image, cleanup.pop_all(), self._clock.now())

    def _spec(self, wanted: Wanted, sandbox_id: str) -> SandboxSpec:
        return SandboxSpec(
            runtime="",
            code=self._empty,
            memory_mb=wanted.memory_mb,
            ephemeral_mb=wanted.ephemeral_mb,
            processes=wanted.processes,
            cpus=wanted.cpus,
            label=wanted.label or "sandbox",
            level=wanted.level or self._factory.level,
            egress=egress.parse(wanted.egress),
            owner=f"sandbox {wanted.label or sandbox_id}",
        )

    async def _start_python(self, spec: SandboxSpec, wanted: Wanted, lent: Lent) -> Sandbox:
        """A Python with the package that was lent, at no other level than its function's, unless that is asked for."""
        level = wanted.level or lent.level
        spec = dataclasses.replace(spec, runtime=lent.runtime, code=lent.code, layers=lent.layers, level=level)
        if spec.level == "process":
            raise SandboxRefusedError("a sandbox of a function needs isolation: its package is shown at /var/task")
        variables = environment(wanted, None)
        if not wanted.imports:
            sandbox = await self._factory.start(spec)
        else:
            sandbox = await self._templates.start(spec, wanted.imports, variables, lent.keep)
        try:
            async with asyncio.timeout(_PYTHON_S):
                await become_launcher(sandbox.control, variables)
        except BaseException as error:
            os.close(sandbox.output)
            sandbox.control.close()
            if sandbox.endpoint is not None:
                sandbox.endpoint.close()
            await asyncio.shield(sandbox.discard())
            if isinstance(error, OSError | frames.FrameError):  # TimeoutError is one
                raise SandboxRefusedError("its Python did not come up") from error
            raise
        return sandbox
