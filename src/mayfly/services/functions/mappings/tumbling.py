"""Tumbling windows: what a function is told of its window, and what it says of its state. Pure.

"Implementing stateful Kinesis Data Streams processing in Lambda" in AWS's developer guide: each call is given the state
that the last one returned, and one without a state failed; a state of more than 1 MB ends its window early.
"""

from typing import Any, Final

import msgspec

from mayfly.clock import iso_millis
from mayfly.services.functions.mappings.checkpoints import Window

MAX_STATE_BYTES: Final = 1024 * 1024

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def members(window: Window, size_s: int, shard: str, arn: str, *, final: bool) -> bytes:
    """The members of an event beside its records, each with a comma before it."""
    shown: dict[str, Any] = {
        "window": {"start": _time(window.began_at), "end": _time(window.began_at + size_s)},
        "state": msgspec.Raw(window.state.encode()),
        "shardId": shard,
        "eventSourceARN": arn,
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": final and window.early,
    }
    return b"," + _encode(shown)[1:-1]


def state_of(answer: bytes) -> str | None:
    """The state that a function returned, as JSON; None where it returned none."""
    try:
        found = _decode(answer).get("state")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return None if found is None or bytes(found) == b"null" else bytes(found).decode()


def moved_on(window: Window, state: str | None) -> Window:
    """The window after a call."""
    if state is None:
        return window
    early = window.early or len(state.encode()) > MAX_STATE_BYTES
    return Window(window.began_at, window.state if early and not window.early else state, early)


def _time(at: float) -> str:
    return iso_millis(at).partition(".")[0] + "Z"
