"""The frames that server and runtime exchange over an instance's control socket. Sans-IO, standard library only.

This file runs on both sides: the server imports it, and it is shipped into every sandbox.

A frame is a header of 16 bytes, a head and a payload. Header: kind and flags (unsigned 16 bits each), the number of a
call, the length of the head, the length of the payload (unsigned 32 bits each); big-endian. The head of an INVOKE are
the fields of `call_head`; of all other kinds, a JSON object in UTF-8 or nothing. The payload is a function's event or
result and is never parsed by the server.

Order. The server sends INIT once, then INVOKE frames, at most as many unanswered ones as INIT allowed and READY took.
The runtime answers INIT by READY or INIT_ERROR, and every INVOKE by RESULT or ERROR with its number. Whatever the
runtime wrote to stdout and stderr for an invocation is in the output pipe, or was sent as OUTPUT, before its answer is
sent.

Ahead. A runtime that takes one call at a time may be sent more, with the flag AHEAD: they wait in the socket and run in
the order of their coming. So that the server can tell whose output is in the pipe, none of them begins while the pipe
may hold what an earlier one printed: after an answer without QUIET, the runtime waits for CONTINUE. The first call may
be sent so, too, right behind INIT: what READY says of the pipe holds for what init printed.

Parts. A runtime may answer by STREAM, any number of CHUNK frames, and then RESULT without a payload, or ERROR when it
fails on the way. It has at most `STREAM_WINDOW` bytes of chunks on the way; MORE tells how many were taken.
"""

from __future__ import annotations  # runs inside sandboxes too, on every Python from 3.9 on

import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

HEADER = struct.Struct("!HHIII")
MAX_HEAD = 1 << 20
MAX_PAYLOAD = 64 << 20

# Server to runtime.
# JSON: {"handler", "environment": {str: str}, "task_root": str, "concurrency"?: calls at a time, 1 if not there,
# "layers"?: what tells the function's layers from others'}
INIT = 1
INVOKE = 2  # number; fields of `call_head`; event
# To a shared template, once, on a socket of its own: what to load ahead. JSON: {"environment", "task_root",
# "modules": [names in the order of their first import], "handler": None for packages alone}
PREPARE = 3
CONTINUE = 5  # the pipe has been emptied since the last answer; only sent while calls wait that were sent ahead
# JSON: {"bytes": int}; number. That many bytes of the call's chunks were taken: as many more may be sent.
MORE = 6
CANCEL = 4  # number; the call took too long. Where several run at a time: give it up, and answer it all the same
# number; with a descriptor attached to its first byte: a socket over which calls come, too, with numbers of its own.
# Only where READY said so. Its calls are cancelled when it closes.
SHARE = 12

# Instead of INIT, to a Node.js: JSON as there. Load the function, and tell what the engine can keep of its modules, by
# ARTIFACT frames and COMPILED. Nothing else comes then.
COMPILE = 9

# Instead of INIT, to a Python: JSON {"environment", "task_root"}. Be a launcher from here on, with what is loaded; the
# frames below hold once READY has come. To launch `python` then takes no other Python (`python.warm`).
LAUNCHER = 10

# Server to launcher: what stands in the place of a runtime where the sandbox holds a program (`python.launcher`).
# A number names a program from its LAUNCH to its ENDED; the server chooses it, and uses none twice.
# number; JSON: {"name": for people, "argv": [str, ...], "environment": {str: str}, "directory": str, "relay"?: bool,
# "streams"?: bool}.
# `argv[0]` without a slash is looked for in the environment's PATH; `MANAGED` is the managed runtime that the sandbox
# is made for, as a client of the Runtime API (`python.managed`). With `relay`, what it prints comes as OUTPUT with its
# number, instead of by the output pipe. With `streams`, three descriptors are attached to the frame's first byte:
# the program's standard input, output and error.
LAUNCH = 7
# number; JSON: {"put" or "get": path}; with the same three descriptors. Copies a tree (`python.files`) from its
# standard input below the path, or what is at the path to its standard output. Told of like a program.
COPY = 13
MANAGED = "mayfly:managed"
SIGNAL = 8  # number; JSON: {"signal": int}. To the program alone, not to what it started.

# Runtime to server.
# JSON: {"init_ms": float, "imports": [[module, file, total µs, own µs], ...] of this init, in the order of completion,
# "restore_ms"?: in a fork of a shared template, the part of init that came before the function's code,
# "concurrency"?: how many calls it takes at a time, at most what INIT said; 1 if not there, "shares"?: whether it takes
# SHARE}
READY = 16
INIT_ERROR = 17  # payload: the error object, as below
RESULT = 18  # number; payload: the handler's result as JSON text
# number; JSON: {"fatal": bool, true when the runtime ends itself}; payload: {"errorMessage", "errorType", ...}
ERROR = 19
# A shared template's answers, beside INIT_ERROR; all with "printed": what init printed, unless instances repeat it.
PREPARED = 20  # JSON: {"modules": int, "took_ms": float, "printed": str}
REFUSED = 21  # JSON: {"reasons": [why instances cannot be forked from it], "printed": str}
OUTPUT = 22  # number, 0 for no call; payload: what was printed
STREAM = 23  # number; JSON: {"content_type"?}. The call's result comes in parts from here on; see above
CHUNK = 24  # number; payload: the next part
ARTIFACT = 25  # JSON: {"name": str}; payload: a file
COMPILED = 26  # JSON: {"key": what all of them are good for, as the engine names it; "" where it keeps nothing}
SHARED = 28  # number of a SHARE: its socket is there
UNSHARED = 29  # number of a SHARE: its socket is closed, and none of its calls runs any more

# Launcher to server. What is launched prints into the output pipe; see `relay`, with which OUTPUT comes before ENDED.
LAUNCHED = 32  # number; JSON: {"pid": int, as it is known inside}
LAUNCH_FAILED = 33  # number; JSON: {"error": str, "errno": int, "step": "directory" where it could not go there}
ENDED = 34  # number; JSON: {"code": exit status} or {"signal": int}

# Within the server, from the conversation with a program. The head of a RESULT or an ERROR may be {"lingers": true}:
# the call has its answer, and is not over before DONE with its number.
DONE = 35

# Flag of READY, RESULT and ERROR: the output pipe was empty after init, or the call, had printed its last. A hint, by
# which the server saves a look into the pipe; a runtime that lies has its own output attributed to the wrong call.
QUIET = 1
# The rest of the flags of RESULT and ERROR: how long the handler ran, in units of `TOOK_US`; 0 where the runtime does
# not say.
TOOK_SHIFT, MOST_TOOK = 1, 0x7FFF
TOOK_US = 10

# Flag of INVOKE: it comes behind INIT or another call. The deadline in its head is not a time but the milliseconds it
# may take once it has begun.
AHEAD = 1


# How many bytes of chunks of one call may be on their way, or not taken.
STREAM_WINDOW = 1 << 20


class FrameError(ValueError):
    """The other side sent something that is not a frame. The connection is useless from here on."""


class Frame(NamedTuple):
    """One message."""

    kind: int
    flags: int
    number: int
    head: bytes
    payload: bytes

    @property
    def meta(self) -> dict[str, Any]:
        """The head as JSON object; `FrameError`."""
        if not self.head:
            return {}
        try:
            meta = json.loads(self.head)
        except ValueError as error:
            raise FrameError("a frame's JSON cannot be parsed") from error
        if not isinstance(meta, dict):
            raise FrameError("a frame's JSON is not an object")
        return meta


def encode(
    kind: int, meta: dict[str, Any] | None = None, payload: bytes = b"", number: int = 0, flags: int = 0
) -> bytes:
    """The bytes of one frame whose head is JSON."""
    text = json.dumps(meta, separators=(",", ":")).encode() if meta else b""
    return HEADER.pack(kind, flags, number, len(text), len(payload)) + text + payload


def encode_call(number: int, head: bytes, payload: bytes, flags: int = 0) -> bytes:
    """The bytes of an INVOKE."""
    return HEADER.pack(INVOKE, flags, number, len(head), len(payload)) + head + payload


def took(seconds: float) -> int:
    """The flags that say how long a handler ran."""
    return min(int(seconds * 1_000_000 / TOOK_US) + 1, MOST_TOOK) << TOOK_SHIFT


def encode_result(number: int, payload: bytes, flags: int = 0) -> bytes:
    """The bytes of a RESULT."""
    return HEADER.pack(RESULT, flags, number, 0, len(payload)) + payload


def call_head(
    request_id: str,
    deadline_ms: int,
    arn: str,
    trace_id: str = "",
    client_context: str = "",
    identity: str = "",
    tenant: str = "",
) -> bytes:
    """The head of an INVOKE: its fields between NULs, which none of them may hold. The empty one stands for none.

    `deadline_ms` is in Unix milliseconds; `client_context` and `identity` are JSON texts.
    """
    fields = f"{request_id}\0{deadline_ms}\0{arn}\0{trace_id}\0{client_context}\0{identity}\0{tenant}"
    if fields.count("\0") != 6:
        given = (request_id, str(deadline_ms), arn, trace_id, client_context, identity, tenant)
        fields = "\0".join(field.replace("\0", "") for field in given)
    return fields.encode("utf-8", "surrogatepass")


def call_fields(head: bytes) -> list[str]:
    """The seven fields of an INVOKE's head, as texts; `FrameError`."""
    fields = head.decode("utf-8", "surrogatepass").split("\0")
    if len(fields) != 7:
        raise FrameError("the head of a call has seven fields")
    return fields


class Decoder:
    """Bytes in, frames out."""

    __slots__ = ("_rest", "buffered")

    def __init__(self) -> None:
        self._rest = bytearray()
        self.buffered = 0  # bytes of a frame that is not complete yet, or of frames that nobody has asked for yet

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Frames that `data` completes; `FrameError` when the stream makes no sense.

        All of them must be taken before more is fed.
        """
        source: bytes | bytearray = data
        if self._rest:
            self._rest += data
            source = self._rest
        at, size = 0, len(source)
        while size - at >= 16:
            kind, flags, number, head_length, payload_length = HEADER.unpack_from(source, at)
            if head_length > MAX_HEAD or payload_length > MAX_PAYLOAD:
                raise FrameError(f"a frame of {head_length} + {payload_length} bytes exceeds the limits")
            start = at + 16
            middle = start + head_length
            end = middle + payload_length
            if end > size:
                break
            at = end
            self.buffered = size - at
            yield Frame(kind, flags, number, bytes(source[start:middle]), bytes(source[middle:end]))
        if source is self._rest:
            if at:
                del self._rest[:at]
        elif at < size:
            self._rest += data[at:]
        self.buffered = size - at
