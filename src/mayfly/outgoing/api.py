"""What services see of requests to the outside: a request, a response, and why there was none.

`client.Outgoing` carries them out; services are handed one and depend on `Sender`, so that their tests can hand in
another. Nothing here is an AWS request: subscriptions, webhooks, API destinations, tokens of OAuth.
"""

from collections.abc import AsyncIterator, Callable
from typing import Literal, Protocol

from msgspec import Struct

from mayfly.errors import PlatformError

Headers = tuple[tuple[str, str], ...]
Kind = Literal[
    "invalid",  # the request cannot be sent as it is: a URL without a host, a header with a line break
    "refused",  # the operator of the platform does not let it send there
    "name",  # the name has no address now
    "unreachable",  # nobody answers there
    "tls",  # the certificate is not to be trusted, or no TLS is spoken there
    "timeout",  # there was no whole answer in time
    "broken",  # the connection ended early, or what came was not HTTP
]


class OutgoingError(PlatformError):
    """There is no answer; whether the request arrived is unknown unless `kind` says that it cannot have."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message


class Identity(Struct, frozen=True):
    """Whom the platform says it is to servers that ask for a certificate."""

    certificate: str  # PEM
    key: bytes  # of the certificate: PEM, not encrypted

    def __repr__(self) -> str:
        return f"Identity({self.certificate!r}, …)"


class Request(Struct, frozen=True):
    """One request. Redirects are not followed: the answer that asks for one is the answer."""

    method: str
    url: str  # absolute, http or https, sent as it is written; `user:password@` becomes basic authentication
    headers: Headers = ()
    body: bytes = b""
    timeout_s: float = 15.0  # for all of it: name, connection, TLS, request, answer
    most_body: int = 64 * 1024  # bytes of the answer's body that are read
    identity: Identity | None = None  # by https; connections are kept for each apart


class Response(Struct, frozen=True):
    """What was answered."""

    status: int
    headers: Headers  # lower-case names, in order
    body: bytes
    complete: bool = True  # False: the body was longer than the request's `most_body`, and is cut there

    def header(self, name: str) -> str | None:
        """The first value of `name` (lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)


class Opened(Struct, frozen=True):
    """An answer of which the head is there, and the body on its way."""

    status: int
    headers: Headers  # lower-case names, in order
    parts: AsyncIterator[bytes]  # `OutgoingError` where the body breaks off
    close: Callable[[], None]  # nobody reads on; idempotent


class Sender(Protocol):
    """Sends requests to the outside."""

    async def send(self, request: Request) -> Response:
        """Send once; `OutgoingError`. Any status is an answer."""


class StreamingSender(Sender, Protocol):
    """Sends requests whose answers may be read as they come."""

    async def open(self, request: Request) -> Opened:
        """Send once, and return with the head; `OutgoingError`. `Request.timeout_s` is the time for that, and
        `most_body` does not count."""
