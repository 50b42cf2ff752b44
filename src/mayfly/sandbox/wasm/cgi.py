"""Requests as CGI programs see them (RFC 3875), from events of payload format 2.0 and back. Pure.

An event is a request if it is an object with `version` "2.0" and `requestContext.http.method`: those of function URLs
and HTTP APIs are. What the program writes is turned into the object that a function would answer with.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from mayfly.sandbox.wasm.faults import OUTPUT, Fault

_MARK = b'"requestContext"'
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS = re.compile(r"([2-5]\d\d)(?: .*)?")
# Not in variables: the first two have variables of their own; the third would be taken for a proxy's address by the
# program's HTTP library ("httpoxy").
_LEFT_OUT = frozenset({"content-type", "content-length", "proxy"})


class Request(NamedTuple):
    """What the program gets."""

    variables: dict[str, str]
    body: bytes


def request_of(payload: bytes) -> Request | None:
    """The request that an event is; None when it is something else."""
    if _MARK not in payload:
        return None
    try:
        event = json.loads(payload)
    except ValueError:
        return None
    context = event.get("requestContext") if isinstance(event, dict) else None
    http = context.get("http") if isinstance(context, dict) else None
    if (
        not isinstance(context, dict)
        or not isinstance(http, dict)
        or event.get("version") != "2.0"
        or not isinstance(http.get("method"), str)
    ):
        return None
    body = _body(event)
    return Request(_variables(event, context, http, len(body)), body)


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body")
    if not isinstance(text, str):
        return b""
    if event.get("isBase64Encoded") is True:
        try:
            return base64.b64decode(text)
        except ValueError:
            return b""
    return text.encode("utf-8", "surrogatepass")


def _variables(
    event: Mapping[str, Any], context: Mapping[str, Any], http: Mapping[str, Any], length: int
) -> dict[str, str]:
    given = event.get("headers")
    headers = {name.lower(): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    cookies = event.get("cookies")
    if isinstance(cookies, list):
        headers["cookie"] = "; ".join(map(str, cookies))
    host, _, port = headers.get("host", str(context.get("domainName", ""))).partition(":")
    secure = headers.get("x-forwarded-proto", "https") == "https"
    path, address = str(event.get("rawPath") or "/"), str(http.get("sourceIp", ""))
    variables = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items() if _passes(name)}
    variables |= {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "PATH_INFO": unquote(path),
        "QUERY_STRING": str(event.get("rawQueryString") or ""),
        "REMOTE_ADDR": address,
        "REMOTE_HOST": address,
        "REQUEST_METHOD": str(http["method"]),
        "REQUEST_URI": path + (f"?{event['rawQueryString']}" if event.get("rawQueryString") else ""),
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if secure else "80"),
        "SERVER_PROTOCOL": str(http.get("protocol", "HTTP/1.1")),
        "SERVER_SOFTWARE": "Mayfly",
    }
    if secure:
        variables["HTTPS"] = "on"
    if length:
        variables["CONTENT_LENGTH"] = str(length)
    if "content-type" in headers:
        variables["CONTENT_TYPE"] = headers["content-type"]
    return variables


def _passes(name: str) -> bool:
    return name not in _LEFT_OUT and _NAME.fullmatch(name) is not None


def response_of(output: bytes) -> bytes:
    """The answer, as JSON, to what a program wrote: headers, an empty line, the body. `Fault`."""
    end = _END_OF_HEAD.search(output)
    if end is None:
        raise Fault(OUTPUT, "the program wrote no headers that end in an empty line, as CGI wants them")
    status = 200
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in _fields(output[: end.start()]):
        if name == "status":
            status = _status(value)
        elif name == "set-cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if "location" in headers and not any(name == "status" for name, _ in _fields(output[: end.start()])):
        status = 302
    body = output[end.end() :]
    if "content-type" not in headers and body:
        raise Fault(OUTPUT, "the program wrote a body without the header Content-Type")
    answer: dict[str, Any] = {"statusCode": status, "headers": headers, "isBase64Encoded": False}
    if cookies:
        answer["cookies"] = cookies
    try:
        answer["body"] = body.decode()
    except UnicodeDecodeError:
        answer["body"], answer["isBase64Encoded"] = base64.b64encode(body).decode(), True
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _fields(head: bytes) -> list[tuple[str, str]]:
    found = []
    for line in head.decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise Fault(OUTPUT, f"the program wrote {line[:100]!r} where CGI wants a header")
        found.append((name.lower(), value.strip()))
    return found


def _status(value: str) -> int:
    match = _STATUS.fullmatch(value)
    if match is None:
        raise Fault(OUTPUT, f"the program wrote the status {value[:100]!r}, which is none from 200 to 599")
    return int(match[1])
