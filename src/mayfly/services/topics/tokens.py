"""Tokens of pages: where the next one begins, with SNS's error for what is none."""

from mayfly.services import page_tokens
from mayfly.services.topics import faults


def encode(after: str | int) -> str:
    """The token of the page after a name, or a number."""
    return page_tokens.encode(str(after))


def decode_text(token: str | None) -> str:
    """The name that `encode` was given; empty without a token."""
    if not token:
        return ""
    try:
        return page_tokens.decode(token, 1)[0]
    except ValueError:
        raise faults.invalid("NextToken") from None


def decode_number(token: str | None) -> int:
    """The number that `encode` was given; 0 without a token."""
    try:
        return page_tokens.number(decode_text(token) or "0")
    except ValueError:
        raise faults.invalid("NextToken") from None
