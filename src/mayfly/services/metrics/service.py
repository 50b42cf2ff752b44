"""Metrics and alarms, built: what others measure by, and the tasks that look at alarms and tidy up. `on_the_wire` has
the operations."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.metrics import alarms, reading, series
from mayfly.services.metrics import statements as sql
from mayfly.services.metrics.alarms import Alarms
from mayfly.services.metrics.evaluation import Evaluation
from mayfly.services.metrics.model import HISTORY_S, NEWEST_S, OLDEST_S, SPANS
from mayfly.services.ports import EventTargets, Measured, PlatformEvents
from mayfly.store.api import Reader, Store, Tx

TIDY_INTERVAL_S = 600.0
PACKAGE = "mayfly.services.metrics"

_log = logging.getLogger(__name__)


class MetricsService:
    """`settle` brings in what the platform has measured of its functions up to now."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        targets: EventTargets,
        events: PlatformEvents,
        settle: Callable[[], Awaitable[None]],
        account: str,
        region: str,
    ) -> None:
        self.store, self.clock, self.settle = store, clock, settle
        self.changes = Alarms(clock, targets, events, account, region)
        self.evaluation = Evaluation(store, clock, self.changes, settle)

    def states(self, reader: Reader, names: Sequence[str]) -> Mapping[str, str]:
        """See `ports.AlarmStates`."""
        return {name: alarm.state for name in names if (alarm := alarms.find(reader, name)) is not None}

    def measure(self, tx: Tx, found: Sequence[Measured]) -> None:
        """See `ports.MetricSink`."""
        now = self.clock.now()
        series.record(tx, [reading.measured(one) for one in found if now - OLDEST_S <= one.at <= now + NEWEST_S])

    async def run(self) -> None:
        """Look at alarms and join old points, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.evaluation.run(), name="alarms")
            tasks.create_task(self._keep_tidy(), name="metrics-tidy")

    async def tidy(self) -> None:
        """Join points that are old enough, and forget what nobody can ask for any more."""
        while await self.store.write(lambda tx: series.roll_up(tx, self.clock.now())):
            pass

        def body(tx: Tx) -> None:
            now = self.clock.now()
            tx.run(sql.FORGET_SERIES, {"before": int(now) - SPANS[-1][1]})
            tx.run(sql.EXPIRE_HISTORY, {"before": now - HISTORY_S})

        await self.store.write(body)

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_INTERVAL_S)
            try:
                await self.tidy()
            except MayflyError as error:
                _log.warning("old metrics were not joined this time: %s", error)
