"""The frames that server and runtime exchange over an instance's control socket. Sans-IO, standard library only.

This file runs on both sides: the server imports it, and it is shipped into every sandbox.

A frame is a header of 12 bytes (kind: unsigned 32 bits, length of the JSON: unsigned 32 bits, length of the payload:
unsigned 32 bits; big-endian), a JSON object in UTF-8, and the payload. The payload is a function's event or result and
is never parsed by the server.

Order. The server sends INIT once, then INVOKE frames, at most one unanswered. The runtime answers INIT by READY or
INIT_ERROR, and every INVOKE by RESULT or ERROR. Whatever the runtime wrote to stdout and stderr for an invocation is
in the output pipe before its answer is sent. The server may send INVOKE without waiting for READY.
"""

from __future__ import annotations  # runs inside sandboxes too, on every Python from 3.9 on

import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

HEADER = struct.Struct("!III")
MAX_JSON = 1 << 20
MAX_PAYLOAD = 64 << 20

# Server to runtime.
INIT = 1  # JSON: {"handler", "environment": {str: str}, "task_root": str}
# JSON: {"request_id", "deadline_ms": Unix ms, "arn", "trace_id"?, "client_context"?, "identity"?}; event
INVOKE = 2
# To a shared template, once, on a socket of its own: what to load ahead. JSON: {"environment", "task_root",
# "modules": [names in the order of their first import], "handler": None for packages alone}
PREPARE = 3

# Runtime to server.
# JSON: {"init_ms": float, "imports": [[module, file, total µs, own µs], ...] of this init, in the order of completion,
# "restore_ms"?: in a fork of a shared template, the part of init that came before the function's code}
READY = 16
INIT_ERROR = 17  # payload: the error object, as below
RESULT = 18  # payload: the handler's result as JSON text
ERROR = 19  # JSON: {"fatal": bool, true when the runtime ends itself}; payload: {"errorMessage", "errorType", ...}
PREPARED = 20  # JSON: {"modules": int, "took_ms": float}
REFUSED = 21  # JSON: {"reasons": [why instances cannot be forked from it]}


class FrameError(ValueError):
    """The other side sent something that is not a frame. The connection is useless from here on."""


class Frame(NamedTuple):
    """One message."""

    kind: int
    meta: dict[str, Any]
    payload: bytes


def encode(kind: int, meta: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """The bytes of one frame."""
    text = json.dumps(meta, separators=(",", ":")).encode() if meta else b""
    return HEADER.pack(kind, len(text), len(payload)) + text + payload


class Decoder:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def buffered(self) -> int:
        """Bytes of a frame that is not complete yet, or of frames that nobody has asked for yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Frames that `data` completes; `FrameError` when the stream makes no sense."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            kind, meta_length, payload_length = HEADER.unpack_from(self._buffer)
            if meta_length > MAX_JSON or payload_length > MAX_PAYLOAD:
                raise FrameError(f"a frame of {meta_length} + {payload_length} bytes exceeds the limits")
            end = HEADER.size + meta_length + payload_length
            if len(self._buffer) < end:
                return
            start = HEADER.size + meta_length
            text = bytes(self._buffer[HEADER.size : start])
            payload = bytes(self._buffer[start:end])
            del self._buffer[:end]
            try:
                meta = json.loads(text) if text else {}
            except ValueError as error:
                raise FrameError("a frame's JSON cannot be parsed") from error
            if not isinstance(meta, dict):
                raise FrameError("a frame's JSON is not an object")
            yield Frame(kind, meta, payload)
