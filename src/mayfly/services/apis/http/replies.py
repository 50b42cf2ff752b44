"""From what a function returned to the response of an HTTP API. Pure.

In format 2.0 an object with a `statusCode` describes the response, and any other JSON is the body of one; format 1.0
must describe it. What makes no response is the function's failure.
"""

from collections.abc import Mapping
from typing import Any, Final

from mayfly.services.contract import HttpResponse
from mayfly.services.described_replies import (
    OURS,
    BadReplyError,
    body_of,
    cookies_of,
    header_name,
    header_value,
    headers_of,
    parsed,
    status_of,
)

_JSON: Final = ("content-type", "application/json")
_TEXT: Final = ("content-type", "text/plain; charset=utf-8")


def format_2(payload: bytes) -> HttpResponse:
    """The response that a reply in format 2.0 stands for; `BadReplyError`."""
    value = parsed(payload) if payload else None
    if isinstance(value, dict) and "statusCode" in value:
        return _described(value, several=False)
    text = value.encode("utf-8", "replace") if isinstance(value, str) else payload
    return HttpResponse(200, [_JSON], text)


def format_1(payload: bytes) -> HttpResponse:
    """The response that a reply in format 1.0 describes; `BadReplyError`."""
    value = parsed(payload) if payload else None
    if not isinstance(value, dict) or "statusCode" not in value:
        raise BadReplyError("the reply has no statusCode")
    return _described(value, several=True)


def _described(value: Mapping[str, Any], *, several: bool) -> HttpResponse:
    """`several`: the format has headers with several values; the other one has cookies."""
    given = value.get("headers")
    headers = headers_of(given) if given else []
    if several:
        headers = _with_lists(headers, value.get("multiValueHeaders"))
    elif (cookies := value.get("cookies")) is not None:
        headers += [("set-cookie", header_value("set-cookie", cookie)) for cookie in cookies_of(cookies)]
    if "content-type" not in [name for name, _ in headers]:
        headers.append(_TEXT)
    return HttpResponse(status_of(value["statusCode"], fractions=True), headers, body_of(value))


def _with_lists(headers: list[tuple[str, str]], given: Any) -> list[tuple[str, str]]:
    """Headers after those with several values, which come in place of those of the same name."""
    if given is None:
        return headers
    if not isinstance(given, dict) or not all(isinstance(values, list) for values in given.values()):
        raise BadReplyError("multiValueHeaders is not an object of lists")
    lists = {header_name(name): [header_value(name, value) for value in values] for name, values in given.items()}
    kept = [header for header in headers if header[0] not in lists]
    # A value that stands in both is sent once.
    return kept + [(name, value) for name, values in lists.items() if name not in OURS for value in values]
