"""From what a function returned to an HTTP response: payload format 2.0. Pure.

An object with a `statusCode` describes the response. Anything else is the body: text as it is, other JSON as JSON.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from mayfly.services.contract import HttpResponse, Tunnel
from mayfly.services.described_replies import (
    BadReplyError,
    body_of,
    cookies_of,
    header_value,
    headers_of,
    parsed,
    status_of,
)

_JSON = ("content-type", "application/json")
BYTES = "application/octet-stream"  # what a streamed answer is unless it says


def interpret(payload: bytes) -> HttpResponse:
    """The response that a function's reply stands for; `BadReplyError`."""
    value = parsed(payload) if payload else None
    if isinstance(value, dict) and "statusCode" in value:
        return _described(value)
    body = value.encode("utf-8", "replace") if isinstance(value, str) else payload
    return HttpResponse(200, [_JSON], body)


def prelude(text: bytes, tunnel: Tunnel | None = None) -> HttpResponse:
    """Status and headers that a streamed answer begins with, the body to follow; `BadReplyError`.

    `tunnel`: the client asked for another protocol, and gets it with the status 101.
    """
    value = parsed(text) if text else {}
    if not isinstance(value, dict):
        raise BadReplyError("the prelude is not an object")
    described = {key: item for key, item in value.items() if key != "body"}
    if tunnel is not None and described.get("statusCode") == HTTPStatus.SWITCHING_PROTOCOLS:
        headers = [("upgrade", "websocket"), *headers_of(described.get("headers") or {})]
        return HttpResponse(101, headers, tunnel=tunnel)
    return _described({"statusCode": 200} | described, BYTES)


def _described(value: Mapping[str, Any], unless_typed: str = "application/json") -> HttpResponse:
    given, cookies = value.get("headers"), value.get("cookies")
    headers = headers_of(given) if given else []
    if "content-type" not in [name for name, _ in headers]:
        headers.append(("content-type", unless_typed))
    if cookies is not None:
        headers += [("set-cookie", header_value("set-cookie", cookie)) for cookie in cookies_of(cookies)]
    return HttpResponse(status_of(value["statusCode"]), headers, body_of(value))
