"""From the event of a call to the request that it stands for. Pure.

Three shapes of events are requests: payload format 2.0 (function URLs, HTTP APIs), format 1.0 (REST APIs), and that of
load balancers. All others are posted as they are, to a path that the settings name.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote, quote_plus

import msgspec

from mayfly.web_adapter.settings import WebSettings

Shape = Literal["2.0", "1.0", "balancer", "other"]
Headers = list[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHOD = re.compile(r"[A-Za-z]{1,20}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NO_TARGET = re.compile(r"[\x00-\x20\x7f]")
# What is between the server and whoever sent the request; the way from here to the program has its own.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_PATH_SAFE = "/:@!$&'()*+,;=~-._%"


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What to send. Names of headers are as they came, values hold no line ends."""

    shape: Shape  # of the event, which the result has, too
    method: str
    target: str  # path and query, percent-encoded
    headers: Headers
    body: bytes

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice is as good as once."""
        return self.method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")

    def tunnelled(self, protocol: str) -> "WebRequest":
        """The same, asking for another protocol."""
        return replace(self, headers=[*self.headers, ("connection", "upgrade"), ("upgrade", protocol)])

    def accepts_gzip(self) -> bool:
        """Whether its sender understands compressed answers."""
        return any(name.lower() == "accept-encoding" and "gzip" in value.lower() for name, value in self.headers)


class BadEventError(ValueError):
    """An event has the shape of a request and cannot be one."""


def request_of(payload: bytes, settings: WebSettings, context: Mapping[str, Any]) -> WebRequest:
    """The request of an event; `context` is what the program is told of the call. `BadEventError`."""
    event = _parsed(payload)
    asked = event.get("requestContext") if isinstance(event, dict) else None
    own = [("x-amzn-lambda-context", _line(msgspec.json.encode(context).decode()))]
    if isinstance(asked, dict):
        own.append(("x-amzn-request-context", _line(msgspec.json.encode(asked).decode())))
        if isinstance(asked.get("http"), dict):
            return _format_2(event, asked["http"], settings, own)
        if isinstance(event.get("httpMethod"), str):
            return _format_1(event, "balancer" if "elb" in asked else "1.0", settings, own)
    headers = [("host", f"127.0.0.1:{settings.port}"), ("content-type", "application/json"), *own]
    return WebRequest("other", "POST", settings.events_path, headers, payload)


def _parsed(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return None


def _format_2(event: Mapping[str, Any], http: Mapping[str, Any], settings: WebSettings, own: Headers) -> WebRequest:
    headers = list(_pairs(event.get("headers")))
    cookies = event.get("cookies")
    if isinstance(cookies, list) and cookies:
        headers.append(("cookie", "; ".join(_line(cookie) for cookie in cookies if isinstance(cookie, str))))
    query = event.get("rawQueryString") or ""
    path = quote(str(event.get("rawPath") or "/"), safe=_PATH_SAFE)  # HTTP APIs decode it, function URLs do not
    return _request("2.0", http.get("method"), path, str(query), [*headers, *own], event, settings)


def _format_1(event: Mapping[str, Any], shape: Shape, settings: WebSettings, own: Headers) -> WebRequest:
    headers = list(_pairs(event.get("multiValueHeaders") or event.get("headers")))
    several = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    # Load balancers pass on what they got; REST APIs decode.
    encode = str if shape == "balancer" else quote_plus
    query = "&".join(f"{encode(name)}={encode(value)}" for name, value in _items(several))
    path = quote(str(event.get("path") or "/"), safe=_PATH_SAFE)
    return _request(shape, event["httpMethod"], path, query, [*headers, *own], event, settings)


def _request(
    shape: Shape,
    method: Any,
    path: str,
    query: str,
    headers: Headers,
    event: Mapping[str, Any],
    settings: WebSettings,
) -> WebRequest:
    if not isinstance(method, str) or _METHOD.fullmatch(method) is None:
        raise BadEventError(f"{method!r} is no method")
    if settings.base_path and (path == settings.base_path or path.startswith(settings.base_path + "/")):
        path = path[len(settings.base_path) :]
    target = (path if path.startswith("/") else f"/{path}") + (f"?{query}" if query else "")
    if not target.isascii() or _NO_TARGET.search(target):
        raise BadEventError(f"{target[:100]!r} is no path of a request")
    if settings.authorization:
        headers = _authorized(headers, settings.authorization)
    if not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ("host", f"127.0.0.1:{settings.port}"))
    return WebRequest(shape, method.upper(), target, headers, _body(event))


def _authorized(headers: Headers, source: str) -> Headers:
    """With the header `source` as `authorization`, where it is there."""
    given = [value for name, value in headers if name.lower() == source]
    if not given:
        return headers
    kept = [(name, value) for name, value in headers if name.lower() not in (source, "authorization")]
    return [*kept, ("authorization", given[0])]


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if not isinstance(body, str):
        return b""
    if event.get("isBase64Encoded") is not True:
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise BadEventError("isBase64Encoded is true and body is not base64") from error


def _pairs(given: Any) -> Iterator[tuple[str, str]]:
    """Headers that may be sent on."""
    for name, value in _items(given):
        if _TOKEN.fullmatch(name) and name.lower() not in HOP_BY_HOP:
            yield name, _line(value)


def _items(given: Any) -> Iterator[tuple[str, str]]:
    """Names and values of an object whose values are one text or several."""
    if isinstance(given, dict):
        for name, value in given.items():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, (str, int, float)):
                    yield name, str(each)


def _line(value: str) -> str:
    return _CONTROL.sub(" ", value)
