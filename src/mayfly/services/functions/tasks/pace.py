"""How fast deliveries begin while a flood of events is being accepted.

Whoever sends an event waits for its acceptance, and nobody for its delivery; both take the same processor. So where
events come faster than a few a commit, deliveries begin at `STARTS` in `EVERY_S` at most, which short calls notice and
long ones do not, and go on as fast as they can when the flood is over.
"""

import asyncio
from collections.abc import Callable

STARTS = 10
EVERY_S = 0.01


class Pace:
    """Used on the event loop."""

    def __init__(self, pressed: Callable[[], bool]) -> None:
        self._pressed = pressed
        self._since = 0.0
        self._starts = 0
        self._timer: asyncio.TimerHandle | None = None

    def admits(self, now: float) -> bool:
        """Whether one more may begin at `now` (seconds of the event loop); it counts as begun."""
        if not self._pressed():
            return True
        if now - self._since >= EVERY_S:
            self._since, self._starts = now, 0
        self._starts += 1
        return self._starts <= STARTS

    def later(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` when more may begin."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._go_on, go_on)

    def _go_on(self, go_on: Callable[[], None]) -> None:
        self._timer = None
        go_on()
