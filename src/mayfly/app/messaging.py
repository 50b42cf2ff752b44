"""Messaging, built: the services that carry events from what happens to what is to be done about it.

Called by the composition root, which hands in what they stand on. They know one another through the ports alone.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from mayfly import ids
from mayfly.app.destinations import DestinationCalls
from mayfly.app.event_pages import EventPages
from mayfly.app.links import LateSdkOperations
from mayfly.app.targets import Targets
from mayfly.app.webhook_pages import WebhookPages
from mayfly.clock import Clock
from mayfly.outgoing.api import Sender
from mayfly.services.contract import HttpRequest, HttpResponse, Service
from mayfly.services.events.api_destinations import ApiDestinations
from mayfly.services.events.service import EventsService
from mayfly.services.events.webhook_desk import WebhookDesk
from mayfly.services.identity.service import IdentityService
from mayfly.services.pipes.names import Home as PipeHome
from mayfly.services.pipes.service import PipesService
from mayfly.services.ports import CallRecords, Vault
from mayfly.services.queues.service import QueuesService
from mayfly.services.schedules.names import Home as ScheduleHome
from mayfly.services.schedules.service import SchedulesService
from mayfly.services.topics.service import TopicsService
from mayfly.settings import Settings
from mayfly.store.api import ReadyQueue, Store
from mayfly.wire.signed import SignedRequests


class Messaging:
    """The services, and their background work: `start` once, then `run` as a task."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        queue: ReadyQueue,
        clock: Clock,
        identity: IdentityService,
        targets: Targets,
        sdk_calls: LateSdkOperations,
        url: str,
        outgoing: Sender,
        records: CallRecords,
        vault: Vault,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.queues = QueuesService(store, clock)
        targets.add("sqs", self.queues.event_targets)
        self._destinations = ApiDestinations(store, vault, outgoing, clock, lambda: str(uuid.uuid4()))
        self.events = EventsService(
            store,
            queue,
            targets,
            self.queues.sink,
            self._destinations.deliveries,
            clock,
            ids.RequestIds().next,
            account=settings.account,
            region=settings.region,
            limits=settings.events,
            more=self._destinations.operations,
        )
        self.webhooks = WebhookDesk(store, vault, self.events.intake, clock, lambda: str(uuid.uuid4()))
        targets.add("events", self.events.event_targets)
        self.topics = TopicsService(
            store, queue, self.queues.sink, targets, outgoing, lambda lines: records.append(lines, ()), clock
        )
        targets.add("sns", self.topics.event_targets)
        self.schedules = SchedulesService(
            store,
            queue,
            clock,
            ScheduleHome(settings.account, settings.region),
            targets,
            sdk_calls,
            identity.roles,
            identity.keys,
            self.queues.sink,
            url,
        )
        self.pipes = PipesService(
            store,
            clock,
            PipeHome(settings.account, settings.region),
            self.queues.source,
            targets,
            sdk_calls,
            identity.roles,
            identity.keys,
            records,
            DestinationCalls(self._destinations.deliveries),
            url,
        )

    @property
    def services(self) -> list[Service]:
        """Those that answer on the wire."""
        return [self.queues, self.topics, self.events, self.schedules, self.pipes]

    def pages(self, signed: SignedRequests) -> dict[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Ways in over plain HTTP, by the path segment below `/_mayfly/`."""
        place = (self._settings.account, self._settings.region, self._clock)
        return {
            **EventPages(signed, self.events.intake, self.events.schemas, *place).table(),
            **WebhookPages(signed, self.webhooks, *place).table(),
        }

    async def start(self) -> None:
        """Make what must be there before anybody asks."""
        await self.schedules.start()

    async def run(self) -> None:
        """Work in the background until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queues.run(), name="queues")
            tasks.create_task(self.events.run(), name="events")
            tasks.create_task(self._destinations.run(), name="api-destinations")
            tasks.create_task(self.schedules.run(), name="schedules")
            tasks.create_task(self.topics.run(), name="topics")
            tasks.create_task(self.pipes.run(), name="pipes")
