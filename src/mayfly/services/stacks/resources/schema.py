"""What the properties of a resource type may look like, and how template values become them. Pure.

A template writes numbers and booleans as text, or the other way round, whenever it likes (parameters are always text);
the services are strict. `shape` converts, and refuses what cannot be converted, with the path of the culprit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from mayfly.services.stacks.template.dynamic import is_dynamic
from mayfly.services.stacks.template.marks import is_unknown
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
    open: bool = False  # any other member will do, as it is


@dataclass(frozen=True, slots=True)
class Json:
    """Anything: a policy document."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A property that AWS documents and Mayfly cannot honour: whoever gives it is told why, before anything is made."""

    why: str  # a whole sentence


@dataclass(frozen=True, slots=True)
class Ignored:
    """A property that AWS documents and that has no effect here, because it has nothing to act upon."""

    why: str  # a whole sentence
    of: "Schema"


@dataclass(frozen=True, slots=True)
class Checked:
    """A property that has a form of its own."""

    of: "Schema"
    check: Callable[[Any], None]  # of what may have placeholders in it; raises ValueError, which says what is wrong


@dataclass(frozen=True, slots=True)
class Partly:
    """A text of which AWS documents values that Mayfly cannot honour: like `Refused` for whoever gives one of these."""

    refused: Mapping[str, str]  # patterns of `fnmatch`, and why: a whole sentence
    of: Scalar


Schema = Scalar | Items | Entries | Fields | Json | Refused | Ignored | Checked | Partly
STRING, INTEGER, BOOLEAN, JSON = Scalar("String"), Scalar("Integer"), Scalar("Boolean"), Json()
NUMBER = Scalar("Number")
STRINGS = Items(STRING)


def fields(required: str = "", **members: Schema) -> Fields:
    """`Fields` with the names of the required ones in one string, apart by blanks."""
    return Fields(members, frozenset(required.split()))


TAGS = Items(fields("Key Value", Key=STRING, Value=STRING))


def shape(value: Any, schema: Schema, path: str = "") -> Any:
    """`value` in the form that `schema` asks for; `PropertyError`. Placeholders of unknown values pass."""
    if isinstance(schema, Refused):
        raise PropertyError(f"#{path}: {_refused_here(value, schema)}")
    if isinstance(schema, Partly) and (found := _refused_here(value, schema)):
        raise PropertyError(f"#{path}: {found}")
    if isinstance(schema, Ignored | Partly):
        return shape(value, schema.of, path)
    if isinstance(schema, Checked):
        return _checked(shape(value, schema.of, path), schema, path)
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
    if not schema.open and (unknown := sorted(set(value) - set(schema.members))):
        raise PropertyError(f"Encountered unsupported property {unknown[0]}" + (f" in {path}" if path else ""))
    present = {key: item for key, item in value.items() if item is not None}
    if missing := sorted(schema.required - set(present)):
        raise PropertyError(f"#{path}: required key [{missing[0]}] not found")
    return {key: shape(item, schema.members.get(key, JSON), f"{path}/{key}") for key, item in present.items()}


def refused(value: Any, schema: Schema, path: str = "") -> list[str]:
    """Everything in `value` that Mayfly cannot honour: where it stands, and why."""
    if found := _refused_here(value, schema):
        return [f"#{path}: {found}"]
    if isinstance(schema, Items) and isinstance(value, list):
        inner = [(str(number), item, schema.of) for number, item in enumerate(value)]
    elif isinstance(schema, Entries) and isinstance(value, dict):
        inner = [(key, item, schema.of) for key, item in value.items()]
    elif isinstance(schema, Fields) and isinstance(value, dict):
        inner = [(key, value[key], member) for key, member in schema.members.items() if value.get(key) is not None]
    else:
        return []
    return [line for key, item, member in inner for line in refused(item, member, f"{path}/{key}")]


def _refused_here(value: Any, schema: Schema) -> str:
    """Why a value itself cannot be honoured; "" if it can."""
    if isinstance(schema, Refused):
        return f"this property is not supported: {schema.why}"
    if isinstance(schema, Partly) and isinstance(value, str):
        for pattern, why in schema.refused.items():
            if fnmatchcase(value, pattern):
                return f"the value {value} is not supported: {why}"
    return ""


def without_effect(value: Any, schema: Schema, path: str = "") -> dict[str, str]:
    """The properties in `value` that have no effect here, by their paths, each with its reason."""
    if isinstance(schema, Ignored):
        return {path: schema.why}
    found: dict[str, str] = {}
    if isinstance(schema, Items) and isinstance(value, list):
        for item in value:
            found |= without_effect(item, schema.of, path)
    elif isinstance(schema, Fields) and isinstance(value, Mapping):
        for name in value.keys() & schema.members.keys():
            found |= without_effect(value[name], schema.members[name], f"{path}.{name}" if path else name)
    return found


def _checked(value: Any, schema: Checked, path: str) -> Any:
    try:
        schema.check(value)
    except ValueError as error:
        raise PropertyError(f"#{path}: {error}") from None
    return value


def _scalar(value: Any, schema: Scalar, path: str) -> Any:
    if isinstance(value, dict | list) or value is None:
        raise _mismatch(path, schema.kind, value)
    text = text_of(value)
    if schema.kind == "String" or is_dynamic(text):  # a reference's value has its form when it is known
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
