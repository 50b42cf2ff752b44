"""uvicorn's HTTP/1.1 protocol with the guards that it leaves to a proxy in front: header size and slow clients.

Mayfly has no proxy in front. The limits are uvicorn's own where it has them; added here are a bound on the size of the
request line and headers together (431), a deadline for a request's head to arrive, which also covers a connection that
never says anything, and a limit on stalling in the middle of a body or a reply. Made by `server.FrontDoor`, one for
each connection, which also asks each of them now and then whether it has stalled: a timer a message would cost more.
The application learns through `scope["state"]["gone"]` whether anybody is still there to read its reply.
"""

import asyncio
from asyncio import TimerHandle
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_TIMEOUT_S = 30.0
STALL_TIMEOUT_S = 60.0  # a client that neither goes on with its body nor reads the reply for this long is cut off
JOINED_BYTES = 64 * 1024  # a body's first chunk up to this size is copied behind its head; larger ones go by themselves
TOO_LARGE = "RequestHeaderSectionTooLarge"


class HeadTooLargeError(ValueError):
    """The request line and headers exceed the limit; raised inside the parser, which reports it as a bad request."""


class Quota:
    """How many connections one listener may have at a time: a sandbox must not take everybody's."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self) -> bool:
        """Whether there was one left; it is taken then."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """The end of a connection that was taken."""
        self._left += 1


class HeadWithBody:
    """The transport as a reply sees it: its head waits for the first bytes of the body, so that both are one packet.

    uvicorn writes them one by one, which costs a system call here and wakes the client twice. `flush` lets a head go
    that has no body. Everything else is the transport's own.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Hold `data` if it is the head of a final reply, else send it after the head that is held."""
        if not self._head and data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
        elif self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data if len(data) < JOINED_BYTES else head)
            if len(data) >= JOINED_BYTES:
                self._transport.write(data)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send the head that is held, if there is one."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Close the transport once everything is sent."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    head_limit: ClassVar[int] = 64 * 1024  # bytes; `limited_to` makes a class with another limit
    quota: Quota | None = None  # of its listener; set right after construction

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._head_timer: TimerHandle | None = None
        self._refused = False
        self._heard_at = self.loop.time()
        self._paused_at: float | None = None
        self._joined: HeadWithBody | None = None

    @classmethod
    def limited_to(cls, head_bytes: int) -> "type[GuardedProtocol]":
        """A protocol class whose connections accept heads of up to `head_bytes` bytes."""
        return type("LimitedProtocol", (cls,), {"head_limit": head_bytes})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        if self.quota is not None and not self.quota.take():
            self._refused = True
            transport.abort()
            return
        super().connection_made(transport)
        self._joined = HeadWithBody(transport)
        self.transport = self._joined  # type: ignore[assignment]  # what uvicorn's replies write to
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._refused:
            return
        if self.quota is not None:
            self.quota.give_back()
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            self._heard_at = self.loop.time()
            super().data_received(data)

    def pause_writing(self) -> None:
        self._paused_at = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._paused_at = None
        super().resume_writing()

    def cut_if_stalled(self, now: float) -> None:
        """End the connection if its client keeps us waiting; `now` is the loop's time."""
        before = now - STALL_TIMEOUT_S
        cycle = self.cycle
        waiting = bool(cycle) and cycle.more_body and not cycle.response_complete and not self.flow.read_paused
        if (waiting and self._heard_at < before) or (self._paused_at is not None and self._paused_at < before):
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["gone"] = self.transport.is_closing
        self._head_bytes = 0
        if self._head_timer is None:
            self._expect_head()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_response_complete(self) -> None:
        if self._joined is not None:
            self._joined.flush()
        super().on_response_complete()

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what could not be parsed, and close: nothing after it on this connection can be trusted."""
        self._head_arrived()
        if self._head_bytes > self.head_limit:
            status, code = b"431 Request Header Fields Too Large", TOO_LARGE
            msg = f"Your request header section exceeds the maximum allowed size of {self.head_limit} bytes."
        else:
            status, code = b"400 Bad Request", "BadRequest"
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{escape(msg)}</Message></Error>"
        ).encode()
        self.transport.write(
            b"HTTP/1.1 %s\r\ncontent-type: application/xml\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, len(body), body)
        )
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.head_limit:
            raise HeadTooLargeError(f"more than {self.head_limit} bytes of request line and headers")

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
