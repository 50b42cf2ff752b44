"""Queues and streams hold to the contract of drivers."""

from typing import Any

import msgspec
import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import RequestContext
from mayfly.services.functions.mappings import filters
from mayfly.services.functions.mappings.discarding import Discarded
from mayfly.services.functions.mappings.drivers import Driver
from mayfly.services.functions.mappings.metering import NoMeter
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.queue_driver import QueueDriver
from mayfly.services.functions.mappings.shapes import KinesisShape
from mayfly.services.functions.mappings.stream_driver import StreamDriver
from mayfly.services.ports import QueueMessage
from mayfly.services.queues.service import QueuesService
from mayfly.store.api import Tx
from mayfly.store.sqlite import SqliteStore
from tests.conftest import OpenStore
from tests.services.functions.mappings.drivers_contract import DriverContract, Harness, OrderContract
from tests.services.functions.mappings.log_streams import LogStreams, stream_arn
from tests.services.functions.mappings.staging import CALLER, queue_arn
from tests.services.functions.stage import ACCOUNT, ARN, REGION


class NoDiscards:
    """Nobody hears of what is given up."""

    async def ahead(self, discarded: Discarded) -> bool:
        return False

    def hand(self, tx: Tx, discarded: Discarded) -> bool:
        return False


class QueueHarness:
    def __init__(self, store: SqliteStore, clock: ManualClock, name: str) -> None:
        self.ordered = name.endswith(".fifo")
        self._store = store
        self._clock = clock
        self._name = name
        self.queues = QueuesService(store, clock)
        self._mapping = Mapping("u", "sqs", queue_arn(name), f"{ARN}f", 0.0, "Enabled")

    async def create(self) -> None:
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if self.ordered else {}
        context = RequestContext("r", ACCOUNT, REGION, CALLER, "http://127.0.0.1:4566")
        request = {"QueueName": self._name, "Attributes": attributes}
        await self.queues.operations["CreateQueue"](context, request)

    def driver(self, **settings: Any) -> Driver:
        if self.ordered:
            settings.pop("window_s", None)
        return self._driver(msgspec.structs.replace(self._mapping, **_of_kind(settings, 0)))

    def absent(self) -> Driver:
        return self._driver(msgspec.structs.replace(self._mapping, source=queue_arn("absent")))

    def _driver(self, mapping: Mapping) -> Driver:
        return QueueDriver(
            mapping, self.queues.source, self._store, self._clock, filters.compiled(mapping.filters), NoMeter()
        )

    async def put(self, *records: tuple[str, str]) -> None:
        sink, arn = self.queues.sink, queue_arn(self._name)

        def body(tx: Tx) -> None:
            for number, (key, text) in enumerate(records):
                message = QueueMessage(text)
                if self.ordered:
                    message = QueueMessage(text, group_id=key, deduplication_id=str(number))
                sink.send(tx, arn, message)

        await self._store.write(body)

    def pass_time(self) -> None:
        self._clock.advance(31)


class StreamHarness:
    def __init__(self, store: SqliteStore, clock: ManualClock, shards: int, factor: int) -> None:
        self._store = store
        self._clock = clock
        self._shards = shards
        self.streams = LogStreams(store, clock)
        self._mapping = Mapping(
            "u", "kinesis", stream_arn("s"), f"{ARN}f", 0.0, "Enabled", position="TRIM_HORIZON", factor=factor
        )

    async def create(self) -> None:
        await self.streams.create("s", self._shards)

    def driver(self, **settings: Any) -> Driver:
        return self._driver(msgspec.structs.replace(self._mapping, **_of_kind(settings, 1)))

    def absent(self) -> Driver:
        return self._driver(msgspec.structs.replace(self._mapping, source=stream_arn("absent")))

    def _driver(self, mapping: Mapping) -> Driver:
        shape = KinesisShape(mapping.source, "role")
        criteria = filters.compiled(mapping.filters)
        source = self.streams.source
        return StreamDriver(mapping, source, shape, self._store, self._clock, criteria, NoMeter(), NoDiscards())

    async def put(self, *records: tuple[str, str]) -> None:
        await self.streams.put(*((key, text.encode()) for key, text in records))

    def pass_time(self) -> None:
        self._clock.advance(31)


def _of_kind(settings: dict[str, Any], kind: int) -> dict[str, Any]:
    """Settings, with the filter that is for this kind."""
    return {name: (value[kind],) if name == "filters" else value for name, value in settings.items()}


class TestStandardQueue(DriverContract):
    @pytest.fixture
    async def harness(self, open_store: OpenStore, clock: ManualClock) -> Harness:
        found = QueueHarness(await open_store("mayfly.services.queues"), clock, "q")
        await found.create()
        return found


class TestFifoQueue(OrderContract):
    @pytest.fixture
    async def harness(self, open_store: OpenStore, clock: ManualClock) -> Harness:
        found = QueueHarness(await open_store("mayfly.services.queues"), clock, "q.fifo")
        await found.create()
        return found


@pytest.mark.parametrize(("shards", "factor"), [(1, 1), (3, 1), (2, 3)])
class TestStream(OrderContract):
    @pytest.fixture
    async def harness(self, open_store: OpenStore, clock: ManualClock, shards: int, factor: int) -> Harness:
        store = await open_store("mayfly.streams", "mayfly.services.functions.mappings")
        found = StreamHarness(store, clock, shards, factor)
        await found.create()
        return found
