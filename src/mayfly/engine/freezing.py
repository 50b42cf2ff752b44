"""Stops what has nothing to do: idle instances are frozen when their grace is over, and use no processor from then on.

What a function left running behind its reply, threads or children, runs on until then, and again during the next call,
as on AWS. `policy.freezing` says how long the grace is; the instance thaws itself when it is handed a call, without a
look here. So a call costs this module one entry in a set.
"""

import asyncio
from typing import Protocol

from mayfly.clock import Clock
from mayfly.engine.states import State


class Rests(Protocol):
    """An instance, as far as this module knows it."""

    grace_s: float
    idle_since: float  # monotonic

    @property
    def state(self) -> State: ...

    def freeze(self) -> bool:
        """Only while idle; False where it cannot be frozen."""


class Freezer:
    """Watches the idle instances of one engine."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._watched: set[Rests] = set()  # those that may be idle and not frozen
        self._timer: asyncio.TimerHandle | None = None

    def rests(self, instance: Rests) -> None:
        """An instance fell idle."""
        self._watched.add(instance)
        if self._timer is None:
            self._timer = self._loop.call_later(instance.grace_s, self._due)

    def freeze_due(self) -> float | None:
        """Freeze those whose grace is over; seconds until the next one's is. None: nobody is left to watch.

        Who is not idle is forgotten: it is watched again when it next rests.
        """
        now = self._clock.monotonic()
        next_s: float | None = None
        for instance in list(self._watched):
            left_s = instance.idle_since + instance.grace_s - now
            if instance.state is State.IDLE and left_s > 0:
                next_s = left_s if next_s is None else min(next_s, left_s)
                continue
            self._watched.discard(instance)
            if instance.state is State.IDLE:
                instance.freeze()
        return next_s

    def close(self) -> None:
        """Freeze nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._watched.clear()

    def _due(self) -> None:
        self._timer = None
        next_s = self.freeze_due()
        if next_s is not None:
            self._timer = self._loop.call_later(next_s, self._due)
