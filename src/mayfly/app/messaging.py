"""Event buses, built with what belongs to them: API destinations, webhooks, and their pages over plain HTTP."""

import asyncio
import uuid
from collections.abc import Mapping

from mayfly import ids
from mayfly.app.destinations import DestinationCalls
from mayfly.app.event_pages import EventPages
from mayfly.app.foundations import Foundations
from mayfly.app.webhook_pages import WebhookPages
from mayfly.http.api import Answer
from mayfly.outgoing.api import Sender
from mayfly.services.events.api_destinations import ApiDestinations
from mayfly.services.events.service import EventsService
from mayfly.services.events.webhook_desk import WebhookDesk
from mayfly.services.ports import EventTargets, QueueSink, Vault


class Buses:
    """The service, `calls` for pipes, and `pages` by the path segment below `/_mayfly/`."""

    def __init__(
        self, base: Foundations, targets: EventTargets, queues: QueueSink, vault: Vault, outgoing: Sender
    ) -> None:
        store, clock, settings = base.store, base.clock, base.settings
        self._destinations = ApiDestinations(store, vault, outgoing, clock, lambda: str(uuid.uuid4()))
        self.events = EventsService(
            store,
            base.queue,
            targets,
            queues,
            self._destinations.deliveries,
            clock,
            ids.RequestIds().next,
            account=settings.account,
            region=settings.region,
            limits=settings.events,
            more=self._destinations.operations,
        )
        self.services = (self.events,)
        self.calls = DestinationCalls(self._destinations.deliveries)
        place = (settings.account, settings.region, clock)
        webhooks = WebhookDesk(store, vault, self.events.intake, clock, lambda: str(uuid.uuid4()))
        self.pages: Mapping[str, Answer] = {
            **EventPages(base.signed, self.events.intake, self.events.schemas, *place).table(),
            **WebhookPages(base.signed, webhooks, *place).table(),
        }

    async def run(self) -> None:
        """Work in the background until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.events.run(), name="events")
            tasks.create_task(self._destinations.run(), name="api-destinations")
