"""Who waits for an instance that is not there yet, which starts are under way, and who is next.

`placement` puts every pool here in which calls wait, and tells of starts that begin and are over. It asks `next_pool`
whose call to decide about whenever memory or a processor may have become free; the order is that of `policy.fairness`.
Nothing here is touched by a call that finds an idle instance.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable

from mayfly.clock import Clock
from mayfly.engine.instance import Instance
from mayfly.engine.ledger import Ledger
from mayfly.engine.pool import Pool
from mayfly.engine.streaks import Streaks
from mayfly.policy import fairness
from mayfly.policy.fairness import Claim, Had

# A start that takes longer waits for something, most likely; its place is given to another one.
LONGEST_START_S = 1.0
_FORGOTTEN_S = 0.001  # of the whole machine: who has had less has had nothing
_CHARGE_EVERY_S = 0.01


class Line:
    """One for all pools of an engine. `on_room` is called, soon and once, when somebody who waits may be next."""

    def __init__(
        self,
        ledger: Ledger,
        pools: Callable[[], Iterable[Pool]],
        working: Callable[[Pool], int],
        streaks: Streaks,
        clock: Clock,
        on_room: Callable[[], None],
    ) -> None:
        """`working` is the number of a pool's instances that start or run calls, without those that are provisioned."""
        self._ledger = ledger
        self._pools = pools
        self._working = working
        self._streaks = streaks
        self._clock = clock
        self._on_room = on_room
        self._loop = asyncio.get_running_loop()
        self._told = False
        self._waiting: dict[Pool, None] = {}  # may hold some in which nobody waits any more
        self._starting: dict[str, tuple[Instance, asyncio.TimerHandle]] = {}
        self._starts: Counter[str] = Counter()  # by function, of `_starting`
        self._had: dict[str, Had] = {}
        self._charged_at = 0.0
        self._blocked: Pool | None = None  # whose turn it is, and for which there is no memory yet
        self._blocked_at = 0.0  # since when
        self._yielded = False  # whether instances have ended for it

    # Who waits.

    def add(self, pool: Pool) -> None:
        """Calls wait in `pool`."""
        if not self.waiting():
            self._charged_at = self._clock.monotonic()
        self._waiting[pool] = None

    def waiting(self) -> list[Pool]:
        """All pools in which calls wait."""
        for pool in [pool for pool in self._waiting if not pool.waiting]:
            del self._waiting[pool]
        return list(self._waiting)

    def able(self, now: float) -> list[Pool]:
        """Those among them for which an instance could be started, if there were room."""
        return [pool for pool in self.waiting() if self._held_back_s(pool, now) <= 0]

    def places(self, function: str, tenant: str = "") -> int:
        """How many more calls of a function may wait: as many as do, at most, as there are places left then.

        So one function alone gets half of the places, two get a third each, and there is always one for another. In
        the same way its tenants share what it gets.
        """
        all_ = own = 0
        for pool in self.waiting():
            waiting = len(pool.waiting)
            all_ += waiting
            if pool.target.function == function:
                own += waiting * (2 if tenant and pool.target.tenant == tenant else 1)
        return max(0, self._ledger.limits.queue_calls - all_ - own)

    def room(self) -> None:
        """Memory or a processor may have become free, or somebody new waits."""
        if not self._told and self._waiting:
            self._told = True
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._told = False
        self._on_room()

    # Starts.

    @property
    def full(self) -> bool:
        return len(self._starting) >= self._ledger.limits.starts_at_once

    def full_for(self, function: str) -> bool:
        """Whether the function may not start another instance now."""
        return self.full or self._starts[function] >= fairness.most_for_one(self._ledger.limits.starts_at_once)

    def begin(self, instance: Instance) -> None:
        """An instance is being started."""
        timer = self._loop.call_later(LONGEST_START_S, self.over, instance)
        self._starting[instance.id] = instance, timer
        self._starts[instance.target.function] += 1

    def over(self, instance: Instance) -> None:
        """It is ready, or will never be. Idempotent."""
        entry = self._starting.pop(instance.id, None)
        if entry is None:
            return
        entry[1].cancel()
        function = instance.target.function
        self._starts[function] -= 1
        if not self._starts[function]:
            del self._starts[function]
        self.room()

    # Turns.

    def next_pool(self, now: float) -> Pool | None:
        """The pool whose first call is next; None when nobody's turn has come.

        Of one function's, the one that has waited longest is; of its tenants', one of those that have least already.
        """
        first: dict[str, tuple[tuple[int, float], Pool]] = {}
        for pool in self.able(now):
            held = self._working(pool) if pool.target.tenant else 0
            place, other = (held, pool.waiting[0].accepted_at), first.get(pool.target.function)
            if other is None or place < other[0]:
                first[pool.target.function] = place, pool
        self._charge(now)
        claims = [
            Claim(function, self._had.get(function, Had()).used_s, pool.waiting[0].accepted_at, self._starts[function])
            for function, (_, pool) in first.items()
        ]
        chosen = fairness.turn(claims, len(self._starting), self._ledger.limits.starts_at_once)
        return first[chosen.function][1] if chosen is not None else None

    def block(self, pool: Pool) -> None:
        """It is the turn of `pool`, but there is no memory: what becomes free is for it."""
        if self._blocked is not pool:
            self._blocked, self._blocked_at, self._yielded = pool, self._clock.monotonic(), False

    def served(self, pool: Pool) -> None:
        """A call that waited in `pool` has an instance."""
        if self._blocked is pool:
            self._blocked = None

    def gave_up(self, pool: Pool) -> None:
        """A call that waited in `pool` waits no longer. If it was waited for, that counts as if it had been served: it
        kept memory from the others, and the next one like it may do so as much later."""
        if self._blocked is not pool:
            return
        function, now = pool.target.function, self._clock.monotonic()
        share = fairness.dominant(pool.target.sandbox.memory_mb, self._ledger.memory_mb, 0, 1)
        before = self._had.get(function, Had(0.0, now))
        self._had[function] = before._replace(used_s=before.used_s + share * (now - self._blocked_at))
        self._blocked = None

    def gives_way(self, instance: Instance) -> bool:
        """Whether an instance that could take another call of its function is to end, for one that waits for memory."""
        function, ledger, tenant = instance.target.function, self._ledger, instance.target.tenant
        if not tenant and all(pool.target.function == function for pool in self._waiting):
            return False
        now = self._clock.monotonic()
        blocked = self.next_pool(now)
        if blocked is None or (blocked.target.function == function and blocked.target.tenant == tenant):
            return False
        if blocked.target.sandbox.memory_mb <= ledger.memory_mb - ledger.held_mb + ledger.idle_mb:
            return False  # enough have ended for it already
        self.block(blocked)
        if blocked.target.function == function:
            return self._gives_way_to_tenant(instance, blocked, now)
        mine, theirs = self._had.get(function, Had()), self._had.get(blocked.target.function, Had())
        self._yielded = fairness.gives_way(mine.used_s, theirs.used_s, begun=self._yielded)
        return self._yielded

    def _gives_way_to_tenant(self, instance: Instance, blocked: Pool, now: float) -> bool:
        own = next((pool for pool in self.waiting() if pool.target.key == instance.target.key), None)
        if own is None:
            return False
        ours, theirs = own.waiting[0].accepted_at, blocked.waiting[0].accepted_at
        return fairness.tenant_gives_way(self._working(own), self._working(blocked), ours, theirs, now)

    def _charge(self, now: float) -> None:
        """Add what every function had since the last time, if it is worth the while."""
        since, passed_s = self._charged_at, now - self._charged_at
        if passed_s < _CHARGE_EVERY_S:
            return
        self._charged_at = now
        held = self._held_mb()
        limits = self._ledger.limits
        for function in {*held, *self._starts, *self._had}:
            share = fairness.dominant(
                held[function], self._ledger.memory_mb, self._starts[function], limits.starts_at_once
            )
            before = fairness.had(self._had.get(function, Had(0.0, since)), 0.0, since)
            after = fairness.had(before, share, now)
            if after.used_s < _FORGOTTEN_S:
                self._had.pop(function, None)
            else:
                self._had[function] = after

    def _held_mb(self) -> Counter[str]:
        """Memory of instances that start or run calls, by function."""
        held: Counter[str] = Counter()
        for pool in self._pools():
            if working := self._working(pool):
                held[pool.target.function] += working * pool.target.sandbox.memory_mb
        return held

    def _held_back_s(self, pool: Pool, now: float) -> float:
        if pool.full:
            return math.inf
        crashes_s = self._streaks.left_s(pool.target.key, pool.waiting[0].accepted_at, now) if pool.waiting else 0.0
        return max(pool.start_after_s(now), crashes_s, self._ledger.scaling_after_s(pool.target.function, now))
