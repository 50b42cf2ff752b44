"""Parameter mapping of HTTP APIs: what is changed of requests before they reach an integration, and of its responses.

Pure. Keys say where and how (`append:header.name`, `overwrite:path`), values what: text with selections in it,
`$request.header.name` alone or `${request.header.name}` among other characters (API Gateway Developer Guide, "Transform
API requests and responses for HTTP APIs").
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

Operation = Literal["append", "overwrite", "remove"]
Resolve = Callable[[str], str | None]  # from "request.header.name" to its value

_REQUEST_KEY = re.compile(r"(append|overwrite|remove):(header|querystring)\.(\S+)|(overwrite):(path)()")
_RESPONSE_KEY = re.compile(r"(append|overwrite|remove):(header)\.(\S+)|(overwrite):(statuscode)()")
_BRACED = re.compile(r"\$\{([^{}]+)\}")
_BARE = re.compile(r"\$([a-zA-Z][^\s{}]*)")
# Headers that no mapping may touch.
RESERVED: Final = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
        "apigw-requestid",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-location",
        "forwarded",
        "keep-alive",
        "origin",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)
_RESERVED_PREFIXES = ("x-amz-", "x-amzn-", "x-apigateway-", "x-forwarded-")


class Change(NamedTuple):
    """One mapping."""

    operation: Operation
    where: str  # "header", "querystring", "path", "statuscode"
    name: str  # of a header (lower case) or of a parameter of the query
    value: str


def check_request(mappings: Mapping[str, str]) -> None:
    """ValueError, with API Gateway's words, unless these are mappings of requests."""
    for key, value in mappings.items():
        change(key, value, _REQUEST_KEY)


def check_responses(mappings: Mapping[str, Mapping[str, str]]) -> None:
    """ValueError unless these are mappings of responses by status code."""
    for status, changes in mappings.items():
        if not re.fullmatch(r"[2-5]\d\d", status):
            raise ValueError(f"Invalid status code {status} specified: it must be between 200 and 599")
        for key, value in changes.items():
            change(key, value, _RESPONSE_KEY)


def request_changes(mappings: Mapping[str, str]) -> tuple[Change, ...]:
    """The mappings of requests, which were checked."""
    return tuple(change(key, value, _REQUEST_KEY) for key, value in mappings.items())


def response_changes(mappings: Mapping[str, Mapping[str, str]]) -> dict[int, tuple[Change, ...]]:
    """The mappings of responses, which were checked, by status."""
    return {
        int(status): tuple(change(key, value, _RESPONSE_KEY) for key, value in changes.items())
        for status, changes in mappings.items()
    }


def change(key: str, value: str, pattern: re.Pattern[str]) -> Change:
    """One mapping; ValueError."""
    found = pattern.fullmatch(key)
    if found is None:
        raise ValueError(f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{key}]")
    operation, where, name = (found[1], found[2], found[3]) if found[1] else (found[4], found[5], "")
    if where == "header":
        name = name.lower()
        if name in RESERVED or name.startswith(_RESERVED_PREFIXES):
            raise ValueError(f"Operations on header {name} are restricted")
    if operation != "remove" and not value:
        raise ValueError(f"Invalid mapping expression specified: {key} has no value")
    return Change(
        "remove" if operation == "remove" else "append" if operation == "append" else "overwrite", where, name, value
    )


def render(text: str, resolve: Resolve) -> str:
    """A value with its selections filled in; what there is no value for is empty."""
    bare = _BARE.fullmatch(text)
    if bare is not None:
        return resolve(bare[1]) or ""
    if "${" not in text:
        return text
    return _BRACED.sub(lambda found: resolve(found[1]) or "", text)


def change_headers(
    headers: list[tuple[str, str]], changes: tuple[Change, ...], resolve: Resolve
) -> list[tuple[str, str]]:
    """Headers after their mappings; names in lower case."""
    for operation, where, name, value in changes:
        if where != "header":
            continue
        if operation != "append":
            headers = [header for header in headers if header[0] != name]
        if operation != "remove" and (said := render(value, resolve)):
            headers = [*headers, (name, said)]
    return headers
