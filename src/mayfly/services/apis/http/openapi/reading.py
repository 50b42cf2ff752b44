"""From the text of an OpenAPI document, JSON or YAML, to plain values. Pure.

Aliases and tags are refused: nothing that defines an API needs them, and they are how documents attack. So is YAML that
is nested deeper than any API: for each token its parser looks through all levels that are open.
"""

import json
from typing import Any, Final

import yaml

from mayfly.services.apis.http import faults

MOST_BYTES: Final = 6 * 1024 * 1024
MOST_DEPTH: Final = 200
_SHOWN = 60  # characters of what is no document
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def document(text: str) -> dict[str, Any]:
    """The document; BadRequestException when it is none."""
    if len(text) > MOST_BYTES:
        raise faults.bad(f"Invalid OpenAPI input: the document is larger than {MOST_BYTES} bytes")
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise faults.bad(f"Unable to parse API definition: {_first_line(error)}") from error
    if not isinstance(value, dict):
        begin = ascii(text[:_SHOWN]) + (" …" if len(text) > _SHOWN else "")
        raise faults.bad(
            f"Invalid OpenAPI input: the document is not an object but {len(text)} characters: {begin}. "
            "The AWS CLI sends a file's content where it is told so: --body file://openapi.yaml"
        )
    if "swagger" in value:
        raise faults.bad("Invalid OpenAPI input: HTTP APIs are defined by OpenAPI 3.0, not by Swagger 2.0")
    if not str(value.get("openapi", "")).startswith("3."):
        raise faults.bad("Invalid OpenAPI input: openapi must be a version 3")
    return value


def _yaml(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases are not supported")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise ValueError(f"the tag {tag} is not supported")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep")
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, and no tags


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
