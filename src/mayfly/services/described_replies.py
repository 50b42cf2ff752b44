"""Responses as functions describe them in JSON: the members that function URLs and APIs read alike. Pure."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mayfly.errors import FunctionFailedError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# The server's own business, between it and the client.
OURS: Final = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


class BadReplyError(FunctionFailedError):
    """The function returned something that cannot be made a response of."""


def parsed(payload: bytes) -> Any:
    """What a reply says, by the standard library where it is the more tolerant (NaN, halves of surrogates);
    `BadReplyError`."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadReplyError("the reply is not JSON, or nested too deeply") from error


def status_of(given: Any, *, fractions: bool = False) -> int:
    """The status code; `BadReplyError`. `fractions`: numbers that are no integers are cut to one."""
    if type(given) is int and 200 <= given <= 599:
        return given
    try:
        taken = (int, str, float) if fractions else (int, str)
        status = int(given) if isinstance(given, taken) and not isinstance(given, bool) else 0
    except (ValueError, OverflowError):
        status = 0
    if not 200 <= status <= 599:
        raise BadReplyError(f"{given!r} is not a status code from 200 to 599")
    return status


def headers_of(given: Any) -> list[tuple[str, str]]:
    """Headers by their names in lower case, without those that are the server's own; `BadReplyError`."""
    if not isinstance(given, dict):
        raise BadReplyError("headers is not an object")
    found = []
    for name, value in given.items():
        lower = header_name(name)
        if lower not in OURS and value is not None:
            found.append((lower, header_value(name, value)))
    return found


def header_name(name: str) -> str:
    """In lower case; `BadReplyError`."""
    if not _TOKEN.fullmatch(name):
        raise BadReplyError(f"{name!r} is not the name of a header")
    return name.lower()


def header_value(name: str, value: Any) -> str:
    """As text; `BadReplyError`."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, (str, int, float)) else None
    if text is None or _BAD_VALUE.search(text):
        raise BadReplyError(f"the header {name} has a value that cannot be sent")
    return text


def cookies_of(given: Any) -> Sequence[str]:
    """Values of Set-Cookie; `BadReplyError`."""
    if not isinstance(given, list) or not all(isinstance(cookie, str) for cookie in given):
        raise BadReplyError("cookies is not a list of strings")
    return given


def body_of(value: Mapping[str, Any]) -> bytes:
    """The body that a description has; `BadReplyError`."""
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
