"""What authorizers have decided, kept for as long as each of them says.

In memory: after a restart they are asked again.
"""

from typing import Any, Final

from mayfly.clock import Clock

MOST: Final = 10_000  # decisions of one authorizer; the oldest goes first


class Decisions:
    """Those of one authorizer, by what it was told of the caller."""

    def __init__(self, clock: Clock, ttl_s: float) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._kept: dict[str, tuple[float, Any]] = {}

    def find(self, key: str) -> Any | None:
        """What was decided, if that still counts."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= self._clock.monotonic():
            del self._kept[key]
            return None
        return found[1]

    def keep(self, key: str, decision: Any) -> None:
        """Keep a decision."""
        if self._ttl_s <= 0:
            return
        self._kept.pop(key, None)
        if len(self._kept) >= MOST:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self._clock.monotonic() + self._ttl_s, decision)
