"""One connection to the web server in a sandbox: HTTP/1.1 on httptools, one request at a time.

The server may be hostile: heads are bounded, bodies come at the pace at which they are read, and whatever is not HTTP
ends the connection. Nothing here knows what the answers are for.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import cast

import httptools

from mayfly.web_adapter.events import Headers, WebRequest

MOST_HEAD = 64 * 1024
HIGH_WATER = 256 * 1024  # bytes of a body that nobody has taken


class ServerGoneError(ConnectionError):
    """The server closed the connection, or said something that is not HTTP. `untouched`: it had said nothing."""

    def __init__(self, message: str, *, untouched: bool) -> None:
        super().__init__(message)
        self.untouched = untouched


class ServerConnection(asyncio.Protocol):
    """Made by `create_connection`. `send`, `head`, then `parts`; may be used again when `reusable`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._head_bytes = 0
        self._status = 0  # once the head of the answer is complete
        self._heard = False  # it has begun to answer
        self._complete = False
        self._bodiless = False
        self._changes = False  # another protocol was asked for
        self._raw = False  # and is spoken from here on
        self._parts: deque[bytes] = deque()
        self._held = 0
        self._gone = ""
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._spent = False
        self.idle_since = 0.0  # by the loop's time; kept by whoever keeps the connection

    # What whoever holds the connection does.

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: the last was answered as a whole, and it is open."""
        return self._complete and not self._spent and not self._gone

    async def send(self, request: WebRequest) -> None:
        """Send all of a request; `ServerGoneError`."""
        self._heard = self._complete = False
        self._status = 0
        self._bodiless = request.method == "HEAD"
        self._changes = any(name == "upgrade" for name, _ in request.headers)
        await self.pass_on(encode(request))

    async def pass_on(self, data: bytes) -> None:
        """Send bytes of the other protocol, at the server's pace."""
        if self._transport is not None:
            self._transport.write(data)
        await self._writable.wait()

    def say_no_more(self) -> None:
        """Nothing follows of the other protocol; what comes is still read."""
        if self._transport is not None and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    async def head(self) -> tuple[int, Headers]:
        """Status and headers of the answer; `ServerGoneError`."""
        while not self._status:
            await self._more()
        return self._status, self._headers

    async def parts(self) -> AsyncIterator[bytes]:
        """The body; `ServerGoneError` when it ends before its end."""
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._held -= len(part)
                if self._held < HIGH_WATER and self._transport is not None:
                    self._transport.resume_reading()
                yield part
            if self._complete:
                return
            await self._more()

    def close(self) -> None:
        """End it, whatever is under way. Idempotent."""
        self._spent = True
        if self._transport is not None:
            self._transport.abort()

    async def _more(self) -> None:
        if self._gone:
            raise ServerGoneError(self._gone, untouched=not self._heard)
        self._news.clear()
        await self._news.wait()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._raw:
            self.on_body(data)
            return
        if self._complete:
            self.close()  # it speaks without being asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            if not self._raw:
                self._lose("the server changed the protocol without being asked to")
            elif rest := data[stop.args[0] :]:
                self.on_body(rest)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._lose(str(cause) if isinstance(cause, _TooLongError) else "the server's answer is not HTTP")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, None
        if transport is not None and not self._complete and self._status and (self._raw or self._until_close()):
            self._finish()
        self._gone = self._gone or "the server closed the connection"
        self._writable.set()
        self._news.set()

    def _until_close(self) -> bool:
        """Whether the body goes on until the connection ends."""
        names = {name.lower() for name, _ in self._headers}
        return not names & {"content-length", "transfer-encoding"}

    def _lose(self, why: str) -> None:
        self._gone = why
        self.close()
        self._news.set()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._headers = []
        self._head_bytes = 0

    def on_status(self, status: bytes) -> None:
        self._count(len(status))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        self._headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD:
            raise _TooLongError("the head of the server's answer is too long")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == HTTPStatus.SWITCHING_PROTOCOLS and self._changes:
            self._raw = self._spent = True
        elif status < HTTPStatus.OK:
            return
        self._status = status
        self._spent = self._spent or not self._parser.should_keep_alive()
        if self._bodiless:
            self._spent = True  # the parser waits for a body that does not come
            self._finish()
        self._news.set()

    def on_body(self, body: bytes) -> None:
        if self._complete:
            return
        self._parts.append(body)
        self._held += len(body)
        if self._held >= HIGH_WATER and self._transport is not None:
            self._transport.pause_reading()
        self._news.set()

    def on_message_complete(self) -> None:
        if self._status and not self._raw:
            self._finish()

    def _finish(self) -> None:
        self._complete = True
        self._news.set()


class _TooLongError(ValueError):
    """Raised in the parser's callbacks."""


def encode(request: WebRequest) -> bytes:
    """The bytes of a request."""
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(request.body)}")
    return "\r\n".join((*lines, "\r\n")).encode("utf-8", "replace") + request.body
