"""From what a function returned to an HTTP response: payload format 2.0. Pure.

An object with a `statusCode` describes the response. Anything else is the body: text as it is, other JSON as JSON.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from mayfly.errors import FunctionFailedError
from mayfly.services.contract import HttpResponse, Tunnel

_JSON = ("content-type", "application/json")
BYTES = "application/octet-stream"  # what a streamed answer is unless it says
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# The server's own business, between it and the client.
_OURS = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


class BadReplyError(FunctionFailedError):
    """The function returned something that cannot be made a response of."""


def interpret(payload: bytes) -> HttpResponse:
    """The response that a function's reply stands for; `BadReplyError`."""
    value = _parsed(payload) if payload else None
    if isinstance(value, dict) and "statusCode" in value:
        return _described(value)
    body = value.encode("utf-8", "replace") if isinstance(value, str) else payload
    return HttpResponse(200, [_JSON], body)


def prelude(text: bytes, tunnel: Tunnel | None = None) -> HttpResponse:
    """Status and headers that a streamed answer begins with, the body to follow; `BadReplyError`.

    `tunnel`: the client asked for another protocol, and gets it with the status 101.
    """
    value = _parsed(text) if text else {}
    if not isinstance(value, dict):
        raise BadReplyError("the prelude is not an object")
    described = {key: item for key, item in value.items() if key != "body"}
    if tunnel is not None and described.get("statusCode") == HTTPStatus.SWITCHING_PROTOCOLS:
        headers = [("upgrade", "websocket"), *_headers(described.get("headers") or {})]
        return HttpResponse(101, headers, tunnel=tunnel)
    return _described({"statusCode": 200} | described, BYTES)


def _parsed(payload: bytes) -> Any:
    """What a reply says, by the standard library where it is the more tolerant (NaN, halves of surrogates)."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadReplyError("the reply is not JSON, or nested too deeply") from error


def _described(value: Mapping[str, Any], unless_typed: str = "application/json") -> HttpResponse:
    given, cookies = value.get("headers"), value.get("cookies")
    headers = _headers(given) if given else []
    if "content-type" not in [name for name, _ in headers]:
        headers.append(("content-type", unless_typed))
    if cookies is not None:
        headers += [("set-cookie", _header_value("set-cookie", cookie)) for cookie in _cookies(cookies)]
    return HttpResponse(_status(value["statusCode"]), headers, _body(value))


def _status(given: Any) -> int:
    if type(given) is int and 200 <= given <= 599:
        return given
    try:
        status = int(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else 0
    except ValueError:
        status = 0
    if not 200 <= status <= 599:
        raise BadReplyError(f"{given!r} is not a status code from 200 to 599")
    return status


def _headers(given: Any) -> list[tuple[str, str]]:
    if not isinstance(given, dict):
        raise BadReplyError("headers is not an object")
    found = []
    for name, value in given.items():
        if not _TOKEN.fullmatch(name):
            raise BadReplyError(f"{name!r} is not the name of a header")
        if name.lower() not in _OURS and value is not None:
            found.append((name.lower(), _header_value(name, value)))
    return found


def _header_value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, (str, int, float)) else None
    if text is None or _BAD_VALUE.search(text):
        raise BadReplyError(f"the header {name} has a value that cannot be sent")
    return text


def _cookies(given: Any) -> Sequence[str]:
    if not isinstance(given, list) or not all(isinstance(cookie, str) for cookie in given):
        raise BadReplyError("cookies is not a list of strings")
    return given


def _body(value: Mapping[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadReplyError("body is not a string")
    if value.get("isBase64Encoded") is not True:
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:
        raise BadReplyError("isBase64Encoded is true and body is not base64") from error
