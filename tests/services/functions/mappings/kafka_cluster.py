"""A topic in memory, at the boundary of the client library."""

import asyncio
from collections.abc import Mapping, Sequence
from zlib import crc32

from mayfly.clock import ManualClock
from mayfly.services.contract import ServiceError
from mayfly.services.functions.mappings.kafka_client import KafkaRecord


class Topic:
    """Partitions, and what groups have committed."""

    def __init__(self, clock: ManualClock, partitions: int) -> None:
        self.clock = clock
        self.partitions: list[list[KafkaRecord]] = [[] for _ in range(partitions)]
        self.groups: dict[str, dict[int, int]] = {}
        self.grown = asyncio.Event()

    def put(self, key: str, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        records = self.partitions[crc32(key.encode()) % len(self.partitions)]
        now = int(self.clock.now() * 1000)
        records.append(KafkaRecord(len(records), now, "CREATE_TIME", key.encode() if key else None, value, headers))
        self.grown.set()
        self.grown = asyncio.Event()


class TopicClient:
    """A `kafka_client.Client` of a topic; None: there is no such topic."""

    def __init__(self, topic: Topic | None, group: str) -> None:
        self._topic = topic
        self._group = group
        self.closed = False

    async def partitions(self) -> Sequence[int]:
        return range(len(self._there.partitions))

    async def committed(self, partition: int) -> int | None:
        return self._there.groups.get(self._group, {}).get(partition)

    async def offset(self, partition: int, position: str, at: float | None) -> int:
        records = self._there.partitions[partition]
        if position == "TRIM_HORIZON":
            return 0
        if position == "LATEST":
            return len(records)
        return sum(record.timestamp_ms < (at or 0) * 1000 for record in records)

    async def fetch(self, partition: int, offset: int, most: int, wait_s: float) -> Sequence[KafkaRecord]:
        while True:
            grown = self._there.grown
            found = self._there.partitions[partition][offset : offset + most]
            if found:
                return found
            try:
                async with asyncio.timeout(wait_s):
                    await grown.wait()
            except TimeoutError:
                return ()

    async def commit(self, offsets: Mapping[int, int]) -> None:
        self._there.groups.setdefault(self._group, {}).update(offsets)

    async def close(self) -> None:
        self.closed = True

    @property
    def _there(self) -> Topic:
        if self._topic is None:
            raise ServiceError("TopicNotFound", "There is no such topic.")
        return self._topic
