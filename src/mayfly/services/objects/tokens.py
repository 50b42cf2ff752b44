"""Continuation tokens: opaque to the caller, a position to us. Pure."""

import base64
import binascii

from mayfly.services.objects.errors import invalid_argument


def encode_token(position: str) -> str:
    """`position` (any string) as a token."""
    return base64.urlsafe_b64encode(b"1" + position.encode()).decode("ascii")


def decode_token(token: str | None) -> str:
    """What `encode_token` was given, "" for no token; InvalidArgument for anything else."""
    if token is None:
        return ""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        if not raw.startswith(b"1"):
            raise ValueError(token)
        return raw[1:].decode()
    except (binascii.Error, ValueError):
        message = "The continuation token provided is incorrect"
        raise invalid_argument(message, "continuation-token", token) from None
