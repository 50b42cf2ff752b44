"""Buckets in a browser: preflight requests answered, and replies marked, by the bucket's own cross-origin rules.

Stands before the gateway. A preflight is not signed and no operation of S3's model, so it ends here; any other request
with an `Origin` goes on to the gateway, and its reply gets headers when a rule of the bucket allows it. Function URLs
have their own rules and do not come by here.
"""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import unquote
from xml.sax.saxutils import escape

from msgspec.structs import replace

from mayfly.http.api import Answer
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.services.objects.cors import CorsAnswer, CorsRule, match
from mayfly.wire.routing import bucket_of_host

Rules = Callable[[str], Awaitable[Sequence[CorsRule]]]

_VARY = ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")


class CrossOrigin:
    """Wraps the gateway's `handle`."""

    def __init__(self, gateway: Answer, rules: Rules) -> None:
        self._gateway = gateway
        self._rules = rules

    def handle(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """The reply to `request`."""
        origin = request.header("origin")
        return self._gateway(request) if origin is None else self._cross(request, origin)

    async def _cross(self, request: HttpRequest, origin: str) -> HttpResponse:
        if request.method == "OPTIONS":
            return await self._preflight(request, origin)
        response = await self._gateway(request)
        if not any(name.lower() == "x-amz-id-2" for name, _ in response.headers):
            return response  # the reply of another service than S3
        answer = match(await self._rules(_bucket(request)), origin, request.method)
        return response if answer is None else replace(response, headers=[*response.headers, *_headers(answer)])

    async def _preflight(self, request: HttpRequest, origin: str) -> HttpResponse:
        method = request.header("access-control-request-method")
        if method is None:
            return _refusal(400, "BadRequest", "Insufficient information. Origin request header needed.")
        asked = [name.strip() for name in (request.header("access-control-request-headers") or "").split(",")]
        rules = await self._rules(_bucket(request))
        if not rules:
            return _refusal(403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
        answer = match(rules, origin, method, [name for name in asked if name])
        if answer is None:
            text = (
                "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, "
                "request method / Access-Control-Request-Method or Access-Control-Request-Headers are not allowed "
                "by the resource's CORS spec."
            )
            return _refusal(403, "AccessForbidden", text)
        headers = _headers(answer)
        if answer.allow_headers:
            headers.append(("access-control-allow-headers", ", ".join(answer.allow_headers)))
        if answer.max_age_s is not None:
            headers.append(("access-control-max-age", str(answer.max_age_s)))
        return HttpResponse(200, headers)


def _bucket(request: HttpRequest) -> str:
    return bucket_of_host(request.host) or unquote(request.path.lstrip("/").partition("/")[0])


def _headers(answer: CorsAnswer) -> list[tuple[str, str]]:
    headers = [
        ("access-control-allow-origin", answer.allow_origin),
        ("access-control-allow-methods", ", ".join(answer.allow_methods)),
        _VARY,
    ]
    if answer.allow_credentials:
        headers.append(("access-control-allow-credentials", "true"))
    if answer.exposed:
        headers.append(("access-control-expose-headers", ", ".join(answer.exposed)))
    return headers


def _refusal(status: int, code: str, message: str) -> HttpResponse:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return HttpResponse(status, [("content-type", "application/xml")], body.encode())
