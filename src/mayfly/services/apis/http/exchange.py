"""One request to an HTTP API, with all that becomes known of it on its way. Made by `answering`, read by everybody."""

import re
import time
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from mayfly.services.contract import HttpRequest

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ROOT = re.compile(r"(?:^|;) *Root=1-[0-9a-f]{8}-[0-9a-f]{24} *(?:;|$)")
MAX_TRACE = 512


class ApiFacts(Protocol):
    """What may be said of an API; see `compiled`."""

    @property
    def id(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...


class StageFacts(Protocol):
    """What may be said of a stage."""

    @property
    def name(self) -> str: ...

    @property
    def variables(self) -> Mapping[str, str]: ...


class RouteFacts(Protocol):
    """What may be said of a route."""

    @property
    def key(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def method(self) -> str: ...


class Exchange(Struct):
    """A request under way."""

    request: HttpRequest
    api: ApiFacts
    stage: StageFacts
    at: float  # Unix seconds
    path: str  # below the stage, raw, beginning with a slash
    raw_path: str  # what the format 2.0 calls so: with the stage, unless that is $default; decoded, as on AWS
    client_path: str  # as the client wrote it below the API's own address, decoded: what the format 1.0 has
    domain: str
    domain_prefix: str
    trace_id: str
    route: RouteFacts | None = None
    parameters: Mapping[str, str] = {}  # of the path
    body: bytes = b""
    authorizer: dict[str, Any] | None = None  # as the format 2.0 shows it: {"jwt": ...}, {"lambda": ...}, {"iam": ...}
    base_path: str | None = None  # that a custom domain name matched
    authorizer_error: str | None = None
    authorizer_latency_ms: int | None = None
    authorizer_status: int | None = None
    integration_error: str | None = None
    integration_status: int | None = None  # of the reply of what was called
    integration_latency_ms: int | None = None
    integration_request_id: str | None = None
    function_status: int | None = None  # with which the call itself ended
    error: str | None = None  # of what API Gateway answers itself
    error_type: str | None = None

    @property
    def route_key(self) -> str:
        return "" if self.route is None else self.route.key


def common_log_time(at: float) -> str:
    """`01/Feb/2026:03:04:05 +0000`: English in every locale, which `strftime` is not, and in half its time."""
    year, month, day, hour, minute, second = time.gmtime(at)[:6]
    return f"{day:02d}/{_MONTHS[month - 1]}/{year}:{hour:02d}:{minute:02d}:{second:02d} +0000"


def trace_of(header: str | None, at: float, drawn: str) -> str:
    """The trace that a request is part of, as its header says it; else a new one with `drawn` (24 digits)."""
    if header is not None and len(header) <= MAX_TRACE and _ROOT.search(header):
        return header
    return f"Root=1-{int(at):08x}-{drawn}"
