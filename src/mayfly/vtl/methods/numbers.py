"""Methods of numbers and booleans."""

from collections.abc import Mapping
from typing import Any

from mayfly.vtl.errors import TemplateRunError
from mayfly.vtl.methods.arguments import Method, WrongArgumentsError, text
from mayfly.vtl.operators import as_number

_LONGEST = 40


def _parsed(value: Any, source: Any) -> int:
    """`parseInt`: called on any number, as templates do for want of the class."""
    digits = text(source)
    if len(digits) > _LONGEST or not digits.lstrip("+-").isdecimal():
        raise TemplateRunError(f"{digits[:_LONGEST]!r} is no whole number")
    return int(digits)


def _parsed_float(value: Any, source: Any) -> float:
    number = as_number(text(source))
    if number is None:
        raise TemplateRunError("that is no number")
    return float(number)


def _compared(value: float, other: Any) -> int:
    if isinstance(other, bool) or not isinstance(other, (int, float)):
        raise WrongArgumentsError
    return (value > other) - (value < other)


METHODS: Mapping[str, Method] = {
    "intValue": int,
    "longValue": int,
    "doubleValue": float,
    "floatValue": float,
    "parseInt": _parsed,
    "parseLong": _parsed,
    "parseDouble": _parsed_float,
    "valueOf": lambda value, source: _parsed(value, source) if isinstance(source, str) else source,
    "compareTo": _compared,
    "abs": lambda value, other: abs(other) if isinstance(other, (int, float)) else None,
    "max": lambda value, one, two: max(one, two),
    "min": lambda value, one, two: min(one, two),
}
BOOLEAN_METHODS: Mapping[str, Method] = {
    "booleanValue": lambda value: value,
    "parseBoolean": lambda value, source: text(source).lower() == "true",
}
