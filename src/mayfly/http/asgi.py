"""Between ASGI and Mayfly: a request body that is read at the handler's pace, a reply that is sent at the client's.

Nothing here knows AWS. `Application` is the ASGI callable; it hands every request to one `Answer` function. Clients
that stall are `protocol`'s business: their connection is cut, which ends the body here.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from mayfly import ids
from mayfly.services.contract import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger(__name__)


class ClientGoneError(ConnectionError):
    """The client closed the connection, or was cut off, in the middle of its body."""


class RequestBody:
    """A `ByteStream` over ASGI's receive channel; reading it lets the client send more."""

    def __init__(self, receive: Receive, length: int | None) -> None:
        self._receive = receive
        self.length = length
        self.touched = False
        self.ended = length == 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.ended:
            self.touched = True
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError("the connection ended before the body was complete")
            self.ended = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk


def _declared_length(headers: list[tuple[str, str]]) -> int | None:
    """Bytes of the body as the headers say: 0 when they announce none, None when it is chunked."""
    length: int | None = 0
    for name, value in headers:
        if name == "transfer-encoding":
            return None
        if name == "content-length":
            length = int(value)  # the parser accepted it, so it is a number
    return length


def request_of(scope: Message, receive: Receive) -> HttpRequest:
    """The request that an ASGI `http` scope describes."""
    headers = [(name.decode("latin-1"), value.decode("latin-1").strip()) for name, value in scope["headers"]]
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=RequestBody(receive, _declared_length(headers)),
        host=next((value for name, value in headers if name == "host"), ""),
        source_ip=client[0] if client else "127.0.0.1",
        request_id=ids.request_id(),
        protocol=f"HTTP/{scope['http_version']}",
    )


class Application:
    """The ASGI callable that the front door serves."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = request_of(scope, receive)
        try:
            response = await self._answer(request)
        except ClientGoneError:
            await _abandon(request, send)
            return
        except Exception:
            _log.exception("request %s (%s %s) failed", request.request_id, request.method, request.path)
            response = HttpResponse(500, [("content-type", "text/plain")], b"Internal Server Error")
        await _reply(request, response, send, scope["state"]["gone"])


async def _abandon(request: HttpRequest, send: Send) -> None:
    """Nobody is likely to read this; but a client that stalled gets a word, and the connection ends."""
    _log.info("request %s (%s %s): the client went away", request.request_id, request.method, request.path)
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _reply(request: HttpRequest, response: HttpResponse, send: Send, gone: Callable[[], bool]) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    body = response.body
    if not any(name.lower() == b"content-length" for name, _ in headers):
        length = len(body) if isinstance(body, bytes) else body.length
        if length is not None and response.status not in (204, 304):
            headers.append((b"content-length", b"%d" % length))
    if _must_close(request):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body})
        return
    chunks = aiter(body)
    try:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if gone():
                return  # sending to nobody would go on to the end, as fast as the source can be read
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()  # now, not when the garbage collector comes by: it may hold files or snapshots
    await send({"type": "http.response.body", "body": b""})


def _must_close(request: HttpRequest) -> bool:
    """Whether the connection cannot be used again: the client waits for a 100 that it will not get.

    It may send its body all the same or go on with the next request; the two cannot be told apart.
    """
    body = request.body
    return (
        isinstance(body, RequestBody)
        and not body.touched
        and not body.ended
        and (request.header("expect") or "").lower() == "100-continue"
    )
