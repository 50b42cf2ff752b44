"""The books of lent instances: the `leases.Lender` beside `placement`, with which it shares pools and ledger."""

import asyncio
from collections.abc import Callable, Mapping
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
from mayfly.policy import scaling


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
        self._ledger.idle_mb -= instance.holds_mb
        self._begin(instance, provisioned=False)
        return instance, False

    def _begin(self, instance: Instance, *, provisioned: bool) -> None:
        self._ledger.accept(instance.target.function, provisioned=provisioned)
        if self._habits is not None:
            self._habits.called(instance.target, self._clock.monotonic())

    def concluded(self, instance: Instance, calls: int, *, provisioned: bool) -> None:
        if calls and provisioned:
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
