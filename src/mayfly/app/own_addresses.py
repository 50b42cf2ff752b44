"""Requests that the platform sends to itself: to APIs and function URLs, which are answered in process.

What the platform may send to keeps it from the addresses of its own machine, and rightly: pages of others may be there.
But APIs and function URLs are for everybody who can reach them, so an authorizer may ask an issuer that is an API here,
a topic may tell a function by its URL, an API may stand in front of another. That needs no connection, and no name
that DNS knows: `<api>.execute-api.…` is the API of that id wherever there is one here.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from mayfly import ids
from mayfly.http.api import Answer
from mayfly.http.routes import API_HOST, API_PATH, URL_PATH
from mayfly.outgoing.api import Opened, OutgoingError, Request, Response, StreamingSender
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody

AGENT = "127.0.0.1"  # where such requests come from, as far as APIs and functions are told
_SAME = ("127.0.0.1", "localhost", "[::1]")


class Apis(Protocol):
    """What is known of APIs."""

    def has(self, api_id: str) -> bool: ...

    def knows(self, host: str) -> bool: ...


class OwnAddresses:
    """`outgoing.api.StreamingSender` that keeps what is for the platform. Bound once, before anything is served."""

    def __init__(self, outside: StreamingSender, url: str) -> None:
        """`url`: where clients on this machine reach the platform."""
        self._outside = outside
        own = urlsplit(url)
        port = own.netloc.rpartition(":")[2]
        self._origins = {(own.scheme, own.netloc)} | {(own.scheme, f"{host}:{port}") for host in _SAME}
        self._answer: Answer | None = None
        self._apis: Apis | None = None

    def bind(self, answer: Answer, apis: Apis) -> None:
        """Say who answers."""
        self._answer, self._apis = answer, apis

    async def send(self, request: Request) -> Response:
        """See `Sender`."""
        found = self._own(request)
        if found is None:
            return await self._outside.send(request)
        answer, arrived = found
        with _timed(request.timeout_s):
            async with asyncio.timeout(request.timeout_s):
                return await _left(await answer(arrived), request.most_body)

    async def open(self, request: Request) -> Opened:
        """See `StreamingSender`."""
        found = self._own(request)
        if found is None:
            return await self._outside.open(request)
        answer, arrived = found
        with _timed(request.timeout_s):
            async with asyncio.timeout(request.timeout_s):
                response = await answer(arrived)
        headers = tuple((name.lower(), value) for name, value in response.headers)
        return Opened(response.status, headers, _pieces(response), lambda: None)

    def _own(self, request: Request) -> tuple[Answer, HttpRequest] | None:
        """Who answers here, and what; None: it is for the outside, which says what is wrong with a URL, too."""
        try:
            parts = urlsplit(request.url)
        except ValueError:
            return None
        if self._answer is None or not self._is_own(parts):
            return None
        return self._answer, _arrived(request, parts)

    def _is_own(self, parts: SplitResult) -> bool:
        assert self._apis is not None, "bound together with who answers"
        if parts.scheme not in ("http", "https"):
            return False
        host = (parts.hostname or "").lower()
        if match := API_HOST.match(host):
            return self._apis.has(match[1])
        netloc = parts.netloc.rpartition("@")[2].lower()
        if (parts.scheme, netloc) in self._origins:
            return parts.path.startswith((API_PATH, URL_PATH))
        return self._apis.knows(host)


def _arrived(request: Request, parts: SplitResult) -> HttpRequest:
    """The request as if it had come over a connection."""
    headers = [(name.lower(), value) for name, value in request.headers]
    named = {name for name, _ in headers}
    netloc = parts.netloc.rpartition("@")[2]
    if "host" not in named:
        headers.insert(0, ("host", netloc))
    if request.body and "content-length" not in named:
        headers.append(("content-length", str(len(request.body))))
    if parts.username is not None and "authorization" not in named:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.append(("authorization", f"Basic {b64encode(words.encode()).decode()}"))
    return HttpRequest(
        request.method,
        parts.path or "/",
        parts.query,
        headers,
        StreamBody(_once(request.body), len(request.body)),
        netloc,
        AGENT,
        ids.request_id(),
        content=request.body,
    )


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@contextmanager
def _timed(timeout_s: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise OutgoingError("timeout", f"there was no answer within {timeout_s:g} s") from None


async def _pieces(response: HttpResponse) -> AsyncIterator[bytes]:
    if isinstance(response.body, bytes):
        yield response.body
        return
    pieces = aiter(response.body)
    try:
        async for piece in pieces:
            yield piece
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


async def _left(response: HttpResponse, most: int) -> Response:
    """The response as if it had come over a connection, its body cut behind `most` bytes."""
    body = bytearray()
    if isinstance(response.body, bytes):
        body += response.body
    else:
        async for piece in response.body:
            body += piece
            if len(body) > most:
                break
    headers = tuple((name.lower(), value) for name, value in response.headers)
    return Response(response.status, headers, bytes(body[:most]), complete=len(body) <= most)
