"""What every value can: show itself, and compare."""

from collections.abc import Mapping
from typing import Any

from mayfly.vtl.methods.arguments import Method
from mayfly.vtl.values import text_of


def _equals(value: Any, other: Any) -> bool:
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    numbers = isinstance(value, (int, float)), isinstance(other, (int, float))
    if all(numbers):
        return type(value) is type(other) and bool(value == other)
    return bool(value == other)


METHODS: Mapping[str, Method] = {
    "toString": text_of,
    "equals": _equals,
    "hashCode": lambda value: _hash(text_of(value)),
}


def _hash(text: str) -> int:
    """Java's hash of a string."""
    total = 0
    for char in text:
        total = (total * 31 + ord(char)) & 0xFFFFFFFF
    return total - 2**32 if total >= 2**31 else total
