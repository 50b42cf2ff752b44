"""The connections that there are: each a client's socket with what is known of it, all of them by id.

A connection lives as long as its socket, so none of this is on disk. One that is idle costs a few kilobytes and no
timer of its own: `Connections.look` finds all that lasted too long.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from mayfly.clock import Clock
from mayfly.services.apis.websocket import limits
from mayfly.services.apis.websocket.framing import Framing, Message

OnMessage = Callable[["Connection", Message], Awaitable[None]]
OnEnd = Callable[["Connection", int, str], Awaitable[None]]


class FullError(Exception):
    """The client does not read what it is sent."""


class Connection:
    """One client. The response body that is sent to it, and the tunnel that takes what it sends."""

    __slots__ = (
        "__weakref__",
        "_closing_at",
        "_framing",
        "_held",
        "_hold",
        "_last",
        "_owner",
        "_waiting",
        "_wake",
        "api_id",
        "connected_at",
        "facts",
        "id",
        "last_active_at",
        "length",
        "opened",
        "stage",
        "working",
    )

    def __init__(self, owner: "Connections", connection_id: str, api_id: str, stage: str, facts: Any) -> None:
        """`facts`: what events say of it; theirs to know."""
        self._owner = owner
        self.id = connection_id
        self.api_id = api_id
        self.stage = stage
        self.facts = facts
        self.connected_at = self.last_active_at = owner.clock.now()
        self.opened = owner.clock.monotonic()
        self.length: int | None = None
        self.working = 0  # messages of it that are worked on
        self._last = self.opened
        self._framing = Framing()
        self._waiting = bytearray()
        self._wake: asyncio.Future[None] | None = None
        self._hold: Callable[[bool], None] | None = None
        self._held = False
        self._closing_at: float | None = None

    # The tunnel.

    def attach(self, hold: Callable[[bool], None]) -> None:
        """See `contract.Tunnel`."""
        self._hold = hold

    def feed(self, part: bytes) -> None:
        """See `contract.Tunnel`."""
        self._active()
        for message in self._framing.receive(part):
            self._owner.begin(self, message)
        self._flush()

    def end(self) -> None:
        """See `contract.Tunnel`."""
        self._framing.receive_end()
        self._finish()

    def hold(self) -> None:
        """Read from the client, unless there is enough to do for it."""
        held = self.working >= limits.AT_ONCE
        if held != self._held and self._hold is not None:
            self._held = held
            self._hold(held)

    # The body.

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                if self._waiting:
                    data = bytes(self._waiting)
                    self._waiting.clear()
                    yield data
                    continue
                if self._owner.get(self.id) is not self:
                    return
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
        finally:
            self._finish()

    # What the platform does with it.

    def send(self, data: bytes, *, is_text: bool = True) -> bool:
        """Send a message; False: the connection has ended, or is about to. `FullError`."""
        if not self._framing.is_open or self._owner.get(self.id) is not self:
            return False
        if len(self._waiting) + len(data) > limits.WAITING_BYTES:
            raise FullError
        self._framing.send(data, is_text=is_text)
        self._active()
        self._flush()
        return True

    def close(self, code: int, reason: str = "") -> None:
        """End the connection; the client gets to answer."""
        self._framing.close(code, reason)
        if self._closing_at is None:
            self._closing_at = self._owner.clock.monotonic()
        self._flush()

    def look(self, now: float) -> None:
        """End it where it has lasted too long; `now` is monotonic."""
        if self._closing_at is not None:
            if now - self._closing_at >= limits.CLOSING_S:
                self._finish()
        elif self._hold is None and now - self.opened >= limits.ANSWERED_S:
            self._finish()  # the client went away before it was answered
        elif now - self._last >= limits.IDLE_S or now - self.opened >= limits.LONGEST_S:
            self.close(limits.GOING_AWAY, "Going away")

    def _active(self) -> None:
        self._last = self._owner.clock.monotonic()
        self.last_active_at = self._owner.clock.now()

    def _flush(self) -> None:
        data, last = self._framing.outgoing()
        self._waiting += data
        if last:
            self._finish()
        elif not self._framing.is_open and self._closing_at is None:
            self._closing_at = self._owner.clock.monotonic()
        self._stir()

    def _finish(self) -> None:
        """Nothing is sent any more but what waits."""
        self._owner.remove(self, *self._framing.end)
        self._stir()

    def _stir(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Connections:
    """All of them, of all APIs."""

    def __init__(self, clock: Clock, on_message: OnMessage, on_end: OnEnd) -> None:
        self.clock = clock
        self._on_message = on_message
        self._on_end = on_end
        self._known: dict[str, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._known)

    def get(self, connection_id: str) -> Connection | None:
        """The connection of that id, if it lives."""
        return self._known.get(connection_id)

    def add(self, connection: Connection) -> None:
        self._known[connection.id] = connection

    def remove(self, connection: Connection, code: int, reason: str) -> None:
        """Forget a connection that has ended, and tell of it. Idempotent."""
        if self._known.get(connection.id) is connection:
            del self._known[connection.id]
            self._spawn(self._on_end(connection, code, reason))

    def begin(self, connection: Connection, message: Message) -> None:
        """Work on a message."""
        connection.working += 1
        connection.hold()
        self._spawn(self._work(connection, message))

    async def _work(self, connection: Connection, message: Message) -> None:
        try:
            await self._on_message(connection, message)
        finally:
            connection.working -= 1
            connection.hold()

    def _spawn(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def look(self) -> None:
        """End what has lasted too long."""
        now = self.clock.monotonic()
        for connection in list(self._known.values()):
            connection.look(now)

    async def start(self) -> None:
        """See `parts.Background`."""
        self._looking = asyncio.create_task(self._keep_looking(), name="websocket-connections")

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(limits.LOOK_S)
            self.look()

    async def stop(self) -> None:
        """End all of them, and what is worked on for them, within seconds."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        for connection in list(self._known.values()):
            connection.close(limits.GOING_AWAY, "Going away")
        for connection in list(self._known.values()):
            self.remove(connection, limits.GOING_AWAY, "Going away")
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=limits.CLOSING_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
