"""Which driver reads a kind of source, and what is asked of a source before a mapping is made."""

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.mappings import filters
from mayfly.services.functions.mappings.drivers import Driver, Meter
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.queue_driver import QueueDriver
from mayfly.services.ports import QueueSource
from mayfly.store.api import Store


class Sources:
    """Every kind that there is."""

    def __init__(self, queues: QueueSource, store: Store, clock: Clock) -> None:
        self._queues = queues
        self._store = store
        self._clock = clock

    async def check(self, mapping: Mapping, timeout_s: int) -> None:
        """`ServiceError` unless the source is there and suits a function with that timeout."""
        if mapping.kind == "sqs":
            return await self._check_queue(mapping, timeout_s)
        raise faults.invalid_parameter(f"Stream not found: {mapping.source}")

    def driver(self, mapping: Mapping, meter: Meter) -> Driver:
        return QueueDriver(mapping, self._queues, self._store, self._clock, filters.compiled(mapping.filters), meter)

    async def _check_queue(self, mapping: Mapping, timeout_s: int) -> None:
        try:
            visibility_s = await self._queues.visibility_s(mapping.source)
        except ServiceError as error:
            raise faults.invalid_parameter(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
                "SQS Error Message: The specified queue does not exist."
            ) from error
        if visibility_s < timeout_s:
            raise faults.invalid_parameter(
                f"Queue visibility timeout: {visibility_s} seconds is less than Function timeout: {timeout_s} seconds"
            )
