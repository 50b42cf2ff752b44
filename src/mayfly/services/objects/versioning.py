"""The names and the order of versions. Pure.

A version's position is the time of its making in microseconds, pushed behind the version before it where the clock is
not. Its id begins with the position, so that a listing can go on behind a version that is gone by then.
"""

import hashlib
import re
from typing import Final, Literal

Versioning = Literal["", "Enabled", "Suspended"]  # "": never enabled

NULL: Final = "null"  # the id of what was written while versioning was not enabled
_ID: Final = re.compile(r"[0-9a-f]{32}")
_POSITION_DIGITS: Final = 14


def next_position(now: float, newest: int | None) -> int:
    """The position of a version made at `now`, behind that of the newest one that there is."""
    made = int(now * 1_000_000)
    return made if newest is None else max(made, newest + 1)


def version_id(versioning: Versioning, key: str, position: int) -> str:
    """The id of a new version: the null one unless versioning is enabled."""
    if versioning != "Enabled":
        return NULL
    position_text = f"{position:0{_POSITION_DIGITS}x}"
    return position_text + hashlib.sha256(f"{position_text} {key}".encode()).hexdigest()[: 32 - _POSITION_DIGITS]


def position_of(identity: str) -> int | None:
    """The position that an id tells; None for the null version, and for what is no id."""
    return int(identity[:_POSITION_DIGITS], 16) if _ID.fullmatch(identity) else None
