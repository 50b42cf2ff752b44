"""Attribute values: checking, canonical form, size and comparison.

A value keeps the shape it has on the wire, `{"S": "x"}`, from the request to the stored bytes and back, because
every conversion would be paid on every item of every page. What `checked` returned is canonical: numbers have one
text and sets one order, so that equal values are equal to `==` at any depth.

Source of limits and sizes: "DynamoDB item sizes and formats" and "Quotas in Amazon DynamoDB".
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from mayfly.services.tables import numbers
from mayfly.services.tables.errors import InvalidError

AttributeValue: TypeAlias = dict[str, Any]  # one type tag, one content
Item: TypeAlias = dict[str, AttributeValue]

TYPES = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL")
SETS = frozenset({"SS", "NS", "BS"})
ORDERED = frozenset({"S", "N", "B"})
MAX_ITEM_BYTES = 400 * 1024
MAX_DEPTH = 32
TOO_DEEP = "Nesting Levels have exceeded supported limits"


def checked_item(item: Mapping[str, Any]) -> Item:
    """`item` in canonical form; `InvalidError`."""
    return {name: checked(value) for name, value in item.items()}


def checked(value: Mapping[str, Any], depth: int = 0) -> AttributeValue:
    """`value` in canonical form; `InvalidError` names what is wrong with it. `depth` counts enclosing documents."""
    if not value:
        raise InvalidError("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    if len(value) > 1:
        for kind, content in value.items():
            checked({kind: content}, depth)
        raise InvalidError(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    ((kind, content),) = value.items()
    if kind == "S":
        return {"S": content}
    if kind == "N":
        return {"N": numbers.canonical(content)}
    if kind in SETS:
        return {kind: _checked_set(kind, content)}
    if kind in ("M", "L"):
        return {kind: _checked_document(kind, content, depth + 1)}
    if kind == "NULL" and content is not True:
        raise InvalidError(
            "One or more parameter values were invalid: Null attribute value types must have the value of true"
        )
    return {kind: bytes(content) if kind == "B" else content}


def _checked_document(kind: str, content: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidError(TOO_DEEP)
    if kind == "L":
        return [checked(element, depth) for element in content]
    return {name: checked(member, depth) for name, member in content.items()}


_EMPTY_SET = {
    "SS": "One or more parameter values were invalid: An string set  may not be empty",
    "NS": "One or more parameter values were invalid: An number set  may not be empty",
    "BS": "One or more parameter values were invalid: Binary sets should not be empty",
}


def _checked_set(kind: str, content: Sequence[Any]) -> list[Any]:
    if not content:
        raise InvalidError(_EMPTY_SET[kind])
    elements = [numbers.canonical(element) for element in content] if kind == "NS" else list(content)
    if len(set(elements)) != len(elements):
        if kind == "NS":
            raise InvalidError("Input collection contains duplicates")
        shown = ", ".join(b64encode(element).decode() if kind == "BS" else element for element in content)
        tail = "of type BS contains duplicates." if kind == "BS" else " contains duplicates."
        raise InvalidError(f"One or more parameter values were invalid: Input collection [{shown}]{tail}")
    return ordered_set(kind, elements)


def ordered_set(kind: str, elements: Sequence[Any]) -> list[Any]:
    """The elements of a set in its canonical order."""
    return sorted(elements, key=Decimal) if kind == "NS" else sorted(elements)


def kind_of(value: AttributeValue) -> str:
    """The type tag."""
    return next(iter(value))


def rank(value: AttributeValue) -> Any:
    """A key under which values of one of the types S, N and B compare as DynamoDB orders them."""
    ((kind, content),) = value.items()
    if kind == "N":
        return Decimal(content)
    return content.encode() if kind == "S" else content


def item_size(item: Mapping[str, AttributeValue]) -> int:
    """Bytes that an item counts for: UTF-8 names and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: AttributeValue) -> int:
    """Bytes that a value counts for. A document adds 3, and 1 for each of its members."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_size(content)
    if kind == "B":
        return len(content)
    if kind == "M":
        return 3 + len(content) + item_size(content)
    if kind == "L":
        return 3 + sum(1 + value_size(element) for element in content)
    if kind == "NS":
        return sum(_number_size(element) for element in content)
    if kind == "SS":
        return sum(len(element.encode()) for element in content)
    if kind == "BS":
        return sum(len(element) for element in content)
    return 1


def _number_size(number: str) -> int:
    if number == "0":
        return 1
    return 1 + (numbers.digit_count(number) + 1) // 2 + (number[0] == "-")


def depth_of(value: AttributeValue) -> int:
    """How many documents lie within one another: 0 for a scalar or set, 1 for an empty list."""
    ((kind, content),) = value.items()
    if kind not in ("M", "L"):
        return 0
    return 1 + max((depth_of(inner) for inner in (content.values() if kind == "M" else content)), default=0)


def copied(value: AttributeValue) -> AttributeValue:
    """A deep copy: documents and sets share nothing with the original."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {"M": {name: copied(member) for name, member in content.items()}}
    if kind == "L":
        return {"L": [copied(element) for element in content]}
    return {kind: list(content) if kind in SETS else content}
