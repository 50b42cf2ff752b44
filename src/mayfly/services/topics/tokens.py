"""Tokens of pages: where the next one begins."""

import base64
import binascii

from mayfly.services.topics import faults


def encode(after: str | int) -> str:
    """The token of the page after a name, or a number."""
    return base64.urlsafe_b64encode(str(after).encode()).decode()


def decode_text(token: str | None) -> str:
    """The name that `encode` was given; empty without a token."""
    if not token:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise faults.invalid("NextToken") from error


def decode_number(token: str | None) -> int:
    """The number that `encode` was given; 0 without a token."""
    text = decode_text(token) or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise faults.invalid("NextToken")
    return int(text)
