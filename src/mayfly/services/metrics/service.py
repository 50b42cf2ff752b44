"""Metrics and alarms, built: CloudWatch on the wire, and the tasks that look at alarms and tidy up."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.contract import Handler, operations_of
from mayfly.services.metrics import alarms, reading, series
from mayfly.services.metrics import statements as sql
from mayfly.services.metrics.alarms import Alarms
from mayfly.services.metrics.evaluation import Evaluation
from mayfly.services.metrics.model import HISTORY_S, NEWEST_S, OLDEST_S, SPANS
from mayfly.services.metrics.operations.alarms import AlarmOperations
from mayfly.services.metrics.operations.data import DataOperations, Settle
from mayfly.services.metrics.operations.tags import TagOperations
from mayfly.services.ports import EventTargets, Measured, PlatformEvents
from mayfly.store.api import Reader, Store, Tx

TIDY_INTERVAL_S = 600.0
PACKAGE = "mayfly.services.metrics"

_log = logging.getLogger(__name__)


class MetricsService:
    """A `Service`. `settle` brings in what the platform has measured of its functions up to now."""

    name = "cloudwatch"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        targets: EventTargets,
        events: PlatformEvents,
        settle: Settle,
        account: str,
        region: str,
    ) -> None:
        self._store = store
        self._clock = clock
        changes = Alarms(clock, targets, events, account, region)
        self.evaluation = Evaluation(store, clock, changes, settle)
        self.operations: Mapping[str, Handler] = operations_of(
            DataOperations(store, clock, settle),
            AlarmOperations(store, clock, changes),
            TagOperations(store, changes),
        )

    def states(self, reader: Reader, names: Sequence[str]) -> Mapping[str, str]:
        """See `ports.AlarmStates`."""
        return {name: alarm.state for name in names if (alarm := alarms.find(reader, name)) is not None}

    def measure(self, tx: Tx, found: Sequence[Measured]) -> None:
        """See `ports.MetricSink`."""
        now = self._clock.now()
        series.record(tx, [reading.measured(one) for one in found if now - OLDEST_S <= one.at <= now + NEWEST_S])

    async def run(self) -> None:
        """Look at alarms and join old points, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.evaluation.run(), name="alarms")
            tasks.create_task(self._keep_tidy(), name="metrics-tidy")

    async def tidy(self) -> None:
        """Join points that are old enough, and forget what nobody can ask for any more."""
        while await self._store.write(lambda tx: series.roll_up(tx, self._clock.now())):
            pass

        def body(tx: Tx) -> None:
            now = self._clock.now()
            tx.run(sql.FORGET_SERIES, {"before": int(now) - SPANS[-1][1]})
            tx.run(sql.EXPIRE_HISTORY, {"before": now - HISTORY_S})

        await self._store.write(body)

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_INTERVAL_S)
            try:
                await self.tidy()
            except MayflyError as error:
                _log.warning("old metrics were not joined this time: %s", error)
