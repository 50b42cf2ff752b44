"""Paging tokens: the place to go on from. Opaque to callers, checked when they come back."""

import base64
import binascii
import json

from mayfly.services.metrics import faults


def encode(*parts: str) -> str:
    """A token that says `parts`."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def decode(token: str, count: int) -> list[str]:
    """The `count` parts of a token; `ServiceError` InvalidNextToken."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError) as error:
        raise faults.bad_token() from error
    if not isinstance(parts, list) or len(parts) != count or not all(isinstance(part, str) for part in parts):
        raise faults.bad_token()
    if count == 1 and not parts[0].isascii():
        raise faults.bad_token()
    return parts
