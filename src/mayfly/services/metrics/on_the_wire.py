"""Metrics and alarms on the wire: CloudWatch. Built by the composition root, when somebody asks for them."""

from collections.abc import Mapping

from mayfly.services.contract import Handler, operations_of
from mayfly.services.metrics.operations.alarms import AlarmOperations
from mayfly.services.metrics.operations.data import DataOperations
from mayfly.services.metrics.operations.tags import TagOperations
from mayfly.services.metrics.service import MetricsService


class MetricsOnTheWire:
    """A `Service`."""

    name = "cloudwatch"

    def __init__(self, metrics: MetricsService) -> None:
        store, clock = metrics.store, metrics.clock
        self.operations: Mapping[str, Handler] = operations_of(
            DataOperations(store, clock, metrics.settle),
            AlarmOperations(store, clock, metrics.changes),
            TagOperations(store, metrics.changes),
        )
