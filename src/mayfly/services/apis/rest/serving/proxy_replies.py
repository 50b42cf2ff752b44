"""From what a function of a Lambda proxy integration returned to the response. Pure.

Stricter than function URLs: an object with `statusCode`, `headers`, `multiValueHeaders`, `body` and `isBase64Encoded`,
of which one at least is there, and nothing else.
"""

import base64
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from mayfly.services.apis.rest.serving.header_values import CONTROL, sendable
from mayfly.services.apis.rest.serving.proxy_events import is_binary
from mayfly.services.apis.rest.serving.refusals import RefusedError, internal
from mayfly.services.contract import HttpResponse

_MEMBERS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
_PRELUDE = {"statusCode", "headers", "multiValueHeaders", "cookies"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
# What API Gateway gives another name, because it has one of that name itself.
REMAPPED = frozenset(
    {
        "authorization",
        "date",
        "host",
        "server",
        "user-agent",
        "www-authenticate",
        "content-md5",
        "expect",
        "max-forwards",
        "via",
    }
)


def interpret(payload: bytes, binary_types: list[str] | None, accept: str | None) -> HttpResponse:
    """The response; `RefusedError` for what is none."""
    try:
        value = msgspec.json.decode(payload) if payload else None
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict) or not value or not set(value) <= _MEMBERS:
        raise malformed()
    headers = _headers(value)
    if "content-type" not in [name for name, _ in headers]:
        headers.append(("content-type", "application/json"))
    return HttpResponse(_status(value.get("statusCode")), headers, _body(value, binary_types, accept))


def prelude(text: bytes) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers of an answer whose body follows in parts; `RefusedError`."""
    try:
        value = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict) or not set(value) <= _PRELUDE:
        raise malformed()
    cookies = value.get("cookies") or []
    if not isinstance(cookies, list):
        raise malformed()
    headers = [*_headers(value), *(_header("set-cookie", cookie) for cookie in cookies)]
    if "content-type" not in [name for name, _ in headers]:
        headers.append(("content-type", "application/json"))
    return _status(value.get("statusCode")), headers


def malformed() -> RefusedError:
    return internal("Malformed Lambda proxy response", status=502)


def _status(given: Any) -> int:
    if given is None:
        return 200
    try:
        status = int(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else 0
    except ValueError:
        status = 0
    if not 100 <= status <= 599:
        raise malformed()
    return status


def _headers(value: dict[str, Any]) -> list[tuple[str, str]]:
    many, single = value.get("multiValueHeaders"), value.get("headers")
    found: list[tuple[str, str]] = []
    if many is not None:
        if not isinstance(many, dict):
            raise malformed()
        for name, values in many.items():
            if not isinstance(values, list):
                raise malformed()
            found += [_header(name, one) for one in values]
    if single is not None:
        if not isinstance(single, dict):
            raise malformed()
        for name, one in single.items():
            header = _header(name, one)
            if header not in found:
                found.append(header)
    return [_remapped(name, said) for name, said in found if name not in _OURS]


def _remapped(name: str, value: str) -> tuple[str, str]:
    return (f"x-amzn-remapped-{name}" if name in REMAPPED else name, value)


def _header(name: str, value: Any) -> tuple[str, str]:
    if value is None:
        value = ""
    said = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, (dict, list)) or CONTROL.search(said):
        raise malformed()
    return header_name(name), sendable(said)


def header_name(name: str) -> str:
    """In lower case; `RefusedError`."""
    if not _TOKEN.fullmatch(name):
        raise malformed()
    return name.lower()


def _body(value: dict[str, Any], binary_types: list[str] | None, accept: str | None) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if isinstance(body, (dict, list)):
        raise malformed()
    said = str(body).lower() if isinstance(body, bool) else str(body)
    wanted = (accept or "").partition(",")[0]
    if value.get("isBase64Encoded") in (True, "true") and is_binary(binary_types, wanted or "*/*"):
        try:
            return base64.b64decode(said, validate=True)
        except ValueError:
            raise internal("The body of the response is not base64", "API_CONFIGURATION_ERROR") from None
    return said.encode("utf-8", "replace")


def passed(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers of an endpoint's answer, passed back: those that API Gateway has itself under another name."""
    return [_remapped(name.lower(), value) for name, value in headers if name.lower() not in _OURS]
