"""The body of a request on its way in: fed by the connection, read by whoever answers, at the reader's pace."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from mayfly.http.api import ClientGoneError

HIGH_WATER_BYTES = 64 * 1024  # of a body that nobody has read yet; above it, the connection is not read from


class RequestBody:
    """A `ByteStream`. `wanted` is called when a reader finds nothing, so that the client sends on."""

    __slots__ = ("_arrived", "_broken", "_pieces", "_reader", "_wanted", "held", "length", "touched")

    def __init__(self, length: int | None, wanted: Callable[[], None]) -> None:
        self.length = length
        self.held = 0  # bytes that arrived and were not read
        self.touched = False  # somebody has begun to read
        self._wanted = wanted
        self._pieces: deque[bytes] = deque()
        self._arrived = False
        self._broken = False
        self._reader: asyncio.Future[None] | None = None

    # The connection's side.

    def feed(self, piece: bytes) -> None:
        """Some of it arrived."""
        self._pieces.append(piece)
        self.held += len(piece)
        self._wake()

    def end(self) -> None:
        """All of it has arrived."""
        self._arrived = True
        self._wake()

    def fail(self) -> None:
        """The rest will never arrive. Nothing happens if there is none."""
        if not self._arrived:
            self._broken = True
            self._wake()

    def discard(self) -> None:
        """Nobody will read what is held, or what comes."""
        self._pieces.clear()
        self.held = 0

    @property
    def arrived(self) -> bool:
        """Whether nothing is still to come."""
        return self._arrived

    @property
    def awaited(self) -> bool:
        """Whether a reader waits for the client."""
        return self._reader is not None

    def whole(self) -> bytes | None:
        """All of it, if it is here and small enough to have come at once; reading gives it all the same."""
        if not self._arrived or len(self._pieces) > 1:
            return None
        return self._pieces[0] if self._pieces else b""

    def _wake(self) -> None:
        if self._reader is not None:
            if not self._reader.done():
                self._reader.set_result(None)
            self._reader = None

    # The reader's side.

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.touched = True
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self.held -= len(piece)
                yield piece
            if self._arrived:
                return
            if self._broken:
                raise ClientGoneError("the connection ended before the body was complete")
            self._reader = asyncio.get_running_loop().create_future()
            self._wanted()
            await self._reader
