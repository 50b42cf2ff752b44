"""Cross-origin requests to HTTP APIs, answered as configured. Pure.

Preflight requests are answered here, whatever routes there are; what an integration says of CORS is replaced. The rules
are those of the Fetch standard.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mayfly.services.contract import HttpRequest, HttpResponse

_PREFIX = "access-control-"


class Cors(Struct, frozen=True):
    """A configuration, with patterns for the origins that have stars in them."""

    any_origin: bool
    origins: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]
    methods: str
    headers: str
    exposed: str
    credentials: bool
    max_age_s: int | None


def compiled(members: Mapping[str, Any] | None) -> Cors | None:
    """The configuration of an API; None: it has none."""
    if not members:
        return None
    origins: Sequence[str] = members.get("AllowOrigins", ())
    literal = frozenset(origin.lower() for origin in origins if "*" not in origin)
    patterns = tuple(_pattern(origin) for origin in origins if "*" in origin and origin != "*")
    return Cors(
        "*" in origins,
        literal,
        patterns,
        ",".join(members.get("AllowMethods", ())),
        ",".join(name.lower() for name in members.get("AllowHeaders", ())),
        ",".join(name.lower() for name in members.get("ExposeHeaders", ())),
        bool(members.get("AllowCredentials")),
        members.get("MaxAge"),
    )


def _pattern(origin: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(re.escape(part) for part in origin.split("*")), re.IGNORECASE)


def is_preflight(request: HttpRequest) -> bool:
    """Whether a browser asks, rather than does."""
    return (
        request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


def preflight(cors: Cors, request: HttpRequest) -> HttpResponse:
    """The answer to a browser that asks; nothing is allowed to an origin that may not."""
    headers = _origin_headers(cors, request.header("origin") or "")
    if headers:
        asked_method = request.header("access-control-request-method") or ""
        # A star means nothing to a browser that sends credentials, so it is told what it asked for.
        methods = asked_method if cors.credentials and cors.methods == "*" else cors.methods
        asked = request.header("access-control-request-headers") or ""
        allowed = asked if cors.credentials and "*" in cors.headers.split(",") else cors.headers
        if methods:
            headers.append(("access-control-allow-methods", methods))
        if allowed:
            headers.append(("access-control-allow-headers", allowed))
        if cors.max_age_s is not None:
            headers.append(("access-control-max-age", str(cors.max_age_s)))
    return HttpResponse(204, [*headers, *_vary(cors)])


def decorated(cors: Cors, origin: str | None, response: HttpResponse) -> HttpResponse:
    """`response` with what a page of another origin needs to read it, in place of what the integration said."""
    headers = [(name, value) for name, value in response.headers if not name.startswith(_PREFIX)]
    if origin is not None:
        granted = _origin_headers(cors, origin)
        if granted and cors.exposed:
            granted.append(("access-control-expose-headers", cors.exposed))
        headers += granted
    return replace(response, headers=[*headers, *_vary(cors)])


def _origin_headers(cors: Cors, origin: str) -> list[tuple[str, str]]:
    """Empty when the origin may not."""
    if cors.any_origin:
        headers = [("access-control-allow-origin", "*")]
    elif origin.lower() in cors.origins or any(pattern.fullmatch(origin) for pattern in cors.patterns):
        headers = [("access-control-allow-origin", origin)]
    else:
        return []
    if cors.credentials:
        headers.append(("access-control-allow-credentials", "true"))
    return headers


def _vary(cors: Cors) -> list[tuple[str, str]]:
    """Caches must tell origins apart where the answer does."""
    return [] if cors.any_origin else [("vary", "Origin")]
