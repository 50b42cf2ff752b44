"""Receipt handles: which delivery of which message they are, and when that was.

A handle names the store that the message lay in, the message, its count of deliveries and the time of this one. It
stops fitting when the message is delivered again, moves, or its queue is purged. It is no secret: who may delete
messages of a queue may delete all of them.
"""

import base64
import binascii
import struct
from typing import NamedTuple

from mayfly.services.queues.errors import BadHandleError

_LAYOUT = struct.Struct(">3sQQIQ")
_VERSION = b"\x01\x01\x01"


class Handle(NamedTuple):
    """A receipt handle, taken apart."""

    store: int
    id: int
    receives: int
    received_at: int  # Unix milliseconds


def written(handle: Handle) -> str:
    """The text of a handle."""
    return binascii.b2a_base64(_LAYOUT.pack(_VERSION, *handle), newline=False).decode()


def read(text: str) -> Handle:
    """The handle that `text` is; `BadHandleError`."""
    try:
        version, *parts = _LAYOUT.unpack(base64.b64decode(text, validate=True))
    except (ValueError, struct.error):
        raise BadHandleError(text) from None
    if version != _VERSION:
        raise BadHandleError(text)
    return Handle(*parts)
