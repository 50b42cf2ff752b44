"""One request as a connection took it off the wire, until it is answered."""

from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec import Struct

from mayfly.http.body import RequestBody
from mayfly.services.contract import HttpRequest, join_headers

# What is left of a body when its request has been answered is read and dropped up to this size; above it, closing the
# connection is cheaper for both sides.
DISCARD_BYTES = 256 * 1024

Headers = list[tuple[str, str]]


class BadRequestError(ValueError):
    """A request that cannot be answered; the message is for its client."""


class Exchange(Struct, eq=False):
    """A request whose head is complete. `body` may still be arriving."""

    method: str
    path: str  # still percent-encoded
    query: str
    headers: Headers
    fields: dict[str, str]
    body: RequestBody
    version: str  # 1.1 or 1.0
    keep_alive: bool  # the client can go on with this connection
    expects: bool  # it waits for a 100 before it sends the body
    replied: bool = False  # some of the reply was sent
    gone: bool = False  # its client went away
    farewells: list[Callable[[], None]] | None = None  # for when it does

    def when_gone(self, callback: Callable[[], None]) -> None:
        """See `contract.Client`."""
        if self.gone:
            callback()
        elif self.farewells is None:
            self.farewells = [callback]
        else:
            self.farewells.append(callback)

    def leave(self) -> None:
        """The client is gone."""
        self.gone = True
        callbacks, self.farewells = self.farewells, None
        for callback in callbacks or ():
            callback()

    def request(self, source_ip: str, request_id: str) -> HttpRequest:
        """What whoever answers gets."""
        return HttpRequest(
            self.method,
            self.path,
            self.query,
            self.headers,
            self.body,
            self.fields.get("host", ""),
            source_ip,
            request_id,
            "HTTP/1.1" if self.version == "1.1" else "HTTP/1.0",
            "",
            self.body.whole(),
            self.fields,
            self,
        )

    @property
    def spent(self) -> bool:
        """Whether nothing can follow on its connection if it is answered now: too much of it, or nobody knows what.

        A client that waits for a 100 in vain may send its body all the same or go on with the next request; the two
        cannot be told apart.
        """
        body = self.body
        if body.arrived:
            return False
        return (self.expects and not body.touched) or body.length is None or body.length > DISCARD_BYTES


def exchange(
    method: bytes, url: bytes, headers: Headers, version: str, keep_alive: bool, wanted: Callable[[], None]
) -> Exchange:
    """The exchange that a head begins; `BadRequestError`. What frames the body was checked by the parser."""
    if version not in ("1.1", "1.0"):
        raise BadRequestError(f"HTTP/{version} is not spoken here.")
    path, query = target(url)
    fields = join_headers(headers)
    if len(fields) != len(headers) and sum(name == "host" for name, _ in headers) > 1:
        raise BadRequestError("A request names one host.")
    length = None if "transfer-encoding" in fields else int(fields.get("content-length", 0))
    expects = version == "1.1" and fields.get("expect", "").lower() == "100-continue"
    body = RequestBody(length, wanted)
    return Exchange(method.decode("ascii"), path, query, headers, fields, body, version, keep_alive, expects)


def target(url: bytes) -> tuple[str, str]:
    """Path and query of a request's target, in origin-form or absolute-form; `BadRequestError`."""
    try:
        text = url.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadRequestError("The target of a request is percent-encoded ASCII.") from error
    if not text.startswith("/"):
        text = _origin(text)
    if "#" in text:
        text = text.partition("#")[0]
    path, _, query = text.partition("?")
    return path, query


def _origin(text: str) -> str:
    """The origin-form of a target in absolute-form."""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise BadRequestError(f"{text[:64]!r} is no target of a request.") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadRequestError(f"{text[:64]!r} is no target of a request.")
    rest = text.partition("://")[2]
    ends = [at for at in (rest.find("/"), rest.find("?"), rest.find("#")) if at >= 0]
    rest = rest[min(ends) :] if ends else "/"
    return rest if rest.startswith("/") else f"/{rest}"
