"""Paging tokens: a direction or kind, and the place to go on from. Opaque to callers, checked when they come back."""

import base64
import binascii

from mayfly.services.telemetry import faults
from mayfly.services.telemetry.model import Position


def encode(kind: str, *parts: str | int) -> str:
    """A token that says `kind` and `parts`."""
    text = "\n".join([kind, *map(str, parts)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode(token: str, *kinds: str) -> tuple[str, list[str]]:
    """The kind, one of `kinds`, and the parts of a token; `ServiceError` InvalidParameterException."""
    try:
        kind, *parts = base64.urlsafe_b64decode(token.encode()).decode().split("\n")
    except (binascii.Error, UnicodeError) as error:
        raise faults.bad_token() from error
    if kind not in kinds or not parts:
        raise faults.bad_token()
    return kind, parts


def encode_position(kind: str, position: Position) -> str:
    """A token for a place between events."""
    return encode(kind, position.timestamp_ms, position.id)


def decode_position(token: str, *kinds: str) -> tuple[str, Position]:
    """The kind and the place of a token that `encode_position` made."""
    kind, parts = decode(token, *kinds)
    try:
        timestamp_ms, identifier = map(int, parts)
    except ValueError as error:
        raise faults.bad_token() from error
    return kind, Position(timestamp_ms, identifier)
