"""The peak of an instance's memory. It only grows, and to ask for it costs as much as a small call."""

import contextlib
import math
from collections.abc import Callable

_EVERY_S = 0.02  # what a call is told may be this old


class Peak:
    """What `read` says in bytes; the last that was known where it raises OSError or ValueError."""

    def __init__(self, read: Callable[[], int] | None) -> None:
        """None: there is nothing to read yet, or nowhere to read it."""
        self.last = 0
        self.read = read
        self._at = -math.inf

    def now(self, now: float) -> int:
        """Until now (monotonic seconds)."""
        self._at = now
        if self.read is not None:
            with contextlib.suppress(OSError, ValueError):
                self.last = max(self.last, self.read())
        return self.last

    def lately(self, now: float) -> int:
        """Until a moment ago."""
        return self.now(now) if now > self._at + _EVERY_S else self.last
