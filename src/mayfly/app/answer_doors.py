"""The platform on port 443 of sandboxes, over TLS, for functions that answer stacks.

Programs for that look at the host of the URL that they are given and at nothing else. Sandboxes are given the door
while stacks wait for answers, as they start or, where the function that is asked runs already, then.
"""

import asyncio
import contextlib
import weakref
from typing import Final

from mayfly.app.certificates import Certificates
from mayfly.errors import PlatformError
from mayfly.http.server import FrontDoor
from mayfly.sandbox.api import Place, Sandbox, SandboxSpec

URL: Final = "https://127.0.0.1"
PLACE: Final = Place("tcp", "127.0.0.1", 443)
WINDOW_S: Final = 2 * 3600.0  # how long doors are made after a function was asked: answers may take an hour
MOST_CONNECTIONS: Final = 32


class AnswerDoors:
    """Made by the root; `levels` asks it for every sandbox, stacks say when functions are asked."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._door: FrontDoor | None = None
        self._until = 0.0
        self._running: dict[str, weakref.WeakSet[Sandbox]] = {}  # by function
        self._open: weakref.WeakSet[Sandbox] = weakref.WeakSet()
        self._tasks: set[asyncio.Task[None]] = set()

    def bind(self, door: FrontDoor) -> None:
        """Say who answers."""
        self._door = door

    async def expect(self, function: str) -> None:
        """A function was asked, and answers at a time of its own."""
        self._until = asyncio.get_running_loop().time() + WINDOW_S
        for sandbox in list(self._running.get(function, ())):
            await self.open(sandbox)

    def expect_for(self, seconds: float) -> None:
        """Functions that were asked before this platform started may be called again, and answer."""
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)

    def started(self, spec: SandboxSpec, sandbox: Sandbox) -> None:
        """A sandbox was started; see `wanted`."""
        self._running.setdefault(spec.owner, weakref.WeakSet()).add(sandbox)

    def wanted(self) -> bool:
        """Whether sandboxes that start now are to have a door."""
        return self._door is not None and asyncio.get_running_loop().time() < self._until

    async def open(self, sandbox: Sandbox) -> None:
        """Let a sandbox have its door, until it ends. One that has it already, or has ended, keeps what it has."""
        if self._door is None or sandbox in self._open:
            return
        self._open.add(sandbox)
        try:
            (listener,) = await sandbox.listen([PLACE])
        except (PlatformError, ConnectionError):
            return  # it has ended, or has a network of its own where that cannot be
        server = await self._door.listen(listener, MOST_CONNECTIONS, tls=self._certificates.context())
        task = asyncio.create_task(self._until_the_end(sandbox, server), name="end of a door for answers")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_the_end(self, sandbox: Sandbox, server: asyncio.Server) -> None:
        try:
            await sandbox.exited()
        finally:
            if self._door is not None:
                self._door.stop_listening(server)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
