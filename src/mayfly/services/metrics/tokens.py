"""Paging tokens of metrics and alarms, with CloudWatch's error for what is none."""

from mayfly.services import page_tokens
from mayfly.services.metrics import faults
from mayfly.services.page_tokens import encode

__all__ = ["decode", "decode_number", "encode"]


def decode(token: str | None, count: int) -> list[str]:
    """The `count` parts of a token, empty texts for no token; `ServiceError` InvalidNextToken."""
    if token is None:
        return [""] * count
    try:
        return page_tokens.decode(token, count)
    except ValueError:
        raise faults.bad_token() from None


def decode_number(token: str | None, without: int) -> int:
    """The number in a token, `without` if there is none; `ServiceError` InvalidNextToken."""
    if token is None:
        return without
    try:
        return page_tokens.number(decode(token, 1)[0])
    except ValueError:
        raise faults.bad_token() from None
