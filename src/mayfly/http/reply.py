"""How a reply goes over the wire: its framing, and bodies that are sent at the client's pace."""

from collections.abc import AsyncGenerator
from typing import Protocol

from mayfly.http import heads
from mayfly.http.exchange import Exchange
from mayfly.services.contract import ByteStream, HttpResponse

JOINED_BYTES = 64 * 1024  # a body's first piece up to this size is copied behind its head; larger ones go by themselves


class WrongLengthError(ValueError):
    """A body is longer or shorter than its head says: its client must not take it for whole."""


class Outlet(Protocol):
    """The connection that a reply is sent over."""

    @property
    def gone(self) -> bool:
        """Whether nobody is there to read any more."""

    def write(self, data: bytes) -> None: ...

    async def writable(self) -> None:
        """Return when there is room for more, or nobody is there any more."""


def head(made: Exchange, first: str, response: HttpResponse, length: int | None, *, close: bool) -> bytes:
    """The head of a reply with a body of `length` bytes; `first` are its first lines; `heads.BadHeadError`.

    A body of unknown length is sent in chunks, or to an old client until the connection closes.
    """
    old = made.version != "1.1"
    if response.tunnel is not None:
        return heads.head(first, response.headers, "connection: upgrade\r\n")
    last = "connection: close\r\n" if close else "connection: keep-alive\r\n" if old else ""
    if response.status not in (204, 304) and declared(response) is None:
        if length is not None:
            last += f"content-length: {length}\r\n"
        elif not old:
            last += "transfer-encoding: chunked\r\n"
    return heads.head(first, response.headers, last)


def declared(response: HttpResponse) -> int | None:
    """How long the body is by the reply's own headers, where they say it."""
    for name, value in response.headers:
        if len(name) == 14 and name.lower() == "content-length":
            return int(value)
    return None


def bodiless(made: Exchange, status: int) -> bool:
    """Whether nothing follows the head, whatever it says."""
    return made.method == "HEAD" or status in (204, 304)


async def stream(
    outlet: Outlet, made: Exchange, first: str, response: HttpResponse, body: ByteStream, *, close: bool
) -> None:
    """Send a reply whose body comes in pieces. Whatever the body raises, and `WrongLengthError`, goes through."""
    announced = declared(response)
    left = body.length if announced is None else announced
    chunked = left is None and made.version == "1.1" and response.tunnel is None
    held = head(made, first, response, body.length, close=close)
    if bodiless(made, response.status):
        made.replied = True
        outlet.write(held)
        return
    if response.tunnel is not None:
        held = _send(outlet, b"", held)  # the client waits for it before it sends anything
    pieces = aiter(body)
    try:
        async for piece in pieces:
            if left is not None:
                left -= len(piece)
                if left < 0:
                    raise WrongLengthError(f"{-left} bytes more than the head said")
            if not piece:
                continue
            held = _send(outlet, held, heads.chunk(piece) if chunked else piece)
            made.replied = True
            await outlet.writable()
            if outlet.gone:
                return  # sending to nobody would go on to the end, as fast as the source can be read
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()  # now, not when the garbage collector comes by: it may hold files or snapshots
    if left:
        raise WrongLengthError(f"{left} bytes less than the head said")
    made.replied = True
    if chunked or held:
        outlet.write(held + (heads.LAST_CHUNK if chunked else b""))


def _send(outlet: Outlet, held: bytes, data: bytes) -> bytes:
    """Write `data`, behind the head if that is still held; what is held then."""
    if held and len(data) < JOINED_BYTES:
        data = held + data
    elif held:
        outlet.write(held)
    outlet.write(data)
    return b""
