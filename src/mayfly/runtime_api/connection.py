"""One connection from inside a sandbox: HTTP/1.1 on httptools, one request at a time.

What is at the other end may be hostile: everything it can make this side hold is bounded here. A head that is too
long, what is not HTTP, and a request that comes before the one ahead of it is answered close the connection. Who is
slow only keeps the connection that it has, there are no more of them than `Crowd` allows, and all end with the sandbox.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import httptools

from mayfly.runtime_api.exchange import Answers, Request, Response, Sink, encode, refused

MOST_HEAD = 32 * 1024
MOST_CONNECTIONS = 128
MOST_DRAINED = 64 << 10  # bytes of a body that was refused, for which the connection is kept
MOST_IGNORED = 64 << 20  # bytes of one that are read before the connection is cut
_FRAMING = ("content-length", "transfer-encoding")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Crowd:
    """The connections of one sandbox."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._open: set[Connection] = set()

    def enter(self, connection: "Connection") -> bool:
        """False: there are too many."""
        if len(self._open) >= MOST_CONNECTIONS:
            return False
        self._open.add(connection)
        return True

    def leave(self, connection: "Connection") -> None:
        self._open.discard(connection)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._open)

    def close(self) -> None:
        for connection in list(self._open):
            connection.cut()


class _BadRequestError(ValueError):
    """Raised in the parser's callbacks; what follows cannot be understood, or is not wanted."""


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._request = Request("", "")
        self._trailers: dict[str, str] | None = None  # once the head is complete
        self._head_bytes = 0
        self._sink: Sink | None = None
        self._reply: _Reply | None = None  # of the request that is under way
        self._complete = False  # all of that request has come
        self._close = False  # when it is answered
        self._ignored = 0
        self._held = False  # nothing is read
        self._upgrading = False  # the request asks for another protocol
        self._muted = False  # what the parser finds has been found before

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._crowd.enter(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        self._transport = None
        self._parser = None
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.lost()
        if self._reply is not None:
            self._reply.hang_up()

    def cut(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._stay(data[stop.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(str(cause) if isinstance(cause, _BadRequestError) else "Invalid HTTP request received.")

    def _stay(self, rest: bytes) -> None:
        """It asked for another protocol, as some clients do with every request, and may be answered in this one.

        The parser takes what follows the head, its body too, for the other protocol. So it is given to a new one,
        behind a head that says the same of the body.
        """
        self._upgrading, self._muted = False, True
        self._parser = httptools.HttpRequestParser(self)
        framing = [f"{name}: {self._request.headers[name]}\r\n" for name in _FRAMING if name in self._request.headers]
        self.data_received(f"POST / HTTP/1.1\r\n{''.join(framing)}\r\n".encode("latin-1") + rest)

    def eof_received(self) -> bool:
        """It says no more. A runtime that closes its side has gone: nothing is kept for it."""
        return False

    def _refuse(self, why: str) -> None:
        """Say so, if nobody else is to speak, and end."""
        self._parser = None
        if self._transport is None or self._transport.is_closing():
            return
        answered = self._trailers is not None and not self._complete  # before all of it had come
        if self._reply is None and not answered:
            self._transport.write(encode(refused(400, "BadRequest", why), close=True))
        self._transport.close()

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        if self._muted:
            return
        if self._reply is not None:
            raise _BadRequestError("One request at a time.")
        self._request = Request("", "")
        self._trailers = None
        self._head_bytes = 0
        self._complete = False

    def on_url(self, url: bytes) -> None:
        if self._muted:
            return
        self._count(len(url))
        self._request.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._muted:
            return
        self._count(len(name) + len(value) + 4)
        headers = self._request.headers if self._trailers is None else self._trailers
        headers[name.lower().decode("latin-1")] = value.strip(b" \t").decode("utf-8", "replace")

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD:
            raise _BadRequestError("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        if self._muted:
            self._muted = False
            return
        parser, request = self._parser, self._request
        assert parser is not None
        request.method = parser.get_method().decode("latin-1")
        if request.method == "CONNECT":
            raise _BadRequestError("This is no proxy.")
        self._upgrading = parser.should_upgrade()
        request.path = request.path.partition("?")[0]
        self._trailers = {}
        self._close = not parser.should_keep_alive()
        reply = self._reply = _Reply(self)
        sink = self._crowd.answers.begin(request, reply)
        self._sink = sink if self._reply is reply else None
        expects = request.headers.get("expect", "").lower() == "100-continue"
        if expects and self._reply is reply and self._transport is not None and not self._transport.is_closing():
            self._transport.write(_CONTINUE)

    def on_body(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink.feed(data)
        else:
            self._ignored += len(data)
            if self._ignored > MOST_IGNORED:
                self.cut()

    def on_message_complete(self) -> None:
        if self._upgrading:
            return  # it only looks like the end
        self._complete = True
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.finish(self._trailers or {})
        if self._reply is None:
            self._answered()

    # The reply.

    def hold(self, reply: "_Reply", held: bool) -> None:
        """Called by a reply."""
        if self._reply is reply:
            self._read_on(not held)

    def _read_on(self, reads: bool) -> None:
        if self._transport is not None and self._held is reads and not self._transport.is_closing():
            self._held = not reads
            if reads:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def send(self, reply: "_Reply", response: Response) -> None:
        """Called by a reply, once."""
        if self._reply is not reply:
            return
        self._reply = None
        if self._transport is None or self._transport.is_closing():
            return
        # What was refused before its body had come may be followed by all of that body, which nobody wants.
        if not self._complete and response.status >= HTTPStatus.BAD_REQUEST:
            length, expects = self._request.length, "expect" in self._request.headers
            self._close = self._close or expects or length is None or length > MOST_DRAINED
        self._transport.write(encode(response, close=self._close))
        self._read_on(True)
        self._sink = None
        if self._complete:
            self._answered()

    def _answered(self) -> None:
        """A request has come as a whole and was answered."""
        if self._close and self._transport is not None:
            self._transport.close()


class _Reply:
    """See `exchange.Reply`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    @property
    def gone(self) -> bool:
        return self._connection is None

    def send(self, response: Response) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.send(self, response)

    def hold(self, held: bool) -> None:
        if self._connection is not None:
            self._connection.hold(self, held)

    def hang_up(self) -> None:
        self._connection = None


def maker(crowd: Crowd) -> Callable[[], Connection]:
    """What makes connections, for `create_server`."""
    return lambda: Connection(crowd)
