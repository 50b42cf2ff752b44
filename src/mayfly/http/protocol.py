"""One connection: HTTP/1.1 and 1.0 over httptools, with the guards that a server without a proxy in front needs.

Requests are answered one at a time, in their order; those that a client sends ahead wait, few of them, and reading
stops meanwhile. A request whose body came along with its head is handed over whole; any other body is read at the pace
of whoever answers. A reply is one write wherever its body is small.

Cut off or refused are: heads that are too large (431) or too slow, clients that stall in a body or do not read their
reply, everything that httptools does not take for HTTP (400), after which nothing on the connection can be trusted.
What takes time is looked at by `traffic.Traffic.tick`.
"""

import asyncio
import logging
from collections import deque
from typing import cast

import httptools

from mayfly.errors import FunctionFailedError
from mayfly.http import heads, reply, upgrade
from mayfly.http.api import ClientGoneError, ElsewhereError
from mayfly.http.body import HIGH_WATER_BYTES
from mayfly.http.exchange import BadRequestError, Exchange, Headers, exchange
from mayfly.http.traffic import Quota, Traffic
from mayfly.services.contract import HttpRequest, HttpResponse, Tunnel

HEAD_TIMEOUT_S = 30.0
STALL_TIMEOUT_S = 60.0  # a client that neither goes on with its body nor reads the reply for this long is cut off
LINGER_S = 2.0  # how long what a refused client still sends is dropped, so that it gets to read why
MOST_AHEAD = 128  # requests that a client may send ahead; the connection ends with the last of them
TOO_LARGE = "RequestHeaderSectionTooLarge"
_TOO_LONG = "more bytes of request line and headers than allowed"

_TEXT = (("content-type", "text/plain"),)
_FAILED = HttpResponse(500, _TEXT, b"Internal Server Error")
_FULL = HttpResponse(503, _TEXT, b"Service Unavailable", close=True)

_log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """See the module. `quota` is its listener's."""

    def __init__(self, traffic: Traffic, quota: Quota | None = None) -> None:
        self._traffic = traffic
        self._quota = quota
        self._time = traffic.loop.time
        self._transport: asyncio.Transport
        self._parser: httptools.HttpRequestParser | None = None
        self._source_ip = "127.0.0.1"
        self._excess = False  # the server has too many connections already
        # What is being parsed.
        self._url = b""
        self._headers: Headers = []
        self._head_bytes = 0
        self._arriving: Exchange | None = None  # its body is not complete
        self._upgrading = False  # what follows is for another protocol, as the parser sees it
        self._deaf = False  # nothing more is parsed
        self._tunnel: Tunnel | None = None  # takes what comes, which is HTTP no more
        # What is being answered.
        self._ahead: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._refusal: bytes | None = None  # what is said, after all replies, to what could not be parsed
        self._ending = False  # with the reply that is under way
        # Times, and the flow in both directions.
        self._heard_at = self._waiting_since = self._time()
        self._idle = False  # what is waited for since then is another request, not the rest of a head
        self._lingering = False  # everything is said; what still comes is dropped
        self._unread = False  # the transport was told not to read
        self._paused_at: float | None = None
        self._writable: asyncio.Future[None] | None = None

    # The transport's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._quota is not None and not self._quota.take():
            self._quota = None
            self._transport.abort()
            return
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._source_ip = str(peer[0])
        self._parser = httptools.HttpRequestParser(self)
        self._excess = self._traffic.full
        self._traffic.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._traffic.connections.discard(self)
        if self._quota is not None:
            self._quota.give_back()
        self._parser = None  # it refers to this object
        if self._tunnel is not None:
            self._tunnel.end()
        self._leave()
        self._ahead.clear()
        self._stop_parsing()
        self._let_write()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._time()
        if self._tunnel is not None:
            self._tunnel.feed(data)
            return
        if self._deaf or self._parser is None:
            return
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            self._cannot_parse(error)
        if self._current is None:
            self._advance()
        if self._ahead or self._arriving is not None:
            self._regulate()

    def eof_received(self) -> bool:
        """The client has said everything; whoever waits for its reply still gets it.

        Nearly always it is gone, which cannot be told from outside: answers that are worth nothing then end now.
        """
        self._ending = True
        self._leave()
        if self._tunnel is not None:
            self._tunnel.end()
            return True
        self._stop_parsing()
        return self._current is not None or bool(self._ahead) or self._refusal is not None

    def _leave(self) -> None:
        """Tell those who answer only while somebody waits."""
        for made in (*self._ahead, *([self._current] if self._current is not None else ())):
            made.leave()

    def pause_writing(self) -> None:
        self._paused_at = self._time()

    def resume_writing(self) -> None:
        self._paused_at = None
        self._let_write()
        if self._current is None:
            self._advance()

    # The parser, and its callbacks.

    def _parse(self, data: bytes) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._upgrading = False
            self._parser = upgrade.resumed(self, self._headers)
            self._parse(data[stop.args[0] :])

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._head_bytes = 0
        if self._idle:
            self._idle = False
            self._waiting_since = self._heard_at

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)
        if self._head_bytes > self._traffic.head_limit:
            raise BadRequestError(_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._traffic.head_limit:
            raise BadRequestError(_TOO_LONG)
        self._headers.append((name.lower().decode("latin-1"), value.strip(b" \t").decode("latin-1")))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        method = parser.get_method()
        if parser.should_upgrade():
            if method == b"CONNECT":
                raise BadRequestError("This is no proxy.")
            self._upgrading = True
        made = exchange(
            method, self._url, self._headers, parser.get_http_version(), parser.should_keep_alive(), self._read_on
        )
        self._arriving = made
        self._ahead.append(made)

    def on_body(self, data: bytes) -> None:
        if self._arriving is not None:
            self._arriving.body.feed(data)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return  # it only looks like the end
        made, self._arriving = self._arriving, None
        if made is not None:
            made.body.end()
        if len(self._ahead) > MOST_AHEAD:
            raise BadRequestError(f"More than {MOST_AHEAD} requests were sent ahead.")

    # Guards.

    def look(self, now: float) -> None:
        """See `traffic.Guarded`."""
        stalled_at = now - STALL_TIMEOUT_S
        if self._lingering:
            if self._waiting_since < now - LINGER_S:
                self._transport.abort()
        elif (self._paused_at is not None and self._paused_at < stalled_at) or (
            self._arriving is not None and not self._unread and self._heard_at < stalled_at
        ):
            self._transport.abort()
        elif self._current is None and self._arriving is None:
            limit_s = self._traffic.keep_alive_s if self._idle else HEAD_TIMEOUT_S
            if self._waiting_since < now - limit_s:
                self._transport.close()

    def refuse(self) -> None:
        """See `traffic.Guarded`."""
        self._ending = True
        self._ahead.clear()
        if self._current is None:
            self._transport.close()

    def cut(self) -> None:
        """See `traffic.Guarded`."""
        self._transport.abort()

    def _cannot_parse(self, error: httptools.HttpParserError) -> None:
        """Nothing from here on can be trusted: say so when it is this request's turn, and end."""
        spoiled = self._arriving
        self._stop_parsing()
        if self._head_bytes > self._traffic.head_limit:
            limit = self._traffic.head_limit
            words = f"Your request header section exceeds the maximum allowed size of {limit} bytes."
            self._refusal = heads.refusal(431, TOO_LARGE, words)
        else:
            cause = error.__context__
            words = str(cause) if isinstance(cause, BadRequestError) else "Invalid HTTP request received."
            self._refusal = heads.refusal(400, "BadRequest", words)
        if spoiled is not None and spoiled is not self._current:
            self._ahead.remove(spoiled)
        elif spoiled is not None and not spoiled.replied:
            self._end()  # whoever answers the request learns of it from its body

    def _stop_parsing(self) -> None:
        """What is arriving will never be complete."""
        self._deaf = True
        if self._arriving is not None:
            self._arriving.body.fail()
            self._arriving = None

    def _end(self) -> None:
        """Close when everything is sent. A client that may still be sending gets time to read what was said."""
        if self._transport.is_closing() or self._lingering:
            return
        if self._refusal is not None:
            self._transport.write(self._refusal)
        if not self._deaf and self._arriving is None:
            self._transport.close()
            return
        self._stop_parsing()
        self._lingering = True
        self._waiting_since = self._time()
        self._regulate()
        self._transport.write_eof()

    # The flow of requests.

    def _advance(self) -> None:
        """Go on with the next request, if it can be answered now."""
        if self._current is not None or self._paused_at is not None or self._lingering:
            return
        if self._ahead:
            made = self._current = self._ahead.popleft()
            self._task = self._traffic.loop.create_task(self._answer(made))
            self._traffic.tasks.add(self._task)
        elif self._refusal is not None or self._ending:
            self._end()

    def _answered(self, made: Exchange, *, close: bool) -> None:
        """The reply to `made` is sent."""
        self._current = None
        if close:
            self._ahead.clear()
            self._end()
            return
        if self._arriving is made:
            made.body.discard()
        self._idle = self._arriving is None
        self._waiting_since = self._time()
        if self._unread:
            self._regulate()
        if self._ahead or self._ending or self._refusal is not None:
            self._traffic.loop.call_soon(self._advance)

    def _read_on(self) -> None:
        """Somebody waits for the body of the current request."""
        made = self._current
        if made is None or self._transport.is_closing():
            return
        if made.expects:
            made.expects = False
            if not made.replied:
                self._transport.write(heads.CONTINUE)
        if self._unread:
            self._regulate()

    def _regulate(self) -> None:
        """Read from the client, unless there is enough to do."""
        full = not self._lingering and (
            bool(self._ahead) or (self._arriving is not None and self._arriving.body.held > HIGH_WATER_BYTES)
        )
        if full == self._unread or self._transport.is_closing():
            return
        self._unread = full
        if full:
            self._transport.pause_reading()
        else:
            self._heard_at = self._time()
            self._transport.resume_reading()

    def _hold(self, held: bool) -> None:
        """Whoever takes what comes of another protocol has enough for now, or wants more."""
        if not self._transport.is_closing():
            (self._transport.pause_reading if held else self._transport.resume_reading)()

    # Replies.

    @property
    def gone(self) -> bool:
        """See `reply.Outlet`."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """See `reply.Outlet`."""
        self._transport.write(data)

    async def writable(self) -> None:
        """See `reply.Outlet`."""
        if self._paused_at is not None and not self._transport.is_closing():
            self._writable = self._traffic.loop.create_future()
            await self._writable

    def _let_write(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def _answer(self, made: Exchange) -> None:
        request = made.request(self._source_ip, self._traffic.ids.next())
        try:
            try:
                response = _FULL if self._excess else await self._traffic.answer(request)
            except ClientGoneError:
                _log.info("request %s (%s %s): the client went away", request.request_id, made.method, made.path)
                response = HttpResponse(400, close=True)
            except ElsewhereError:
                self._elsewhere(made)
                return
            except Exception:
                response = _failed(request)
            if self._transport.is_closing() or self._lingering:
                self._current = None
            else:
                await self._reply(made, request, response)
        except BaseException:
            self._transport.abort()
            raise
        finally:
            if self._task is not None:
                self._traffic.tasks.discard(self._task)

    def _elsewhere(self, made: Exchange) -> None:
        """Have the request answered by another process. Connections that cannot move are not asked to."""
        raise NotImplementedError

    async def _reply(self, made: Exchange, request: HttpRequest, response: HttpResponse) -> None:
        """Send `response`, or an error if that turns out impossible before any of it is sent."""
        close = response.close or self._ending or not made.keep_alive or made.spent
        body = response.body
        try:
            if isinstance(body, bytes):
                self._send_whole(made, response, body, close=close)
            else:
                close = close or (made.version != "1.1" and body.length is None)
                if response.tunnel is not None:
                    close = True
                    self._tunnel = response.tunnel
                    response.tunnel.attach(self._hold)
                first = self._traffic.first(response.status)
                await reply.stream(self, made, first, response, body, close=close)
        except FunctionFailedError as error:
            _log.info("the answer to %s (%s %s) was cut off: %s", request.request_id, made.method, made.path, error)
            self._transport.abort()
            return
        except Exception:
            failure = _failed(request)
            if made.replied:
                self._transport.abort()
                return
            self._send_whole(made, failure, b"Internal Server Error", close=close)
        self._answered(made, close=close)

    def _send_whole(self, made: Exchange, response: HttpResponse, body: bytes, *, close: bool) -> None:
        head = reply.head(made, self._traffic.first(response.status), response, len(body), close=close)
        made.replied = True
        if not body or reply.bodiless(made, response.status):
            self._transport.write(head)
        elif len(body) < reply.JOINED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)


def _failed(request: HttpRequest) -> HttpResponse:
    """The reply to a request whose answer is a bug, from where that is handled."""
    _log.exception("request %s (%s %s) failed", request.request_id, request.method, request.path)
    return _FAILED
