"""Logs on the wire: CloudWatch Logs. Built by the composition root, when somebody asks for them."""

from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.ports import EventTargets
from mayfly.services.telemetry.book import Book
from mayfly.services.telemetry.operations.events import EventOperations
from mayfly.services.telemetry.operations.groups import GroupOperations
from mayfly.services.telemetry.operations.metric_filters import MetricFilterOperations
from mayfly.services.telemetry.operations.resource_policies import ResourcePolicyOperations
from mayfly.services.telemetry.operations.streams import StreamOperations
from mayfly.services.telemetry.operations.subscription_filters import SubscriptionFilterOperations
from mayfly.store.api import Store


class LogsOnTheWire:
    """A `Service`. `targets` are what subscription filters may name."""

    name = "logs"

    def __init__(self, store: Store, book: Book, clock: Clock, targets: EventTargets) -> None:
        self.operations: Mapping[str, Handler] = operations_of(
            GroupOperations(store, book),
            StreamOperations(store, book),
            EventOperations(store, book, clock),
            SubscriptionFilterOperations(store, book, clock, targets),
            MetricFilterOperations(store, book, clock),
            ResourcePolicyOperations(store, clock),
        )
