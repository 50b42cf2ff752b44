"""Keys as bytes whose order is the order of DynamoDB: what the store's BLOB columns compare.

Strings sort by their UTF-8 bytes and binaries by their unsigned bytes already. A number becomes

    0x80                                 zero
    0xC0  exponent  digit pairs          positive
    the complement of the above, 0xFF    negative, so that a larger magnitude sorts lower

with the exponent of scientific notation moved by 130 into one byte, and two decimal digits a byte, each pair one
higher than its value (a shorter number is then a prefix and sorts first, as 1.2 < 1.23). Worked: 120 = 1.2E2 is
C0 84 0D; -120 is 3F 7B F2 FF.
"""

import hashlib

from mayfly.services.tables.numbers import MIN_EXPONENT
from mayfly.services.tables.values import AttributeValue

_ZERO = b"\x80"
_POSITIVE = 0xC0
_COMPLEMENT = bytes(255 - byte for byte in range(256))
SLOTS = 1 << 31


def encode(value: AttributeValue) -> bytes:
    """The sortable bytes of a key attribute: a valid S, B or N."""
    (kind,) = value
    content = value[kind]
    if kind == "S":
        return str(content).encode()
    if kind == "B":
        return bytes(content)
    return encode_number(content)


def encode_number(number: str) -> bytes:
    """The sortable bytes of a canonical number."""
    if number == "0":
        return _ZERO
    whole, _, fraction = number.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    # A number below one has no whole digits: its exponent counts the zeros after the point.
    exponent = len(whole) - 1 if whole != "0" else len(digits) - len(fraction) - 1
    digits = digits.rstrip("0")
    if len(digits) % 2:
        digits += "0"
    pairs = bytes(int(digits[at : at + 2]) + 1 for at in range(0, len(digits), 2))
    encoded = bytes((_POSITIVE, exponent - MIN_EXPONENT)) + pairs
    return encoded.translate(_COMPLEMENT) + b"\xff" if number[0] == "-" else encoded


def slot_of(hash_key: bytes) -> int:
    """Where a hash key lies on the ring that scans walk and segments divide: 0 to SLOTS - 1."""
    return int.from_bytes(hashlib.blake2b(hash_key, digest_size=4).digest(), "big") >> 1


def segment_bounds(segment: int, total: int) -> tuple[int, int]:
    """The slots of one of `total` segments, first (inclusive) and last (exclusive); together they cover the ring."""
    return segment * SLOTS // total, (segment + 1) * SLOTS // total


def prefix_end(prefix: bytes) -> bytes | None:
    """The least bytes above everything that starts with `prefix`; None when there is nothing above."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None
