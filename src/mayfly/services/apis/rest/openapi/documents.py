"""From bytes to an OpenAPI document: JSON, or YAML as plain values. Pure; `ServiceError`.

YAML is built without tags, dates and merges of anybody else's making, and a document that grows when its aliases are
written out (a bomb) is refused before anything walks through it.
"""

import json
from typing import Any

import yaml

from mayfly.services.apis.rest import faults

MOST_BYTES = 6 * 1024 * 1024
_MOST_NODES = 500_000
_MOST_DEPTH = 200
_SHOWN = 60  # bytes of what is no document


class _Loader(yaml.SafeLoader):
    """Without dates: a version like 2015-07-09 is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(body: bytes, what: str = "Invalid OpenAPI input.") -> dict[str, Any]:
    """The document, all of its keys texts. `what`: said where it is none."""
    if not body.strip():
        raise faults.bad_request(f"{what} The body is empty.")
    if len(body) > MOST_BYTES:
        raise faults.bad_request(f"The document is larger than {MOST_BYTES} bytes.")
    try:
        found = _loaded(body)
        _check_size(found)
    except yaml.MarkedYAMLError as error:
        raise faults.bad_request(what + _where(error)) from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise faults.bad_request(f"{what} {said_of(body)}") from error
    if not isinstance(found, dict):
        raise faults.bad_request(f"{what} {said_of(body)}")
    plain: dict[str, Any] = _plain(found)
    return plain


def said_of(body: bytes) -> str:
    """What came instead of a document, and what to write; what follows an error's own words."""
    begin = ascii(body[:_SHOWN].decode("utf-8", "replace"))
    more = "" if len(body) <= _SHOWN else " …"
    return (
        f"The body is {len(body)} bytes that are no object of JSON or YAML: {begin}{more}. "
        "The AWS CLI sends a file's content where it is told so: --body fileb://openapi.yaml"
    )


def _loaded(body: bytes) -> Any:
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return json.loads(body)
        except ValueError:
            pass  # it may be YAML all the same
    return yaml.load(body, _Loader)  # noqa: S506 - a safe loader, less the dates


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return "" if mark is None else f" Line {mark.line + 1}, column {mark.column + 1}: {error.problem}."


def _check_size(value: Any) -> None:
    """ValueError for what is too large when it is written out."""
    sizes: dict[int, int] = {}

    def size(one: Any, depth: int) -> int:
        if not isinstance(one, (dict, list)):
            return 1
        if depth > _MOST_DEPTH or sizes.get(id(one)) == -1:
            raise ValueError("nested too deeply")
        if id(one) not in sizes:
            sizes[id(one)] = -1  # it is being counted: who meets it now is inside of it
            inner = one.values() if isinstance(one, dict) else one
            sizes[id(one)] = 1 + sum(size(item, depth + 1) for item in inner)
            if sizes[id(one)] > _MOST_NODES:
                raise ValueError("too large")
        return sizes[id(one)]

    size(value, 0)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return str(key)


def is_openapi_3(document: dict[str, Any]) -> bool:
    """Whether it is one of version 3; False: of version 2; `ServiceError` for anything else."""
    if str(document.get("openapi", "")).startswith("3."):
        return True
    if str(document.get("swagger", "")) == "2.0":
        return False
    raise faults.bad_request(
        'Invalid OpenAPI input. A document has "openapi": "3.0.1", or another 3, or "swagger": "2.0".'
    )
