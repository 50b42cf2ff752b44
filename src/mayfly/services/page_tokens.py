"""Paging tokens: the place after which a list goes on. Opaque to callers, checked when they come back. Pure."""

import base64
import binascii
import json
from collections.abc import Callable


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


def places(token: str | None, length: int, refusal: Callable[[], Exception]) -> list[str]:
    """The place after which the page of a request begins, of `length` texts; empty ones without a token: at the
    beginning of the list. Raises what `refusal` makes for what is no token."""
    if token is None:
        return [""] * length
    try:
        return decode(token, length)
    except ValueError:
        raise refusal() from None


def after(token: str | None, refusal: Callable[[], Exception]) -> str:
    """The same of a place that is one text."""
    return places(token, 1, refusal)[0]


def number_after(token: str | None, refusal: Callable[[], Exception], first: int = 0) -> int:
    """The same of a place that is a number; `first` without a token."""
    if token is None:
        return first
    try:
        return number(after(token, refusal))
    except ValueError:
        raise refusal() from None


def number(text: str) -> int:
    """A number that a token says; ValueError unless it is one that a database can count to."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ValueError(f"{text!r} is not a number")
    return int(text)
