"""The books of lent instances: the `leases.Lender` beside `placement`, with which it shares pools and ledger."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mayfly.clock import Clock
from mayfly.engine.habits import Habits
from mayfly.engine.instance import Instance
from mayfly.engine.ledger import Ledger
from mayfly.engine.line import Line
from mayfly.engine.pool import Pool
from mayfly.engine.provisioned import Standby
from mayfly.engine.states import State
from mayfly.engine.tally import Tally
from mayfly.policy import processors, scaling


class Lending:
    """What one engine lends, and on which conditions."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        ledger: Ledger,
        line: Line,
        standby: Standby,
        tally: Tally,
        habits: Habits[Any] | None,
        clock: Clock,
        *,
        on_idle: Callable[[Instance], None],
        settled: asyncio.Event,
        lends: Callable[[], bool],
        max_age_s: float,
    ) -> None:
        """`on_idle` gets what came back, `settled` is set whenever a loan ended; nothing is lent unless `lends`."""
        self._pools = pools
        self._ledger = ledger
        self._line = line
        self._standby = standby
        self._tally = tally
        self._habits = habits
        self._clock = clock
        self._on_idle = on_idle
        self._settled = settled
        self._lends = lends
        self._max_age_s = max_age_s

    def borrow(self, key: str) -> tuple[Instance, bool] | None:
        pool = self._pools.get(key)
        if not self._lends() or (pool is not None and pool.sharing is not None):
            return None  # what runs several calls is not for one borrower
        if pool is not None and pool.target.contract != "frames":
            return None  # its conversation stays in this process
        if (ready := self._standby.take(key)) is not None:
            self._begin(ready, provisioned=True)
            return ready, True
        if pool is None or not pool.idle or pool.waiting:
            return None
        if self._ledger.limits.calls_per_concurrency is not None or pool.target.concurrency > 1:
            return None  # every call is to be counted, or placed, here
        demand = self._ledger.demand(pool.target, idle=len(pool.idle), start_after_s=0.0, accepted=False)
        if not isinstance(scaling.decide(demand), scaling.Use):
            return None
        if pool.idle[-1].wake_mb > max(0, demand.free_mb):
            return None
        instance = pool.idle.pop()
        if (own := pool.target.cpus) is not None:
            instance.allow(processors.allowed_lent(own, pool.grant))
        self._ledger.idle_mb -= instance.holds_mb
        self._begin(instance, provisioned=False)
        return instance, False

    def places(self, key: str, wanted: int, mine: Collection[Instance]) -> tuple[Instance, int, bool] | None:
        pool = self._pools.get(key)
        if not self._lends() or self._ledger.limits.calls_per_concurrency is not None:
            return None
        if pool is None or pool.sharing is None or pool.waits:
            return None
        if (ready := self._standby.take(key)) is not None:
            if not ready.shares.possible:
                self._standby.ready(ready)
                return None
            # A call on it is paid for; those beside it are not.
            places = 1 + max(0, min(wanted, ready.capacity) - 1, self._left(pool.target.function))
            places = min(places, wanted, ready.capacity)
            self._begin(ready, provisioned=True)
            self._more(ready, places - 1)
            return ready, places, True
        instance = next((one for one in mine if one.target.key == key and one.has_room), None)
        instance = instance or pool.sharing.choose()
        left = self._left(pool.target.function)
        if instance is None and left > 0:
            instance = self._idle(pool)
        if instance is None or not instance.shares.possible:
            return None
        places = min(wanted, instance.capacity - instance.load, left)
        if places <= 0:
            return None
        if instance in pool.idle:
            pool.idle.remove(instance)
            self._ledger.idle_mb -= instance.holds_mb
        self._begin(instance, provisioned=False)
        self._more(instance, places - 1)
        return instance, places, False

    def _left(self, function: str) -> int:
        """How many more calls may run, as far as concurrency is limited."""
        calls, limit = self._ledger.counted(function, accepted=False)
        return limit - calls

    def _idle(self, pool: Pool) -> Instance | None:
        """The idle instance that is next, if there is memory for it to run."""
        if not pool.idle:
            return None
        free_mb = self._ledger.memory_mb - self._ledger.held_mb
        return pool.idle[-1] if pool.idle[-1].wake_mb <= max(0, free_mb) else None

    def _more(self, instance: Instance, places: int) -> None:
        for _ in range(places):
            self._ledger.accept(instance.target.function)

    def noted(self, instance: Instance) -> None:
        pool = self._pools.get(instance.target.key)
        if pool is not None and pool.sharing is not None and instance.id in pool.instances:
            pool.sharing.note(instance)

    def gave_back(self, instance: Instance, places: int) -> None:
        for _ in range(places):
            self._ledger.settle(instance.target.function)
        self._settled.set()

    def outworn(self, instance: Instance) -> bool:
        return self._clock.monotonic() - instance.created_at > self._max_age_s

    def _begin(self, instance: Instance, *, provisioned: bool) -> None:
        self._ledger.accept(instance.target.function, provisioned=provisioned)
        if self._habits is not None:
            self._habits.called(instance.target, self._clock.monotonic())

    def concluded(self, instance: Instance, calls: int, *, provisioned: bool) -> None:
        if calls and (provisioned or self._standby.owns(instance)):
            self._tally.provisioned_call(instance.target.function, calls)
        elif calls and self._standby.view(instance.target.key) is not None:
            self._tally.spilled_over(instance.target.function, calls)
        self._ledger.settle(instance.target.function, provisioned=provisioned)
        if self._habits is not None:
            self._habits.ended(instance.target.key)
        self._settled.set()

    def returned(self, instance: Instance) -> None:
        if instance.state is State.IDLE:
            self._on_idle(instance)

    @property
    def pressed(self) -> bool:
        return bool(self._line.waiting())
