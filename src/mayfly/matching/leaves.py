"""What a field of an event may be compared as: leaves, letters without case, numbers, addresses.

A leaf is a string, a number, or a `Word`. Numbers that differ in no digit of a double are the same number (`35.0` and
`3.5e1`); whole numbers that no double holds are compared as they are, and are in no range.
"""

import math
import re
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

_EXACT = 2**53  # every whole number up to here is a double
_V4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", re.ASCII)
_V6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")
_LONGEST_V4, _LONGEST_V6 = 15, 39


class Word(Enum):
    """What JSON has no quotes for; not Python's own, because True equals 1 there."""

    TRUE = "true"
    FALSE = "false"
    NULL = "null"


Leaf = str | float | int | Word
Address = tuple[int, int]  # bits of the family, the number


def leaf(value: object) -> Leaf:
    """A scalar of a parsed event as a leaf. Anything that is no JSON is compared as its text."""
    if isinstance(value, str):
        return value
    if value is True:
        return Word.TRUE
    if value is False:
        return Word.FALSE
    if value is None:
        return Word.NULL
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float):
        return value + 0.0  # -0.0 is 0.0
    return str(value)


def whole(value: int) -> float | int:
    """A whole number: as a double where that is the same number in decimal digits."""
    if -_EXACT <= value <= _EXACT:
        return float(value)
    try:
        near = float(value)
    except OverflowError:
        return value
    return near if Decimal(repr(near)) == value else value


def number(literal: str) -> float | int:
    """The number that a literal of a pattern is."""
    if not any(letter in literal for letter in ".eE"):
        return whole(int(literal)) if len(literal) <= 400 else math.inf
    return float(literal) + 0.0


def comparable(literal: str) -> float | None:
    """The number as a range may have it: a double that has the same digits; None otherwise."""
    found = number(literal)
    if isinstance(found, int) or math.isinf(found):
        return None
    return found if Decimal(repr(found)) == Decimal(literal) else None


def folded(text: str) -> str:
    """Text with its letters' case taken away, letter by letter, so that the beginning of a text is the beginning of its
    folded form."""
    if text.isascii():
        return text.lower()
    return "".join([letter.lower() for letter in text])


@lru_cache(maxsize=4096)
def address(text: str) -> Address | None:
    """The address that a text is; None: it is none. Leading zeros are decimal, and an IPv6 address that stands for one
    of IPv4 is that one."""
    if len(text) <= _LONGEST_V4 and _V4.fullmatch(text) is not None:
        parts = [int(part) for part in text.split(".")]
        if max(parts) > 255:
            return None
        return 32, int.from_bytes(bytes(parts), "big")
    if len(text) > _LONGEST_V6 or _V6.fullmatch(text) is None:
        return None
    try:
        found = IPv6Address(text)
    except (AddressValueError, ValueError):
        return None
    if found.ipv4_mapped is not None:
        return 32, int(found.ipv4_mapped)
    return 128, int(found)
