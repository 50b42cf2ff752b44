"""Topics of Kafka as streams: a partition is a shard, and a sequence number the offset behind a record.

How far a mapping has come is kept here, with what was told of it in one commit, like that of every stream. The consumer
group hears of it a little later, for whoever watches its lag, and says where to begin the first time.
"""

import asyncio
import base64
import logging
from collections.abc import Mapping as Members
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mayfly.clock import iso_millis
from mayfly.errors import MayflyError
from mayfly.services.functions.mappings import filters
from mayfly.services.functions.mappings.kafka_client import Client, KafkaRecord
from mayfly.services.ports import ShardInfo, ShardPage, ShardRecord

COMMIT_EVERY_S: Final = 5.0

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class KafkaSource:
    """A `ports.ShardSource` of one topic, and a `stream_driver.Follower`."""

    def __init__(self, client: Client, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._done: dict[int, int] = {}  # that the group has not heard of
        self._telling: asyncio.Task[None] | None = None

    async def shards(self, stream_arn: str) -> Sequence[ShardInfo]:
        return [ShardInfo(f"{self._topic}-{partition}") for partition in await self._client.partitions()]

    async def begin(self, stream_arn: str, shard: str, position: str, at: float | None) -> str:
        partition = self._partition(shard)
        committed = await self._client.committed(partition)
        return str(await self._client.offset(partition, position, at) if committed is None else committed)

    async def read(self, stream_arn: str, shard: str, after: str, most: int, wait_s: float) -> ShardPage:
        found = await self._client.fetch(self._partition(shard), int(after), most, wait_s)
        records = [ShardRecord(str(each.offset + 1), "", each.timestamp_ms / 1000, each) for each in found]
        return ShardPage(records, ended=False)

    def done(self, shard: str, sequence: int) -> None:
        self._done[self._partition(shard)] = sequence
        if self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        try:
            await self._commit()
        finally:
            await self._client.close()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self._commit()

    async def _commit(self) -> None:
        done, self._done = self._done, {}
        if not done:
            return
        try:
            await self._client.commit(done)
        except MayflyError as error:
            _log.info("the group of %s was not told how far it is read: %s", self._topic, error)

    def _partition(self, shard: str) -> int:
        return int(shard.removeprefix(f"{self._topic}-"))


class KafkaShape:
    """Records of topics in events, to the letter."""

    batch_info: Final = "KafkaBatchInfo"

    def __init__(self, topic: str, servers: str) -> None:
        self._topic = topic
        self._servers = servers

    def identifier(self, record: ShardRecord) -> str:
        return str(record.content.offset)

    def encoded(self, shard: str, record: ShardRecord) -> bytes:
        return _encode(self._event(shard, record))

    def matched(self, shard: str, record: ShardRecord) -> Members[str, Any]:
        found, content = self._event(shard, record), record.content
        for name, data in (("key", content.key), ("value", content.value)):
            if data is not None:
                found[name] = filters.data(data)
        return found

    def payload(self, shard: str, encoded: Sequence[bytes], more: bytes) -> bytes:
        head = _encode({"eventSource": "SelfManagedKafka", "bootstrapServers": self._servers})
        return head[:-1] + b',"records":{' + _encode(shard) + b":[" + b",".join(encoded) + b"]}" + more + b"}"

    def info(self, stream: str, shard: str, records: Sequence[ShardRecord], payload_bytes: int) -> dict[str, Any]:
        return {
            "batchSize": len(records),
            "bootstrapServers": self._servers,
            "payloadSize": payload_bytes,
            "recordInfo": {
                "offset": str(records[0].content.offset),
                "timestamp": iso_millis(records[0].arrived_at),
                "topicPartition": shard,
            },
        }

    def _event(self, shard: str, record: ShardRecord) -> dict[str, Any]:
        content: KafkaRecord = record.content
        found: dict[str, Any] = {
            "topic": self._topic,
            "partition": int(shard.rpartition("-")[2]),
            "offset": content.offset,
            "timestamp": content.timestamp_ms,
            "timestampType": content.timestamp_type,
        }
        if content.key is not None:
            found["key"] = base64.b64encode(content.key).decode()
        found["value"] = base64.b64encode(content.value).decode() if content.value is not None else None
        found["headers"] = [{name: list(value)} for name, value in content.headers]
        return found
