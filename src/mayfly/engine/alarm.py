"""One timer for many deadlines, most of which are never reached.

Making a timer for every call, and cancelling it when the call ends, costs as much as a tenth of a small call. So a
timer that is set for a call goes off although the call has ended, and whoever it wakes looks at what is due then.

It remembers its own time: uvloop's handle of something that is due within the millisecond does not know when.
"""

import asyncio
import math
from collections.abc import Callable


class Alarm:
    """Calls `due` at the earliest time asked for, or somewhat later; not before anything was asked for."""

    __slots__ = ("_at", "_due", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, due: Callable[[], None]) -> None:
        self._loop = loop
        self._due = due
        self._handle: asyncio.Handle | None = None
        self._at = math.inf

    def by(self, at: float) -> None:
        """Go off no later than at `at`, by the loop's time. `due` asks again for what is still to come."""
        if at < self._at:
            if self._handle is not None:
                self._handle.cancel()
            self._at = at
            self._handle = self._loop.call_at(at, self._go_off)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle, self._at = None, math.inf

    def _go_off(self) -> None:
        self._handle, self._at = None, math.inf
        self._due()
