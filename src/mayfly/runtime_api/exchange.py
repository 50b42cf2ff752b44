"""One request and its reply, as those who answer see them; `connection` makes them of bytes.

Whoever answers gets a request when its head has come, and returns the *sink* of its body. So a body may be passed on
piece by piece, and one that is too large is refused before it has come.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

_JSON = "application/json"


@dataclass(slots=True)
class Request:
    """The head of one. Names of headers are in lower case; of several of one name the last one counts."""

    method: str
    path: str  # without the query
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int | None:
        """Of the body, as announced; None where it comes in chunks."""
        text = self.headers.get("content-length", "0")
        return None if "transfer-encoding" in self.headers else int(text) if text.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = _JSON


class Reply(Protocol):
    """Where the answer to one request goes: once, now or much later."""

    @property
    def gone(self) -> bool:
        """Nobody waits for it any more."""

    def send(self, response: Response) -> None:
        """Answer. Nothing happens where nobody waits."""

    def hold(self, held: bool) -> None:
        """Take no more of the request's body for now; or go on."""


class Sink(Protocol):
    """Takes the body of one request."""

    def feed(self, data: bytes) -> None: ...

    def finish(self, trailers: Mapping[str, str]) -> None:
        """All of it has come. Names of trailers are in lower case."""

    def lost(self) -> None:
        """It ends here, incomplete: the connection did."""


class Answers(Protocol):
    """Who answers the requests of connections."""

    def begin(self, request: Request, reply: Reply) -> Sink:
        """A head has come; what takes its body."""


class Ignored:
    """A body that nobody reads."""

    def feed(self, data: bytes) -> None: ...

    def finish(self, trailers: Mapping[str, str]) -> None: ...

    def lost(self) -> None: ...


class Whole:
    """A body that is of use when all of it has come: one of the three is called, once; `then` gets it."""

    def __init__(
        self,
        most: int,
        then: Callable[[bytes, Mapping[str, str]], None],
        too_large: Callable[[], None],
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._most = most
        self._then = then
        self._too_large = too_large
        self._lost = lost
        self._data: bytearray | None = bytearray()

    def feed(self, data: bytes) -> None:
        if self._data is None:
            return
        if len(self._data) + len(data) > self._most:
            self._data = None
            self._too_large()
        else:
            self._data += data

    def finish(self, trailers: Mapping[str, str]) -> None:
        if self._data is not None:
            self._then(bytes(self._data), trailers)

    def lost(self) -> None:
        if self._data is not None:
            self._lost()


NOT_FOUND = Response(404, b"404 page not found\n", content_type="text/plain; charset=utf-8")


def answered(status: int, body: Mapping[str, object] | None = None) -> Response:
    """A reply in JSON; without a body where there is none."""
    return Response(status, json.dumps(body, separators=(",", ":")).encode() if body is not None else b"")


def refused(status: int, error_type: str, message: str) -> Response:
    """An error in the shape that all of these interfaces have."""
    return answered(status, {"errorMessage": message, "errorType": error_type})


def encode(response: Response, *, close: bool) -> bytes:
    """The bytes of a reply."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "-"
    lines = [f"HTTP/1.1 {response.status} {phrase}", f"Content-Type: {response.content_type}"]
    lines += [f"{name}: {_line(value)}" for name, value in response.headers]
    lines.append(f"Content-Length: {len(response.body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join((*lines, "\r\n")).encode("utf-8", "replace") + response.body


def _line(value: str) -> str:
    """A value that cannot end its line."""
    return value.replace("\r", " ").replace("\n", " ").replace("\0", "")
