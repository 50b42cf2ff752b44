"""Topics as a service: its operations, what others publish through, its pages, and its work in the background."""

import asyncio
import logging
from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.outgoing.api import Sender
from mayfly.services.contract import Handler, operations_of
from mayfly.services.ports import EventTargets, QueueSink
from mayfly.services.pump import Pump
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.dispatch import Dispatch
from mayfly.services.topics.endpoints import Endpoints
from mayfly.services.topics.event_targets import TopicEventTargets
from mayfly.services.topics.fanout import FanOutWork, ReplayItems
from mayfly.services.topics.handshakes import Handshakes
from mayfly.services.topics.housekeeping import EVERY_S, Housekeeping
from mayfly.services.topics.lanes import Lanes
from mayfly.services.topics.model import FANOUT, REPLAYS
from mayfly.services.topics.operations.permissions import PermissionOperations
from mayfly.services.topics.operations.publishing import PublishOperations
from mayfly.services.topics.operations.refused import PushOperations, SmsOperations
from mayfly.services.topics.operations.subscriptions import SubscriptionOperations
from mayfly.services.topics.operations.topics import TopicOperations
from mayfly.services.topics.pages import TopicPages
from mayfly.services.topics.plans import Plans
from mayfly.services.topics.publishing import Publisher
from mayfly.services.topics.signatures import Signatures
from mayfly.services.topics.status import Lines, StatusLog
from mayfly.services.topics.urls import UrlDeliveries
from mayfly.store.api import ReadyQueue, Store, StoreClosedError, Vault

FAN_OUTS, REPLAYS_AT_ONCE = 4, 2
LEASE_S = 60.0

_log = logging.getLogger(__name__)


class TopicsService:
    """SNS on the wire. `event_targets` is for other services, `pages` for links in messages, `run` a task."""

    name = "sns"

    def __init__(
        self,
        store: Store,
        ready: ReadyQueue,
        queues: QueueSink,
        targets: EventTargets,
        sender: Sender,
        lines: Lines,
        clock: Clock,
        vault: Vault,
    ) -> None:
        catalog, plans = Catalog(), Plans()
        self._signatures = Signatures(store, vault, clock)
        status = StatusLog(lines, clock)
        self.lanes = Lanes(store, ready, sender, clock)
        dispatch = Dispatch(queues, targets, ready, status, clock, self.lanes.wake)
        endpoints = Endpoints(vault)
        self.lanes.attach(UrlDeliveries(store, ready, catalog, dispatch, self._signatures, endpoints, status, clock))
        publisher = Publisher(plans, dispatch, self._signatures, ready, clock)
        handshakes = Handshakes(store, catalog, dispatch, self._signatures, endpoints, clock)
        replays = ReplayItems(store, ready, catalog, dispatch, clock)
        fan_outs = FanOutWork(store, ready, catalog, publisher, self._signatures)
        self._pumps = (
            Pump(ready, FANOUT, fan_outs.do, FAN_OUTS, LEASE_S),
            Pump(ready, REPLAYS, replays.do, REPLAYS_AT_ONCE, LEASE_S),
        )
        self.housekeeping = Housekeeping(store, catalog, clock)
        self.pages = TopicPages(handshakes, self._signatures)
        self.event_targets = TopicEventTargets(store, catalog, publisher, clock)
        self.operations: Mapping[str, Handler] = operations_of(
            TopicOperations(store, catalog, clock),
            SubscriptionOperations(store, catalog, handshakes, replays, self._signatures, endpoints, clock),
            PublishOperations(store, catalog, publisher, clock),
            PermissionOperations(store, catalog),
            SmsOperations(),
            PushOperations(),
        )

    async def run(self) -> None:
        """Go on with what waits since before, deliver and keep house, until cancelled; what was under way then is done
        by the next server."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for pump in self._pumps:
                    tasks.create_task(pump.run(), name="topics-pump")
                tasks.create_task(self._keep_house(), name="topics-housekeeping")
                await self.lanes.start()
        finally:
            await self.lanes.stop()
            await self._signatures.close()

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.housekeeping.once()
            except StoreClosedError:
                return
            except PlatformError as error:
                _log.warning("topics did not forget what was due this time: %s", error)
            await asyncio.sleep(EVERY_S)
