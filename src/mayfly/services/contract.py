"""What every service looks like from outside: operations by wire name, the caller's context, errors, streams.

`wire` decodes and validates a request against botocore's model and calls a handler with the resulting dict; the
handler returns the dict of the reply. Both are the TypedDicts of `types-boto3` (`import` them under TYPE_CHECKING
only). Conventions of those dicts, the same in both directions:

- timestamps are aware `datetime`s, blobs are `bytes`, a streaming blob is a `ByteStream` (or `bytes` in replies); in
  requests it is a `TrailingStream`, whose trailers add members that are known only after its last byte;
- an event stream of a reply is an async iterator of events, each a dict of one event's name and its members;
- members that the caller did not send are absent, never None; a reply leaves out what it has no value for;
- names are the model's own, also for what travels in headers, the path or the query string;
- HTTP status and headers of the reply come from the model (`requestUri`, `responseCode`, `location: header`). Members
  that a model binds to the status code (`StatusCode`) are set like any other.

A service is an object with a `name` (botocore's service name) and `operations`; `app.py` builds it and hands it what
it needs. Nothing here knows HTTP servers or codecs.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct

from mayfly.errors import CallerError
from mayfly.ids import PARTITION, Arn

Handler = Callable[["RequestContext", Any], Awaitable[Any]]
_F = TypeVar("_F", bound=Callable[..., Awaitable[Any]])


class ServiceError(CallerError):
    """A failure in its wire form.

    `code` is the model's error shape or AWS's documented code; `status` the HTTP status (None: what the service's
    model says for that shape, else 400); `members` further members of the error shape, e.g. `{"Type": "User"}`;
    `headers` of the reply that no model knows, with lower-case names.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members: Mapping[str, Any] = members or {}
        self.headers: Mapping[str, str] = headers or {}


class NotImplementedOperationError(ServiceError):
    """The model has the operation, Mayfly does not."""

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(
            "NotImplemented",
            f"Mayfly does not implement {operation} of {service}; "
            "the page reference/operations of its documentation lists what it does implement.",
            status=501,
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed the request."""

    kind: Literal["root", "user", "assumed-role", "service", "anonymous"]
    account: str
    arn: str
    user_id: str  # as in sts:GetCallerIdentity
    access_key_id: str | None = None


# A header by which a caller names what it wants made, where the model has no token for that: who says it again gets
# what was made then. Operations that make something under a number or an id of their own heed it.
ONCE = "x-mayfly-once"

ANONYMOUS = Principal("anonymous", "", "", "ANONYMOUS")


class Client(Protocol):
    """Whoever waits for the answer to a request."""

    def when_gone(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop, once, if the client goes away before it has its answer.

        For answers that only make sense while somebody waits; all others run to their end.
        """


MAX_TRACE = 512  # characters of a trace header that are believed


class RequestContext(Struct, frozen=True):
    """What a handler may know of a request besides its input."""

    request_id: str
    account: str
    region: str
    principal: Principal
    endpoint: str  # how the caller reached Mayfly: "http://127.0.0.1:4566", no trailing slash
    source_ip: str = "127.0.0.1"
    user_agent: str = ""
    headers: Mapping[str, str] = {}  # lower-case names; for what no model member carries
    client: Client | None = None  # None for calls from inside the platform

    @property
    def trace(self) -> str | None:
        """The trace that the request is part of, as X-Amzn-Trace-Id says it."""
        header = self.headers.get("x-amzn-trace-id")
        return header if header is not None and "Root=1-" in header and len(header) <= MAX_TRACE else None

    @property
    def once(self) -> str | None:
        """What the caller calls what it wants made; see `ONCE`."""
        return self.headers.get(ONCE)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of `resource` in the caller's region and account."""
        return str(Arn(service, self.region, self.account, resource, PARTITION))


class Reply(dict[str, Any]):
    """The dict of a reply with headers that no model knows, their names in lower case."""

    def __init__(self, members: Mapping[str, Any], headers: Sequence[tuple[str, str]]) -> None:
        super().__init__(members)
        self.headers = headers


class ByteStream(Protocol):
    """Bytes that arrive or leave in chunks, at the pace of whoever reads them. Iterated at most once."""

    @property
    def length(self) -> int | None:
        """How many bytes there are; None when that is not known ahead."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class TrailingStream(ByteStream, Protocol):
    """The streaming body of a request, as the wire hands it to a handler.

    Everything that the request claims about its bytes (signatures, lengths, Content-MD5, checksums) is checked while
    they pass: iteration raises `ServiceError` instead of ending when any of it is false.
    """

    @property
    def trailers(self) -> Mapping[str, str]:
        """What came after the body: input members by their names, e.g. {"ChecksumCRC32": "i9aeUg=="}.

        Complete, and verified, once the stream has ended; empty before. A handler treats them as part of its input.
        """


@dataclass(frozen=True, slots=True)
class StreamBody:
    """A `ByteStream` over any async iterator."""

    chunks: AsyncIterator[bytes]
    length: int | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks


class HttpRequest(Struct, frozen=True):
    """A request that no AWS model describes: a function URL, a webhook, the console."""

    method: str
    path: str  # raw, still percent-encoded, without the query
    query: str  # raw, without the question mark
    headers: Sequence[tuple[str, str]]  # lower-case names, in order, repeated where repeated
    body: ByteStream
    host: str
    source_ip: str
    request_id: str
    protocol: str = "HTTP/1.1"
    mount: str = ""  # what routing took off the front of the path; signatures are over `mount` + `path`
    content: bytes | None = None  # the body, where all of it came along with the head; `body` gives the same
    fields: dict[str, str] | None = None  # of `joined`, where they are known already
    client: Client | None = None

    def header(self, name: str) -> str | None:
        """The first value of `name` (lower case), or None."""
        if self.fields is not None:
            value = self.fields.get(name)
            if value is None or "," not in value:
                return value
        return next((value for key, value in self.headers if key == name), None)

    def joined(self) -> dict[str, str]:
        """The headers by name, those that are repeated joined by commas in their order; not to be changed."""
        return join_headers(self.headers) if self.fields is None else self.fields


def join_headers(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers as a dict, repeated ones joined by commas in their order."""
    joined = dict(headers)
    if len(joined) == len(headers):
        return joined
    joined.clear()
    for name, value in headers:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


class Tunnel(Protocol):
    """Takes what a client sends once its connection speaks another protocol than HTTP."""

    def attach(self, hold: Callable[[bool], None]) -> None:
        """`hold(True)` asks for no more for now, `hold(False)` for more."""

    def feed(self, part: bytes) -> None: ...

    def end(self) -> None:
        """Nothing follows. Idempotent."""


class HttpResponse(Struct, frozen=True):
    """The reply to an `HttpRequest`."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: "bytes | ByteStream" = b""
    close: bool = False  # the connection is of no further use: what is left of the request will not be read
    tunnel: Tunnel | None = None  # of a reply with the status 101, whose body is of that protocol, too


class Service(Protocol):
    """One package under `services`, built."""

    @property
    def name(self) -> str:
        """botocore's service name: "lambda", "s3"."""

    @property
    def operations(self) -> Mapping[str, Handler]:
        """Handlers by operation name, e.g. "CreateFunction"."""


class LateService(ABC):
    """A service that is built when it is first needed."""

    name: str

    @abstractmethod
    async def ready(self) -> Service:
        """The service, built; whatever building it raises, and the next call tries again."""


SomeService = Service | LateService


async def built(service: SomeService) -> Service:
    """The service, at once or late."""
    return await service.ready() if isinstance(service, LateService) else service


def operation(name: str) -> Callable[[_F], _F]:
    """Mark a method as the handler of operation `name`."""

    def mark(method: _F) -> _F:
        method.__dict__["mayfly_operation"] = name
        return method

    return mark


def operations_of(*groups: object) -> dict[str, Handler]:
    """All methods of `groups` that `operation` marked, bound, by operation name; ValueError on a name marked twice."""
    found: dict[str, Handler] = {}
    for group in groups:
        for attribute in dir(type(group)):
            name = getattr(getattr(type(group), attribute), "mayfly_operation", None)
            if name is None:
                continue
            if name in found:
                raise ValueError(f"two handlers for operation {name}")
            found[name] = getattr(group, attribute)
    return found
