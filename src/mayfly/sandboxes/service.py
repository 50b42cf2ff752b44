"""Sandboxes by themselves: made, used, frozen, copied from and to, ended; what `/_mayfly/sandboxes` shows to clients.

A sandbox lives in this process: when the server ends, or its lifetime, it ends. Its snapshots are kept. `maker` makes
them, `copying` moves files; here is which there are, how many there may be, and how each ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.sandboxes.copying import Copier
from mayfly.sandboxes.maker import HasFunctions, HasImages, Maker, Makes
from mayfly.sandboxes.model import (
    SandboxEndedError,
    SandboxMissingError,
    SandboxRefusedError,
    Snapshot,
    Start,
    View,
    Wanted,
)
from mayfly.sandboxes.processes import Process
from mayfly.sandboxes.room import WRITABLE, Room
from mayfly.sandboxes.snapshots import Snapshots
from mayfly.store.api import Blob, Blobs, Store, Tx, Vault

MOST_SANDBOXES = 64
MOST_COPIES = 4  # at a time, in all of them
KEPT_ENDED = 100  # sandboxes that have ended and are still shown

_log = logging.getLogger(__name__)


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
        vault: Vault,
    ) -> None:
        """`home` is a directory of its own; all sandboxes together may use `memory_mb`."""
        self._maker = Maker(factory, images, functions, home, clock)
        self._copier = Copier(MOST_COPIES)
        self._blobs = blobs
        self._snapshots = Snapshots(store, blobs, vault)
        self._memory_mb = memory_mb
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._rooms: dict[str, Room] = {}
        self._coming = 0  # sandboxes that are being made
        self._coming_mb = 0

    async def open(self) -> None:
        await self._maker.open()

    async def close(self) -> None:
        await asyncio.gather(*(self._end(room, "the server was stopped") for room in list(self._rooms.values())))
        self._maker.close()

    # Sandboxes.

    async def make(self, wanted: Wanted) -> View:
        """A sandbox that runs; `SandboxRefusedError`, `SandboxMissingError`, `ImageError`, `PlatformError`."""
        wanted.check(self._memory_mb)
        snapshot = await self._snapshots.find(wanted.snapshot) if wanted.snapshot is not None else None
        self._admit(wanted)
        self._coming += 1
        self._coming_mb += wanted.memory_mb
        try:
            room = await self._maker.make(wanted, snapshot)
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
        return room.view()

    def all(self) -> list[View]:
        """The oldest first; those that have ended, too, until they are removed."""
        return [room.view() for room in self._rooms.values()]

    def view(self, sandbox_id: str) -> View:
        """`SandboxMissingError`."""
        return self._room(sandbox_id).view()

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
        return room.view()

    def thaw(self, sandbox_id: str) -> View:
        room = self._living(sandbox_id)
        room.sandbox.thaw()
        room.frozen = False
        return room.view()

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
        await self._copier.put(self._awake(sandbox_id).processes, place, archive)

    def get(self, sandbox_id: str, place: str) -> AsyncGenerator[bytes]:
        """A tar file of what is at a place; `SandboxRefusedError` with what went wrong inside."""
        return self._copier.get(self._awake(sandbox_id).processes, place)

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
        self._maker.leave(self._memory_mb - used - wanted.memory_mb)

    async def _watch(self, room: Room) -> None:
        """Drop what the launcher itself prints, and take note of the end."""
        exit_ = await room.sandbox.exited()
        await self._end(room, f"its first process ended: {exit_.reason}", own=True)

    def _expire(self, room: Room) -> None:
        task = self._loop.create_task(self._end(room, "its lifetime was over"), name=f"end of sandbox {room.id}")
        task.add_done_callback(_heard)

    async def _end(self, room: Room, reason: str, *, own: bool = False) -> None:
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

    def _room(self, sandbox_id: str) -> Room:
        if (room := self._rooms.get(sandbox_id)) is None:
            raise SandboxMissingError(f"there is no sandbox {sandbox_id}")
        return room

    def _living(self, sandbox_id: str) -> Room:
        room = self._room(sandbox_id)
        if room.reason:
            raise SandboxEndedError(f"the sandbox {sandbox_id} has ended: {room.reason}")
        return room

    def _awake(self, sandbox_id: str) -> Room:
        room = self._living(sandbox_id)
        if room.frozen:
            raise SandboxRefusedError(f"the sandbox {sandbox_id} is frozen; thaw it first")
        return room


def _heard(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a sandbox could not be ended", exc_info=error)
