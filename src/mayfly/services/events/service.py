"""The events service, built: EventBridge on the wire."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.events.archives import ArchiveKeeper
from mayfly.services.events.bus_targets import BusTargets, DefaultBus
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.deliveries import Deliveries
from mayfly.services.events.http_targets import HttpTargets
from mayfly.services.events.intake import Intake
from mayfly.services.events.lanes import Lanes
from mayfly.services.events.letters import DeadLetters
from mayfly.services.events.operations.absent import AbsentOperations
from mayfly.services.events.operations.archives import ArchiveOperations
from mayfly.services.events.operations.buses import BusOperations
from mayfly.services.events.operations.events import EventOperations
from mayfly.services.events.operations.permissions import PermissionOperations
from mayfly.services.events.operations.replays import ReplayOperations
from mayfly.services.events.operations.rules import RuleOperations
from mayfly.services.events.operations.tags import TagOperations
from mayfly.services.events.operations.targets import TargetOperations
from mayfly.services.events.replays import Replayer
from mayfly.services.events.router import LANE, Router
from mayfly.services.events.scheduled import ScheduledRules
from mayfly.services.events.schema_book import SchemaBook
from mayfly.services.ports import EventTargets, QueueSink
from mayfly.settings import EventLimits
from mayfly.store.api import Claim, ReadyQueue, Store
from mayfly.ticker.recurring import RecurringTicker

TICKS = "rules"


class EventsService:
    """A `Service`. `run` is its background work and must be a task for as long as the service is used."""

    name = "events"

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        targets: EventTargets,
        queues: QueueSink,
        http: HttpTargets,
        clock: Clock,
        new_id: Callable[[], str],
        *,
        account: str,
        region: str,
        limits: EventLimits,
        more: Sequence[object] = (),  # groups of operations that are built elsewhere
    ) -> None:
        catalog = Catalog()
        self.schemas = SchemaBook(store, catalog, clock)
        self._lanes = Lanes(store, queue)
        self._deliveries = Deliveries(store, queue, self._lanes, targets, http, DeadLetters(queues, clock), clock)
        self._router = Router(store, queue, self._lanes, catalog, self._deliveries, clock.now, self.schemas.notice)
        self._lanes.attach(self._handle)
        self._keeper = ArchiveKeeper(store, clock)
        self._replayer = Replayer(store, self._router, clock)
        scheduled = ScheduledRules(self._router, new_id)
        self._ticker = RecurringTicker(store, clock, TICKS, scheduled.tick)
        self.event_targets = BusTargets(store, self._router, http, clock, new_id)
        self.platform_events = DefaultBus(catalog, self._router, clock, new_id, account, region)
        self.intake = Intake(store, self._router.route, clock)
        self.operations: Mapping[str, Handler] = operations_of(
            AbsentOperations(),
            ArchiveOperations(store, clock, catalog, self._keeper, limits),
            BusOperations(store, clock, catalog, limits),
            EventOperations(store, clock, catalog, self._router, new_id),
            PermissionOperations(store, clock, catalog),
            ReplayOperations(store, clock, self._replayer, limits),
            RuleOperations(store, catalog, self._ticker, limits),
            TagOperations(store),
            TargetOperations(store, catalog, targets, limits),
            *more,
        )

    async def run(self) -> None:
        """Deliver what waits, tick, replay, keep archives, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (self._lanes, self._ticker, self._replayer, self._keeper, self.schemas):
                group.create_task(work.run(), name=f"events-{type(work).__name__.lower()}")

    def clock_moved(self) -> None:
        """Let rules that wait for the clock look at it again: for whoever moves it by hand, or saw it jump."""
        self._ticker.ticker.clock_moved()

    async def _handle(self, lane: str, claim: Claim) -> bool:
        if lane == LANE:
            await self._router.handle(claim)
            return True
        return await self._deliveries.handle(claim)
