"""Sandboxes by themselves: made, used, frozen, copied from and to, ended; what `/_mayfly/sandboxes` shows to clients.

A sandbox is as isolated as a function's instance: the same factories make both. It has no credentials, and the endpoint
of the platform inside it is closed. It lives in this process: when the server ends, or its lifetime, it ends. Its
snapshots are kept.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
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
from mayfly.sandboxes import trees
from mayfly.sandboxes.model import (
    Ending,
    Lent,
    SandboxEndedError,
    SandboxMissingError,
    SandboxRefusedError,
    Snapshot,
    Start,
    View,
    Wanted,
)
from mayfly.sandboxes.processes import Process, Processes, become_launcher
from mayfly.sandboxes.snapshots import Snapshots
from mayfly.sandboxes.templates import Forks, Templates
from mayfly.store.api import Blob, Blobs, Store, Tx

MOST_SANDBOXES = 64
MOST_COPIES = 4  # at a time, in all of them
KEPT_ENDED = 100  # sandboxes that have ended and are still shown
WRITABLE = "/tmp"  # noqa: S108  # the sandbox's own
_PYTHON_S = 10.0  # until a Python must have said that it is there
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_log = logging.getLogger(__name__)


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


class _Room:
    """One sandbox that was made."""

    def __init__(self, sandbox_id: str, wanted: Wanted, sandbox: Sandbox, image: Image | None, now: float) -> None:
        self.id = sandbox_id
        self.wanted = wanted
        self.sandbox = sandbox
        self.image = image
        self.created_at = now
        self.processes = Processes(sandbox.control)
        self.frozen = False
        self.reason = ""
        self.cleanup = contextlib.ExitStack()
        self.watching: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def environment(self) -> dict[str, str]:
        return _environment(self.wanted, self.image)

    @property
    def directory(self) -> str:
        return (self.image.process.working_dir if self.image is not None else None) or WRITABLE

    @property
    def made_of(self) -> str:
        basis = f"image {self.wanted.image}" if self.wanted.image else "this machine"
        if self.wanted.function:
            basis = f"function {self.wanted.function}"
        return f"{basis} with snapshot {self.wanted.snapshot}" if self.wanted.snapshot else basis


class Sandboxes:
    """See the module. `open` before the first use, `close` after the last."""

    def __init__(
        self,
        factory: Makes,
        images: HasImages,
        functions: HasFunctions,
        store: Store,
        blobs: Blobs,
        home: Path,
        memory_mb: int,
        clock: Clock,
    ) -> None:
        """`home` is a directory of its own; all sandboxes together may use `memory_mb`."""
        self._factory = factory
        self._images = images
        self._functions = functions
        self._templates = Templates(factory)
        self._blobs = blobs
        self._snapshots = Snapshots(store, blobs)
        self._empty = home / "empty"
        self._memory_mb = memory_mb
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._rooms: dict[str, _Room] = {}
        self._coming = 0  # sandboxes that are being made
        self._coming_mb = 0
        self._copies = asyncio.Semaphore(MOST_COPIES)

    async def open(self) -> None:
        await asyncio.to_thread(self._empty.mkdir, 0o755, True, True)

    async def close(self) -> None:
        await asyncio.gather(*(self._end(room, "the server was stopped") for room in list(self._rooms.values())))
        self._templates.close()

    # Sandboxes.

    async def make(self, wanted: Wanted) -> View:
        """A sandbox that runs; `SandboxRefusedError`, `SandboxMissingError`, `ImageError`, `PlatformError`."""
        wanted.check(self._memory_mb)
        snapshot = await self._snapshots.find(wanted.snapshot) if wanted.snapshot is not None else None
        self._admit(wanted)
        self._coming += 1
        self._coming_mb += wanted.memory_mb
        try:
            room = await self._start(wanted, snapshot)
        finally:
            self._coming -= 1
            self._coming_mb -= wanted.memory_mb
        self._rooms[room.id] = room
        room.watching = asyncio.create_task(self._watch(room), name=f"sandbox {room.id}")
        room.timer = self._loop.call_later(wanted.lifetime_s, self._expire, room)
        if snapshot is not None:
            try:
                await self.put(room.id, "/", self._blobs.read(snapshot.digest))
            except BaseException:
                await self.remove(room.id)
                raise
        return self._view(room)

    def all(self) -> list[View]:
        """The oldest first; those that have ended, too, until they are removed."""
        return [self._view(room) for room in self._rooms.values()]

    def view(self, sandbox_id: str) -> View:
        """`SandboxMissingError`."""
        return self._view(self._room(sandbox_id))

    async def remove(self, sandbox_id: str) -> None:
        """End it, and forget it. `SandboxMissingError`."""
        room = self._room(sandbox_id)
        await self._end(room, "it was removed")
        self._rooms.pop(sandbox_id, None)

    async def fate(self, sandbox_id: str) -> str:
        """Why a sandbox ended whose processes did; empty where that is not known in a second."""
        room = self._rooms.get(sandbox_id)
        if room is None or room.watching is None:
            return ""
        await asyncio.wait([room.watching], timeout=1)
        return f"the sandbox has ended: {room.reason}" if room.reason else ""

    def freeze(self, sandbox_id: str) -> View:
        """Stop all of its processes; `SandboxRefusedError` where that cannot be done."""
        room = self._living(sandbox_id)
        if not room.frozen and not room.sandbox.freeze():
            raise SandboxRefusedError("this machine, or this level, cannot freeze sandboxes")
        room.frozen = True
        return self._view(room)

    def thaw(self, sandbox_id: str) -> View:
        room = self._living(sandbox_id)
        room.sandbox.thaw()
        room.frozen = False
        return self._view(room)

    # Processes.

    async def start(self, sandbox_id: str, start: Start) -> Process:
        """Start a process; how that went is in its `ended` when it failed."""
        start.check()
        room = self._awake(sandbox_id)
        environment = {**room.environment, **start.environment}
        return await room.processes.launch(start.argv, environment, start.directory or room.directory, start.timeout_s)

    def process(self, sandbox_id: str, number: int) -> Process:
        """`SandboxMissingError`."""
        return self._room(sandbox_id).processes.get(number)

    def signal(self, sandbox_id: str, number: int, which: int) -> None:
        self._living(sandbox_id).processes.kill(number, which)

    # Files.

    async def put(self, sandbox_id: str, place: str, archive: AsyncIterator[bytes]) -> None:
        """Unpack a tar file below a directory; `SandboxRefusedError` with what went wrong inside."""
        room = self._awake(sandbox_id)
        async with self._copies:
            process = await room.processes.copy("put", place)
            reading = asyncio.create_task(_said(process))
            try:
                async with contextlib.aclosing(trees.from_tar(archive)) as tree:
                    async for part in tree:
                        await process.write(part)
            except BrokenPipeError:
                pass  # what was inside has ended; it says why
            finally:
                process.end_input()
            _demand(await process.ended, await reading)

    async def get(self, sandbox_id: str, place: str) -> AsyncGenerator[bytes]:
        """A tar file of what is at a place; `SandboxRefusedError` with what went wrong inside."""
        room = self._awake(sandbox_id)
        async with self._copies:
            process = await room.processes.copy("get", place)
            process.end_input()
            async with contextlib.aclosing(trees.into_tar(_data(process))) as archive:
                async for part in archive:
                    yield part

    # Snapshots.

    async def snapshot(self, sandbox_id: str, label: str = "") -> Snapshot:
        """Keep what is in /tmp of a sandbox, and how to make one like it."""
        room = self._awake(sandbox_id)
        wanted = msgspec.structs.replace(room.wanted, snapshot=None, label=label or room.wanted.label)
        wanted.check(self._memory_mb)
        snapshot_id = f"snap-{ids.token(12)}"

        def then(blob: Blob) -> Callable[[Tx], Snapshot]:
            made = Snapshot(snapshot_id, wanted.label, wanted, blob.digest, blob.size, self._clock.now())

            def body(tx: Tx) -> Snapshot:
                self._snapshots.add(tx, made)
                return made

            return body

        async with contextlib.aclosing(self.get(sandbox_id, WRITABLE)) as archive:
            return await self._blobs.put_with(archive, then)

    async def fork(self, sandbox_id: str) -> View:
        """A second sandbox like this one, with a copy of its files and without its processes."""
        room = self._awake(sandbox_id)
        made = await self.make(msgspec.structs.replace(room.wanted, snapshot=None))
        try:
            async with contextlib.aclosing(self.get(sandbox_id, WRITABLE)) as archive:
                await self.put(made.id, "/", archive)
        except BaseException:
            await self.remove(made.id)
            raise
        return self.view(made.id)

    async def snapshots(self) -> Sequence[Snapshot]:
        return await self._snapshots.all()

    async def remove_snapshot(self, snapshot_id: str) -> None:
        """`SandboxMissingError`."""
        await self._snapshots.remove(snapshot_id)

    # Within.

    def _admit(self, wanted: Wanted) -> None:
        living = [room for room in self._rooms.values() if not room.reason]
        if len(living) + self._coming >= MOST_SANDBOXES:
            raise SandboxRefusedError(f"there are {MOST_SANDBOXES} sandboxes already; remove one first")
        used = sum(room.wanted.memory_mb for room in living) + self._coming_mb
        if used + wanted.memory_mb > self._memory_mb:
            raise SandboxRefusedError(
                f"sandboxes may use {self._memory_mb} MB together, of which {used} are taken; remove one first"
            )
        self._templates.reduce(self._memory_mb - used - wanted.memory_mb)

    async def _start(self, wanted: Wanted, snapshot: Snapshot | None) -> _Room:
        source = snapshot.wanted if snapshot is not None else wanted
        described = msgspec.structs.replace(
            wanted, image=source.image, function=source.function, imports=source.imports
        )
        image, root = None, None
        sandbox_id = f"sbx-{ids.token(12)}"
        cleanup = contextlib.ExitStack()
        with cleanup:
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
            room = _Room(sandbox_id, described, sandbox, image, self._clock.now())
            room.cleanup = cleanup.pop_all()
        return room

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
        environment = _environment(wanted, None)
        if not wanted.imports:
            sandbox = await self._factory.start(spec)
        else:
            sandbox = await self._templates.start(spec, wanted.imports, environment, lent.keep)
        try:
            async with asyncio.timeout(_PYTHON_S):
                await become_launcher(sandbox.control, environment)
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

    async def _watch(self, room: _Room) -> None:
        """Drop what the launcher itself prints, and take note of the end."""
        exit_ = await room.sandbox.exited()
        await self._end(room, f"its first process ended: {exit_.reason}", own=True)

    def _expire(self, room: _Room) -> None:
        task = self._loop.create_task(self._end(room, "its lifetime was over"), name=f"end of sandbox {room.id}")
        task.add_done_callback(_heard)

    async def _end(self, room: _Room, reason: str, *, own: bool = False) -> None:
        """End a sandbox once, and give back everything but the word of it."""
        if room.reason:
            return
        room.reason = reason
        if room.timer is not None:
            room.timer.cancel()
        try:
            exit_ = await room.sandbox.discard()
            if own and exit_.reason == "out-of-memory":
                room.reason = "it ran out of memory"
        finally:
            await room.processes.close()
            room.cleanup.close()
        if room.watching is not None and not own:
            room.watching.cancel()
        ended = [each.id for each in self._rooms.values() if each.reason]
        for sandbox_id in ended[: max(0, len(ended) - KEPT_ENDED)]:
            del self._rooms[sandbox_id]

    def _room(self, sandbox_id: str) -> _Room:
        if (room := self._rooms.get(sandbox_id)) is None:
            raise SandboxMissingError(f"there is no sandbox {sandbox_id}")
        return room

    def _living(self, sandbox_id: str) -> _Room:
        room = self._room(sandbox_id)
        if room.reason:
            raise SandboxEndedError(f"the sandbox {sandbox_id} has ended: {room.reason}")
        return room

    def _awake(self, sandbox_id: str) -> _Room:
        room = self._living(sandbox_id)
        if room.frozen:
            raise SandboxRefusedError(f"the sandbox {sandbox_id} is frozen; thaw it first")
        return room

    def _view(self, room: _Room) -> View:
        wanted = room.wanted
        return View(
            id=room.id,
            label=wanted.label,
            state="ended" if room.reason else "frozen" if room.frozen else "running",
            reason=room.reason,
            made_of=room.made_of,
            level=wanted.level or self._factory.level,
            layers=room.sandbox.layers,
            memory_mb=wanted.memory_mb,
            peak_bytes=room.sandbox.peak_memory() if not room.reason else 0,
            processes=room.processes.running,
            created_at=room.created_at,
            expires_at=room.created_at + wanted.lifetime_s,
        )


def _environment(wanted: Wanted, image: Image | None) -> dict[str, str]:
    """What every process has."""
    own = image.process.variables() if image is not None else {}
    proxy = egress.variables(egress.parse(wanted.egress))
    return {"PATH": _PATH, "HOME": WRITABLE, "LANG": "C.UTF-8", **proxy, **own, **wanted.environment}


async def _said(process: Process) -> str:
    """What a copier says on either stream."""
    said = [part.data async for part in process.output()]
    return b"".join(said).decode("utf-8", "replace").strip()[:1000]


def _demand(ending: Ending, said: str) -> None:
    if ending.code != 0:
        raise SandboxRefusedError(said or ending.error or "the files could not be copied")


async def _data(process: Process) -> AsyncGenerator[bytes]:
    """What a copier sends."""
    async with contextlib.aclosing(process.output()) as output:
        async for part in output:
            if part.stream == "stdout":
                yield part.data


def _heard(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a sandbox could not be ended", exc_info=error)
