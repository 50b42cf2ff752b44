"""Spares: sandboxes of a target that are made ahead of calls, up to the point where the function's code would run.

`templates` hands them out and has them made; how many there are to be, `policy.spares` says. A spare holds no
variables, no credentials and nothing of any call: it waits for its first frame, and uses no processor until then. It is
made when starting has been quiet for a moment, one at a time, so that a burst keeps the processors to itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mayfly.clock import Clock
from mayfly.engine.alarm import Alarm
from mayfly.engine.api import Target
from mayfly.engine.ends import give_back
from mayfly.errors import PlatformError
from mayfly.policy import spares as policy
from mayfly.sandbox.api import Sandbox

# So long nothing may have been started for a call before a spare is made.
QUIET_S = 0.03
# How long after one that could not be made the next is tried.
_RETRY_S = 5.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Spare:
    sandbox: Sandbox
    watch: asyncio.Task[None] | None = None  # waits for its end, as long as it is on its shelf


@dataclass(slots=True)
class _Shelf:
    """The spares of one target, or of all that differ in their tenant: nobody has called them yet."""

    target: Target
    demand: policy.Demand
    allowed: bool = False
    waiting: list[_Spare] = field(default_factory=list)  # the last one made is the first one used


class Spares:
    """All spares of one engine."""

    def __init__(
        self,
        make: Callable[[Target], Awaitable[Sandbox]],
        room: Callable[[Target], int],
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        most: int,
    ) -> None:
        """`make` starts one. `room` says how many instances of a target memory has room for. `most` are kept of all
        targets together."""
        self._make = make
        self._room = room
        self._loop = loop
        self._clock = clock
        self._most = most
        self._shelves: dict[str, _Shelf] = {}
        self._started_at = float("-inf")
        self._not_before = float("-inf")
        self._alarm = Alarm(self._loop, self._look)
        self._making: asyncio.Task[None] | None = None
        self._ends: set[asyncio.Task[None]] = set()  # of what is given back
        self._closed = False

    def take(self, target: Target) -> Sandbox | None:
        """A call needs an instance of `target`: a spare for it, which is the caller's from here on, or None."""
        if self._closed or not self._most:
            return None
        now = self._started_at = self._clock.monotonic()
        shelf = self._shelves.get(target.shared_key)
        if shelf is None:
            shelf = self._shelves[target.shared_key] = _Shelf(target, policy.started(None, now))
        else:
            shelf.target, shelf.demand = target, policy.started(shelf.demand, now)
        self._look_in(QUIET_S)
        return self._off(shelf, shelf.waiting[-1]) if shelf.waiting else None

    def count(self, key: str) -> int:
        shelf = self._shelves.get(key)
        return len(shelf.waiting) if shelf is not None else 0

    def allow(self, key: str) -> None:
        """It is known what instances of a target start from, so spares of it may be made."""
        shelf = self._shelves.get(key)
        if shelf is not None and not shelf.allowed:
            shelf.allowed = True
            self._look_in(QUIET_S)

    def hold(self, key: str) -> None:
        """What instances of a target start from is about to change: make no more spares of it, until `allow`."""
        shelf = self._shelves.get(key)
        if shelf is not None:
            shelf.allowed = False
            self._discard(shelf, 0)

    def drop(self, key: str) -> None:
        """Keep none of a target any more."""
        shelf = self._shelves.pop(key, None)
        if shelf is not None:
            self._discard(shelf, 0)

    async def close(self) -> None:
        """Give all back."""
        self._closed = True
        self._alarm.cancel()
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        for key in list(self._shelves):
            self.drop(key)
        await asyncio.gather(*self._ends, return_exceptions=True)

    # Looking after the shelves.

    def _look_in(self, delay_s: float) -> None:
        """Look at all shelves in `delay_s` at the latest."""
        if self._closed:
            return
        self._alarm.by(self._loop.time() + delay_s)

    def _look(self) -> None:
        """Give back what is too much, make one that is missing, and see when to look again."""
        now = self._clock.monotonic()
        quiet_in = max(self._started_at + QUIET_S, self._not_before) - now
        missing = self._missing(now)
        if missing and self._making is None:
            if quiet_in > 0:
                self._look_in(quiet_in)
            else:
                self._making = self._loop.create_task(
                    self._add(missing[0]), name=f"spare {missing[0].target.shared_key}"
                )
        changes = [policy.changes_at(shelf.demand, now) for shelf in self._shelves.values()]
        if changes:
            self._look_in(max(QUIET_S, min(changes) - now))

    def _missing(self, now: float) -> list[_Shelf]:
        """The shelves that have too few; those that have too many are relieved of the rest."""
        wants = [
            policy.Want(key, min(policy.wanted(shelf.demand, now), self._room(shelf.target)), shelf.demand.at)
            for key, shelf in self._shelves.items()
            if shelf.allowed
        ]
        missing = []
        for key, count in policy.allot(wants, self._most).items():
            shelf = self._shelves[key]
            self._discard(shelf, count)
            if len(shelf.waiting) < count:
                missing.append(shelf)
        for key in [key for key, shelf in self._shelves.items() if policy.wanted(shelf.demand, now) == 0]:
            self.drop(key)
        return missing

    async def _add(self, shelf: _Shelf) -> None:
        made: Sandbox | None = None
        try:
            made = await self._make(shelf.target)
        except PlatformError as error:
            _log.info("no spare of %s could be made: %s", shelf.target.function, error)
            self._not_before = self._clock.monotonic() + _RETRY_S
        except Exception:
            _log.exception("no spare of %s could be made", shelf.target.function)
            self._not_before = self._clock.monotonic() + _RETRY_S
        finally:
            self._making = None
        if made is None:
            self._look_in(_RETRY_S)
            return
        if self._closed or self._shelves.get(shelf.target.shared_key) is not shelf or not shelf.allowed:
            self._give_back(made)
            return
        spare = _Spare(made)
        shelf.waiting.append(spare)
        spare.watch = self._loop.create_task(self._await_end(shelf, spare), name=f"spare {made.id}")
        self._look_in(0.0)

    async def _await_end(self, shelf: _Shelf, spare: _Spare) -> None:
        """Take it off its shelf should it end there."""
        await spare.sandbox.exited()
        spare.watch = None
        self._give_back(self._off(shelf, spare))
        self._not_before = self._clock.monotonic() + _RETRY_S
        self._look_in(_RETRY_S)

    def _discard(self, shelf: _Shelf, count: int) -> None:
        """Give back all but `count`, the oldest first."""
        while len(shelf.waiting) > count:
            self._give_back(self._off(shelf, shelf.waiting[0]))

    @staticmethod
    def _off(shelf: _Shelf, spare: _Spare) -> Sandbox:
        shelf.waiting.remove(spare)
        if spare.watch is not None:
            spare.watch.cancel()
        return spare.sandbox

    def _give_back(self, spare: Sandbox) -> None:
        task = self._loop.create_task(give_back(spare), name=f"give back {spare.id}")
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)
