"""Schedules, built: the service `scheduler`."""

import asyncio
from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import EventTargets, KeySource, QueueSink, Roles, SdkOperations
from mayfly.services.schedules import catalog
from mayfly.services.schedules import statements as sql
from mayfly.services.schedules.calling import Calling
from mayfly.services.schedules.deliveries import Deliveries
from mayfly.services.schedules.firing import Firing
from mayfly.services.schedules.handing import Handing
from mayfly.services.schedules.model import DEFAULT_GROUP, SERVICE_PRINCIPAL
from mayfly.services.schedules.names import Home
from mayfly.services.schedules.operations.groups import GroupOperations
from mayfly.services.schedules.operations.schedules import ScheduleOperations
from mayfly.services.schedules.operations.tags import TagOperations
from mayfly.services.schedules.removal import Removal
from mayfly.services.schedules.timing import Timing
from mayfly.store.api import ReadyQueue, Store
from mayfly.ticker.ticker import Ticker


class SchedulesService:
    """A `Service`. `start` before it is used, and `run` as a task for as long as it is."""

    name = "scheduler"

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        clock: Clock,
        home: Home,
        targets: EventTargets,
        operations: SdkOperations,
        roles: Roles,
        keys: KeySource,
        dead_letters: QueueSink,
        endpoint: str,
    ) -> None:
        self._store = store
        self._clock = clock
        execution = ExecutionRoles(roles, keys, home.account, SERVICE_PRINCIPAL, clock)
        timing, handing_over = Timing(), Handing(targets, home)
        firing = Firing(queue, timing, handing_over, execution)
        self.ticker = Ticker(store, clock, "schedules", firing.tick)
        calling = Calling(operations, execution, home, endpoint)
        self.deliveries = Deliveries(store, queue, clock, home, handing_over, calling, execution, dead_letters)
        self.removal = Removal(store, self.ticker)
        self.operations: Mapping[str, Handler] = operations_of(
            ScheduleOperations(store, clock, home, self.ticker, timing, execution, operations),
            GroupOperations(store, clock, home, self.removal),
            TagOperations(store, clock, home),
        )

    async def start(self) -> None:
        """Make the default group, once."""
        if await self._store.read(lambda reader: catalog.find_group(reader, DEFAULT_GROUP)) is None:
            row = {"name": DEFAULT_GROUP, "now": self._clock.now(), "tags": "{}"}
            await self._store.write(lambda tx: tx.run(sql.INSERT_GROUP, row))

    async def run(self) -> None:
        """Tick, deliver and remove until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ticker.run(), name="schedules-ticker")
            tasks.create_task(self.deliveries.run(), name="schedules-deliveries")
            tasks.create_task(self.removal.run(), name="schedules-removal")
