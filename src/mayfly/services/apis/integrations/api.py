"""What the kinds of APIs and what stands behind them say to each other.

A kind of API maps what came to a `Call`, hands it to the `Backend` that its integration is of, and maps the `Outcome`:
templates, parameters and selection of responses are the kind's affair, since REST and WebSocket APIs have them, and
HTTP APIs do not. Variables of the stage and of the path are in their places already.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import Literal, Protocol

from msgspec import Struct

from mayfly.errors import CallerError
from mayfly.outgoing.api import Identity
from mayfly.services.contract import Principal

Pairs = tuple[tuple[str, str], ...]
Fault = Literal[
    "configuration",  # the integration cannot be called as it is written: a URI that is none, a role, a permission
    "timeout",  # there was no answer in time
    "unreachable",  # nobody answers there, or nobody may be asked
    "throttled",  # it would be called too often
    "too-large",  # what is sent, or what came, is larger than it may be
]


CALLERS = re.compile(r"arn:aws[a-z-]*:iam::\*:user/\*")  # the credentials of whoever signed the request


class Call(Struct, frozen=True):
    """What an integration is asked."""

    method: str  # of HTTP and of services
    uri: str  # `https://…`, or `arn:aws:apigateway:region:service:action/…` or `:path/…`
    request_id: str
    source_arn: str  # on whose behalf: the method or route
    headers: Pairs = ()
    query: Pairs = ()  # further parameters, besides those of the URI
    body: bytes = b""
    timeout_s: float = 29.0
    credentials: str | None = None  # the ARN of a role, or `CALLERS`; None: the API itself
    trace_id: str | None = None
    caller: Principal | None = None  # who signed the request
    identity: Identity | None = None  # whom the web is told that the API is

    @property
    def as_caller(self) -> Principal | None:
        """In whose name what is integrated is called, where that is to be who signed the request; `IntegrationError`.
        None: in another name. Policies of users are not evaluated, so they allow nothing."""
        if self.credentials is None or CALLERS.fullmatch(self.credentials) is None:
            return None
        if self.caller is None:
            raise IntegrationError(
                "configuration", "The credentials are the caller's, so the authorization type has to be AWS_IAM"
            )
        if self.caller.kind == "user":
            raise IntegrationError("configuration", f"AccessDenied: User: {self.caller.arn} may not call {self.uri}")
        return self.caller

    def header(self, name: str) -> str | None:
        """The last value of a header, whatever the case of its name; None where there is none."""
        lower = name.lower()
        return next((value for key, value in reversed(self.headers) if key.lower() == lower), None)


class Outcome(Struct, frozen=True):
    """What it answered. Any status is an answer."""

    status: int
    headers: Pairs = ()  # lower-case names, in order
    body: bytes = b""
    failed: bool = False  # a function that raised, died or ran out of time: `body` says so as JSON
    trace_id: str = ""


class Opened(Struct, frozen=True):
    """An answer that is on its way."""

    status: int
    parts: AsyncIterator[bytes]  # raises `MayflyError` where it breaks off
    close: Callable[[], None]  # nobody reads on; idempotent
    headers: Pairs = ()  # lower-case names, in order
    trace_id: str = ""


class IntegrationError(CallerError):
    """There is no answer."""

    def __init__(self, kind: Fault, message: str) -> None:
        super().__init__(message)
        self.kind: Fault = kind
        self.message = message


class Backend(Protocol):
    """What answers calls of one type of integrations."""

    async def send(self, call: Call) -> Outcome:
        """Ask once; `IntegrationError`. Never raises `ServiceError`."""


class StreamingBackend(Backend, Protocol):
    """What answers as it comes, where that is asked for."""

    async def open(self, call: Call) -> Opened:
        """Ask once, and return when the answer begins; `IntegrationError`. `Call.timeout_s` is the time for that."""
