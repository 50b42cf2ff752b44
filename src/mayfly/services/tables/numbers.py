"""DynamoDB's numbers: decimals of 38 significant digits, magnitudes from 1E-130 to 9.99…E+125, and zero.

A number travels as text and is kept in one canonical form (no exponent, no needless zeros), so that equal numbers are
equal strings. Source: "Number" in "Supported data types and naming rules in Amazon DynamoDB".
"""

import re
from decimal import Context, Decimal

from mayfly.services.tables.errors import InvalidError

PRECISION = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130

_CANONICAL_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,37})\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?\Z")
# Digits enough for the exact sum of any two numbers: 256 positions lie between the largest and the smallest.
_EXACT = Context(prec=300)


def canonical(text: str) -> str:
    """The one text of the number that `text` denotes; `InvalidError` when it is none or out of range."""
    if _CANONICAL_INTEGER.match(text):
        return text
    if not _NUMBER.match(text):
        detail = f": {text}" if text else ""
        raise InvalidError(f"The parameter cannot be converted to a numeric value{detail}")
    return of_decimal(Decimal(text))


def of_decimal(number: Decimal) -> str:
    """The canonical text of a finite decimal; `InvalidError` when it is out of range."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "only finite decimals get here"
    text = "".join(map(str, digits)).lstrip("0")
    significant = text.rstrip("0")
    if not significant:
        return "0"
    exponent += len(text) - len(significant)
    magnitude = exponent + len(significant) - 1
    if magnitude > MAX_EXPONENT:
        raise InvalidError("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if magnitude < MIN_EXPONENT:
        raise InvalidError("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if len(significant) > PRECISION:
        raise InvalidError("Attempting to store more than 38 significant digits in a Number")
    return ("-" if sign else "") + _plain(significant, exponent)


def _plain(significant: str, exponent: int) -> str:
    if exponent >= 0:
        return significant + "0" * exponent
    point = len(significant) + exponent
    if point > 0:
        return f"{significant[:point]}.{significant[point:]}"
    return "0." + "0" * -point + significant


def add(left: str, right: str) -> str:
    """The exact sum of two canonical numbers."""
    return of_decimal(_EXACT.add(Decimal(left), Decimal(right)))


def subtract(left: str, right: str) -> str:
    """The exact difference of two canonical numbers."""
    return of_decimal(_EXACT.subtract(Decimal(left), Decimal(right)))


def digit_count(number: str) -> int:
    """Significant digits of a canonical number; 1 for zero."""
    return len(number.lstrip("-").replace(".", "").strip("0")) or 1
