"""Paging tokens: the place after which a list goes on. Opaque to callers, checked when they come back. Pure."""

import base64
import binascii
import json


def encode(*place: str) -> str:
    """A token that says `place`."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def decode(token: str, length: int) -> list[str]:
    """The `length` texts of a token; ValueError for what `encode` never made of so many."""
    try:
        place = json.loads(base64.b64decode(token.encode(), b"-_", validate=True))
    except (binascii.Error, RecursionError) as error:
        raise ValueError("not a token") from error
    if not isinstance(place, list) or len(place) != length or not all(isinstance(part, str) for part in place):
        raise ValueError("not a token of this list")
    return place


def number(text: str) -> int:
    """A number that a token says; ValueError unless it is one that a database can count to."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ValueError(f"{text!r} is not a number")
    return int(text)
