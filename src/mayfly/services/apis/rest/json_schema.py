"""JSON Schema, draft 4: whether a value is what a schema says, and what is wrong about the first thing that is not.

Pure. Of our own, because the library that does this costs a tenth of a second and several megabytes to import, for some
hundred lines; it is what the tests compare with. References stay within the document: nothing is fetched. `format` says
nothing, as in API Gateway.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mayfly.services.apis.rest import patterns

Schema = Any
Check = Callable[["Validator", Any, Any, Mapping[str, Any]], str | None]
MOST_DEPTH = 200


class Validator:
    """One schema, checked against many values."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._depth = 0

    def fault(self, value: Any) -> str | None:
        """What is wrong; None: nothing."""
        self._depth = 0
        return self.check(self._root, value)

    def check(self, schema: Schema, value: Any) -> str | None:
        """`fault`, for a part of the schema."""
        if not isinstance(schema, dict):
            return None
        self._depth += 1
        if self._depth > MOST_DEPTH:
            return "the schema or the value is nested too deeply"
        try:
            reference = schema.get("$ref")
            if isinstance(reference, str):
                return self.check(self._referred(reference), value)
            for word, said in schema.items():
                found = _CHECKS.get(word)
                if found is not None and (wrong := found(self, said, value, schema)) is not None:
                    return wrong
            return None
        finally:
            self._depth -= 1

    def matches(self, pattern: str, text: str) -> bool:
        """Whether a pattern is found in a text. One that is none says nothing."""
        return patterns.found(pattern, text)

    def _referred(self, reference: str) -> Schema:
        place = self._root
        if not reference.startswith("#"):
            return {}
        for part in reference[1:].split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            elif isinstance(place, dict) and name in place:
                place = place[name]
            else:
                return {}
        return place


def _is(kind: str, value: Any) -> bool:
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, _TYPES.get(kind, ()))


_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "null": (type(None),)}
)


def equal(one: Any, other: Any) -> bool:
    """As JSON has it: 1 is 1.0, and neither is true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other if isinstance(one, (str, type(None))) else bool(one == other)


def _type(_: Validator, said: Any, value: Any, __: Mapping[str, Any]) -> str | None:
    kinds = said if isinstance(said, list) else [said]
    if any(_is(kind, value) if isinstance(kind, str) else _.check(kind, value) is None for kind in kinds):
        return None
    return f"instance type does not match any allowed primitive type: {kinds}"


def _enum(_: Validator, said: Any, value: Any, __: Mapping[str, Any]) -> str | None:
    return None if any(equal(value, one) for one in said) else "instance value not found in enum"


def _number(test: Callable[[Any, Any, Mapping[str, Any]], bool], words: str) -> Check:
    def check(_: Validator, said: Any, value: Any, schema: Mapping[str, Any]) -> str | None:
        return f"numeric instance is {words} {said}" if _is("number", value) and not test(value, said, schema) else None

    return check


def _size(
    kind: "type[str] | type[list[Any]] | type[dict[str, Any]]", test: Callable[[int, int], bool], words: str
) -> Check:
    def check(_: Validator, said: Any, value: Any, __: Mapping[str, Any]) -> str | None:
        return f"{words} {said}" if isinstance(value, kind) and not test(len(value), said) else None

    return check


def _multiple(value: Any, said: Any, _: Mapping[str, Any]) -> bool:
    if isinstance(value, int) and isinstance(said, int):
        return value % said == 0
    quotient = value / said
    return math.isfinite(quotient) and int(quotient) == quotient


def _pattern(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    wrong = isinstance(value, str) and not self.matches(said, value)
    return f"ECMA 262 regex {said!r} does not match input string" if wrong else None


def _required(_: Validator, said: Any, value: Any, __: Mapping[str, Any]) -> str | None:
    missing = [name for name in said if name not in value] if isinstance(value, dict) and isinstance(said, list) else []
    return f"object has missing required properties ({missing})" if missing else None


def _properties(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(self.check(schema, value[name]) for name, schema in said.items() if name in value)


def _patterned(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(
        self.check(schema, one)
        for pattern, schema in said.items()
        for name, one in value.items()
        if self.matches(pattern, name)
    )


def _additional(self: Validator, said: Any, value: Any, schema: Mapping[str, Any]) -> str | None:
    if not isinstance(value, dict):
        return None
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [name for name in value if name not in known and not any(self.matches(one, name) for one in patterns)]
    if said is False and extra:
        return f"object instance has properties which are not allowed by the schema: {extra}"
    return _first(self.check(said, value[name]) for name in extra) if isinstance(said, dict) else None


def _items(self: Validator, said: Any, value: Any, schema: Mapping[str, Any]) -> str | None:
    if not isinstance(value, list):
        return None
    if isinstance(said, dict):
        return _first(self.check(said, one) for one in value)
    wrong = _first(self.check(one, item) for one, item in zip(said, value, strict=False))
    more = schema.get("additionalItems")
    if wrong is None and more is False and len(value) > len(said):
        return f"array is too long: must have at most {len(said)} elements"
    if wrong is None and isinstance(more, dict):
        return _first(self.check(more, item) for item in value[len(said) :])
    return wrong


def _unique(_: Validator, said: Any, value: Any, __: Mapping[str, Any]) -> str | None:
    if said is not True or not isinstance(value, list):
        return None
    same = any(equal(one, other) for at, one in enumerate(value) for other in value[:at])
    return "array must not contain duplicate elements" if same else None


def _dependencies(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    if not isinstance(value, dict):
        return None
    for name, wanted in said.items():
        if name not in value:
            continue
        wrong = self.check(wanted, value) if isinstance(wanted, dict) else None
        names = wanted if isinstance(wanted, list) else [wanted] if isinstance(wanted, str) else []
        if wrong is not None or any(one not in value for one in names):
            return wrong or f"property {name!r} of object has missing property dependencies"
    return None


def _all(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    return _first(self.check(one, value) for one in said)


def _any(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    good = any(self.check(one, value) is None for one in said)
    return None if good else f"instance failed to match at least one required schema among {len(said)}"


def _one(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    good = sum(self.check(one, value) is None for one in said)
    return None if good == 1 else f"instance failed to match exactly one schema (matched {good} out of {len(said)})"


def _not(self: Validator, said: Any, value: Any, _: Mapping[str, Any]) -> str | None:
    return "instance matched a schema which it should not have" if self.check(said, value) is None else None


def _first(found: Iterator[str | None]) -> str | None:
    return next((wrong for wrong in found if wrong is not None), None)


_CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "type": _type,
        "enum": _enum,
        "minimum": _number(
            lambda v, said, s: v > said if s.get("exclusiveMinimum") is True else v >= said, "lower than"
        ),
        "maximum": _number(
            lambda v, said, s: v < said if s.get("exclusiveMaximum") is True else v <= said, "greater than"
        ),
        "multipleOf": _number(_multiple, "not a multiple of"),
        "minLength": _size(str, lambda size, said: size >= said, "string is shorter than"),
        "maxLength": _size(str, lambda size, said: size <= said, "string is longer than"),
        "pattern": _pattern,
        "required": _required,
        "properties": _properties,
        "patternProperties": _patterned,
        "additionalProperties": _additional,
        "minProperties": _size(dict, lambda size, said: size >= said, "object has less properties than"),
        "maxProperties": _size(dict, lambda size, said: size <= said, "object has more properties than"),
        "items": _items,
        "minItems": _size(list, lambda size, said: size >= said, "array has less elements than"),
        "maxItems": _size(list, lambda size, said: size <= said, "array has more elements than"),
        "uniqueItems": _unique,
        "dependencies": _dependencies,
        "allOf": _all,
        "anyOf": _any,
        "oneOf": _one,
        "not": _not,
    }
)
