"""A result that comes in parts: written by the instance that runs the call, read by whoever asked for it.

Nothing is kept beyond `frames.STREAM_WINDOW` bytes: a runtime may send that much ahead of its reader, and is told of
what was taken. A reader that goes away hinders nobody; what still comes is dropped, and the call runs to its end.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

UPSTREAM_HIGH = 256 * 1024  # bytes of an upstream that nobody took


class Upstream:
    """Bytes in the other direction, once both sides have agreed on another protocol than HTTP: see `web`.

    Whoever has them feeds them, and is asked to hold on while too many wait.
    """

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._hold: Callable[[bool], None] = lambda _: None
        self._news = asyncio.Event()

    def attach(self, hold: Callable[[bool], None]) -> None:
        """`hold(True)` asks for no more for now, `hold(False)` for more."""
        self._hold = hold

    def feed(self, part: bytes) -> None:
        if not self._ended:
            self._parts.append(part)
            self._waiting += len(part)
            if self._waiting > UPSTREAM_HIGH:
                self._hold(True)
            self._news.set()

    def end(self) -> None:
        """Nothing follows. Idempotent."""
        self._ended = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._parts:
                part = self._parts.popleft()
                before, self._waiting = self._waiting, self._waiting - len(part)
                if before > UPSTREAM_HIGH >= self._waiting:
                    self._hold(False)
                yield part
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()


class Streamed:
    """The parts of one result. One reader, one writer, both on the same event loop."""

    def __init__(self, most_bytes: int, upstream: Upstream | None = None) -> None:
        """What comes beyond `most_bytes` is dropped, and `too_large` is set. `upstream`: the caller asks for another
        protocol, and has bytes for it when that is granted."""
        self.upstream = upstream
        self.content_type = ""  # as the function said, once it has `begun`; empty: it did not
        self.began = False  # the runtime answers in parts
        self.too_large = False
        self._most_bytes = most_bytes
        self._came = 0
        self._parts: deque[bytes] = deque()
        self._ended = False
        self._abandoned = False
        self._taken: Callable[[int], None] | None = None
        self._news = asyncio.Event()

    # The writer's side.

    def begin(self, content_type: str, taken: Callable[[int], None]) -> None:
        """Parts follow; `taken` is called with the number of bytes for which there is room again."""
        self.began = True
        self.content_type = content_type
        self._taken = taken
        self._news.set()

    def feed(self, part: bytes) -> None:
        self._came += len(part)
        if self._came > self._most_bytes:
            self.too_large = True
        if self._abandoned or self.too_large:
            self._give_room(len(part))
        elif part:
            self._parts.append(part)
            self._news.set()

    def end(self) -> None:
        """Nothing follows, for whatever reason. Idempotent."""
        self._ended = True
        self._taken = None
        self._news.set()

    # The reader's side.

    async def begun(self) -> bool:
        """Wait until the first part may come; False when the call ended without any."""
        while not self.began and not self._ended:
            self._news.clear()
            await self._news.wait()
        return self.began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The parts, until the end. Leaving the loop early, or its cancellation, abandons the rest."""
        try:
            while True:
                while self._parts:
                    part = self._parts.popleft()
                    self._give_room(len(part))
                    yield part
                if self._ended:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Nobody reads on. Idempotent."""
        self._abandoned = True
        while self._parts:
            self._give_room(len(self._parts.popleft()))

    def _give_room(self, size: int) -> None:
        if self._taken is not None:
            self._taken(size)
