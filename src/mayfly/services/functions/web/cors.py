"""Cross-origin requests to function URLs, answered as configured. Pure. The rules are those of the Fetch standard."""

from collections.abc import Sequence

from msgspec import structs

from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.services.functions.model import Cors

_PREFIX = "access-control-"


def is_preflight(request: HttpRequest) -> bool:
    """Whether a browser asks, rather than does."""
    return (
        request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


def preflight(cors: Cors, request: HttpRequest) -> HttpResponse:
    """The answer to a browser that asks; without allowing headers when it may not."""
    headers = _origin_headers(cors, request)
    method = request.header("access-control-request-method") or ""
    if headers and _matches(method, cors.allow_methods):
        headers.append(("access-control-allow-methods", _granted(cors.allow_methods, method)))
        wanted = request.header("access-control-request-headers")
        if wanted and cors.allow_headers:
            headers.append(("access-control-allow-headers", _granted(cors.allow_headers, wanted)))
        if cors.max_age_s is not None:
            headers.append(("access-control-max-age", str(cors.max_age_s)))
    elif headers:
        headers = []
    return HttpResponse(200, [*headers, ("vary", "Origin")])


def decorated(cors: Cors, request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """`response` with what a page of another origin needs to read it; the configuration overrides the function."""
    if request.header("origin") is None:
        return response
    headers = [(name, value) for name, value in response.headers if not name.startswith(_PREFIX)]
    if granted := _origin_headers(cors, request):
        if cors.expose_headers:
            granted.append(("access-control-expose-headers", ", ".join(cors.expose_headers)))
        headers += granted
    return structs.replace(response, headers=[*headers, ("vary", "Origin")])


def _origin_headers(cors: Cors, request: HttpRequest) -> list[tuple[str, str]]:
    """Empty when the origin may not."""
    origin = request.header("origin") or ""
    if not _matches(origin, cors.allow_origins):
        return []
    any_origin = "*" in (cors.allow_origins or ()) and not cors.allow_credentials
    headers = [("access-control-allow-origin", "*" if any_origin else origin)]
    if cors.allow_credentials:
        headers.append(("access-control-allow-credentials", "true"))
    return headers


def _matches(value: str, allowed: Sequence[str] | None) -> bool:
    return any(entry in ("*", value) for entry in allowed or ())


def _granted(allowed: Sequence[str] | None, asked: str) -> str:
    """What was asked for where everything is allowed: `*` means nothing on a request with credentials."""
    return asked if "*" in (allowed or ()) else ", ".join(allowed or ())
