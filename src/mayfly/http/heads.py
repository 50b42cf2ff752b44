"""The heads of replies as they go over the wire. Pure."""

import http
from collections.abc import Sequence
from types import MappingProxyType
from xml.sax.saxutils import escape

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_REASONS = MappingProxyType({status.value: status.phrase for status in http.HTTPStatus})


class BadHeadError(ValueError):
    """A header that cannot be sent: with a line end it would be two."""


def status_line(status: int) -> str:
    """`HTTP/1.1 200 OK`, without its line end."""
    return f"HTTP/1.1 {status} {_REASONS.get(status, '')}"


def head(first: str, headers: Sequence[tuple[str, str]], last: str) -> bytes:
    """A whole head: `first` and `last` are lines with their ends; `BadHeadError`."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    text = f"{first}{lines}{last}\r\n"
    ends = len(headers)
    if lines.count("\n") != ends or lines.count("\r") != ends or "\0" in lines:
        raise BadHeadError(f"a header has a control character in it: {headers!r}")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadHeadError(f"a header cannot be sent as Latin-1: {headers!r}") from error


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of a body of unknown length."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def refusal(status: int, code: str, message: str) -> bytes:
    """A whole reply, after which the connection closes; its body is one that AWS's SDKs can read."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    content = body.encode()
    headers = [
        ("content-type", "application/xml"),
        ("content-length", str(len(content))),
        ("connection", "close"),
    ]
    return head(f"{status_line(status)}\r\n", headers, "") + content
