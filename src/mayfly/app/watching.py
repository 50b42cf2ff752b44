"""What is measured and watched, built: metrics, alarms on them, the metrics of functions, and the disk.

Called by the composition root, like `messaging`, which it tells of what it sees.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mayfly.app.call_metrics import CallMetrics
from mayfly.app.disk_watch import DiskWatch
from mayfly.clock import Clock
from mayfly.metering.ledger import Ledger
from mayfly.services.metrics.service import MetricsService
from mayfly.services.ports import EventTargets, PlatformEvents
from mayfly.settings import Settings
from mayfly.store.api import Store


class Watching:
    """The parts, and their background work: `run` it as a task."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        ledger: Ledger,
        flush: Callable[[], Awaitable[None]],
        targets: EventTargets,
        events: PlatformEvents,
    ) -> None:
        self.calls = CallMetrics(store, ledger, flush, events, clock)
        self.metrics = MetricsService(
            store, clock, targets, events, self.calls.settle, settings.account, settings.region
        )
        self._disk = DiskWatch(settings.data, store, events, clock)

    async def run(self) -> None:
        """Look after alarms, old metrics and the disk until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.metrics.run(), name="metrics")
            tasks.create_task(self.calls.run(), name="call-metrics")
            tasks.create_task(self._disk.run(), name="disk")
