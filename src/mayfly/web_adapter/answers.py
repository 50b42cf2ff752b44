"""From a web server's answer to the result of a call. Pure.

Where the caller reads results as they come, status and headers go ahead of the body as a prelude; where it wants the
whole, the result is an object in the shape that belongs to the event's.
"""

import base64
from dataclasses import dataclass
from typing import Any

import msgspec

from mayfly.web_adapter.events import HOP_BY_HOP, Headers, Shape

INTEGRATION = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = bytes(8)
_TEXT = ("text/", "application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded")
_TEXT_SUFFIXES = ("+json", "+xml")


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Names of headers are in lower case; those of the connection to the server are not among them."""

    status: int
    headers: Headers

    def get(self, name: str) -> str:
        """The first value of a header; empty where there is none."""
        return next((value for key, value in self.headers if key == name), "")


def head_of(status: int, headers: Headers) -> AnswerHead:
    """What is passed on of the head of an answer."""
    return AnswerHead(status, [(name.lower(), value) for name, value in headers if name.lower() not in HOP_BY_HOP])


def prelude(head: AnswerHead) -> bytes:
    """What goes ahead of the body."""
    return msgspec.json.encode({"statusCode": head.status, **_joined(head)}) + PRELUDE_END


def result_of(shape: Shape, head: AnswerHead, body: bytes) -> bytes:
    """The whole as one result."""
    if shape == "other":
        return _as_json(body)
    text = _text(head, body)
    described: dict[str, Any] = {"statusCode": head.status}
    if shape == "2.0":
        described |= _joined(head)
    else:
        described |= {"headers": dict(head.headers), "multiValueHeaders": _grouped(head)}
    described["body"] = text if text is not None else base64.b64encode(body).decode()
    described["isBase64Encoded"] = text is None
    return msgspec.json.encode(described)


def compressible(head: AnswerHead) -> bool:
    """Whether compressing the body may be worth it, and is not done."""
    return not head.get("content-encoding") and _is_text(head)


def failure_of(error_type: str, message: str) -> bytes:
    """The error object of a call that got no answer, or one that counts as none."""
    return msgspec.json.encode({"errorType": error_type, "errorMessage": message})


def _joined(head: AnswerHead) -> dict[str, Any]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in head.headers:
        if name == "set-cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return {"headers": headers, "cookies": cookies} if cookies else {"headers": headers}


def _grouped(head: AnswerHead) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in head.headers:
        grouped.setdefault(name, []).append(value)
    return grouped


def _as_json(body: bytes) -> bytes:
    """The body where it is JSON; else its text as JSON."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(body.decode("utf-8", "replace"))
    return body


def _text(head: AnswerHead, body: bytes) -> str | None:
    """The body as text; None where that is not what it is."""
    if not body:
        return ""
    if head.get("content-encoding") or not _is_text(head):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _is_text(head: AnswerHead) -> bool:
    kind = head.get("content-type").partition(";")[0].strip().lower()
    return kind.startswith(_TEXT) or kind.endswith(_TEXT_SUFFIXES)
