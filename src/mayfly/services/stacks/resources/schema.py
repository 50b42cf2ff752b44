"""What the properties of a resource type may look like, and how template values become them. Pure.

A template writes numbers and booleans as text, or the other way round, whenever it likes (parameters are always text);
the services are strict. `shape` converts, and refuses what cannot be converted, with the path of the culprit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mayfly.services.stacks.template.intrinsics import is_unknown
from mayfly.services.stacks.template.parameters import text_of


class PropertyError(ValueError):
    """A property that the resource type does not take; the message names its path."""


@dataclass(frozen=True, slots=True)
class Scalar:
    kind: Literal["String", "Integer", "Number", "Boolean"]


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    of: "Schema"


@dataclass(frozen=True, slots=True)
class Entries:
    """An object with free keys."""

    of: "Schema"


@dataclass(frozen=True, slots=True)
class Fields:
    """An object with known members."""

    members: Mapping[str, "Schema"]
    required: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Json:
    """Anything: a policy document."""


Schema = Scalar | Items | Entries | Fields | Json
STRING, INTEGER, BOOLEAN, JSON = Scalar("String"), Scalar("Integer"), Scalar("Boolean"), Json()
NUMBER = Scalar("Number")
STRINGS = Items(STRING)


def fields(required: str = "", **members: Schema) -> Fields:
    """`Fields` with the names of the required ones in one string, apart by blanks."""
    return Fields(members, frozenset(required.split()))


TAGS = Items(fields("Key Value", Key=STRING, Value=STRING))


def shape(value: Any, schema: Schema, path: str = "") -> Any:
    """`value` in the form that `schema` asks for; `PropertyError`. Placeholders of unknown values pass."""
    if is_unknown(value) or isinstance(schema, Json):
        return value
    if isinstance(schema, Scalar):
        return _scalar(value, schema, path)
    if isinstance(schema, Items):
        if not isinstance(value, list):
            raise _mismatch(path, "Array", value)
        return [shape(item, schema.of, f"{path}/{number}") for number, item in enumerate(value)]
    if not isinstance(value, dict):
        raise _mismatch(path, "Object", value)
    if isinstance(schema, Entries):
        return {key: shape(item, schema.of, f"{path}/{key}") for key, item in value.items()}
    if unknown := sorted(set(value) - set(schema.members)):
        raise PropertyError(f"Encountered unsupported property {unknown[0]}" + (f" in {path}" if path else ""))
    present = {key: item for key, item in value.items() if item is not None}
    if missing := sorted(schema.required - set(present)):
        raise PropertyError(f"#{path}: required key [{missing[0]}] not found")
    return {key: shape(item, schema.members[key], f"{path}/{key}") for key, item in present.items()}


def _scalar(value: Any, schema: Scalar, path: str) -> Any:
    if isinstance(value, dict | list) or value is None:
        raise _mismatch(path, schema.kind, value)
    text = text_of(value)
    if schema.kind == "String":
        return text
    if schema.kind == "Boolean":
        if text.lower() not in ("true", "false"):
            raise _mismatch(path, schema.kind, value)
        return text.lower() == "true"
    if schema.kind == "Number":
        if not re.fullmatch(r"[-+]?\d{1,18}(\.\d{1,18})?([eE][-+]?\d{1,2})?", text):
            raise _mismatch(path, schema.kind, value)
        return float(text)
    if not re.fullmatch(r"[-+]?\d{1,18}(\.0+)?", text):
        raise _mismatch(path, schema.kind, value)
    return int(text.partition(".")[0])


def _mismatch(path: str, expected: str, value: Any) -> PropertyError:
    found = {dict: "Object", list: "Array", bool: "Boolean", int: "Integer", type(None): "Null"}.get(
        type(value), "String"
    )
    return PropertyError(f"#{path}: expected type: {expected}, found: {found}")
