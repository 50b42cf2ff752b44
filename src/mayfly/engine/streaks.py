"""Which targets keep ending their instances, and how long their calls wait for another one (`policy.crashes`).

Beside the pools, because a pool is forgotten with its last instance. Nothing here is touched by a call of a target that
is answered, as long as none crashes.
"""

from collections import OrderedDict

from mayfly.clock import Clock
from mayfly.engine.api import Failure
from mayfly.policy import crashes
from mayfly.policy.crashes import Streak

_KEPT_S = 60.0  # without another crash


class Streaks:
    """Those of one engine, by the key of a target."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: OrderedDict[str, Streak] = OrderedDict()  # by when the last instance ended

    def ended(self, key: str, instance: str, failure: Failure | None) -> None:
        """A call has ended."""
        if failure is None and not self._all:
            return
        now, before = self._clock.monotonic(), self._all.get(key, crashes.NONE)
        after = crashes.noted(before, instance, failure.kind if failure is not None else None, now)
        if after is before:
            return
        self._all.pop(key, None)
        if after.ended:
            self._all[key] = after
        while self._all and next(iter(self._all.values())).last_at < now - _KEPT_S:
            self._all.popitem(last=False)

    def left_s(self, key: str, accepted_at: float, now: float) -> float:
        """How long a call waits before an instance is started for it."""
        streak = self._all.get(key)
        return crashes.left_s(streak, now - accepted_at, now) if streak is not None else 0.0

    def forget(self, key: str) -> None:
        """The target is no more."""
        self._all.pop(key, None)
