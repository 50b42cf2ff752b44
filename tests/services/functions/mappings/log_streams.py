"""Data streams on the durable log, as a service would show them."""

from typing import Any

from mayfly.clock import ManualClock
from mayfly.services.contract import ServiceError
from mayfly.services.log_shards import LogShards
from mayfly.store.sqlite import SqliteStore
from mayfly.streams.log import Entry, StreamLog, Watch
from tests.services.functions.stage import ACCOUNT, REGION

PREFIX = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/"


def stream_arn(name: str) -> str:
    return PREFIX + name


class Words:
    """Streams in the words of Kinesis."""

    def stream(self, arn: str) -> str:
        return arn.removeprefix(PREFIX)

    def shard_id(self, no: int) -> str:
        return f"shardId-{no:012d}"

    def shard_no(self, shard_id: str) -> int:
        return int(shard_id.removeprefix("shardId-"))

    def content(self, data: bytes) -> Any:
        return data

    def absent(self, arn: str) -> ServiceError:
        return ServiceError("ResourceNotFoundException", f"Stream {arn} not found.")


class LogStreams:
    """Streams to write to, and to read by `ports.ShardSource`."""

    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        watch = Watch()
        self.store = store
        self.log = StreamLog(clock, watch)
        self.source = LogShards(store, self.log, watch, Words(), clock)

    async def create(self, name: str = "s", shards: int = 1) -> None:
        await self.store.write(lambda tx: self.log.create(tx, name, shards))

    async def put(self, *records: tuple[str, bytes], name: str = "s") -> None:
        """Append records, a partition key and data each."""
        await self.store.write(lambda tx: self.log.append(tx, name, [Entry(*each) for each in records]))
