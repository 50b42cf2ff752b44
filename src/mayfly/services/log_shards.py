"""`ports.ShardSource` over `streams.log`: what a service with streams needs beside its own words for them.

Shared by the services that show streams to clients. A service says how its ARNs name streams, what its shards are
called, and what the bytes of a record are.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.ports import ShardInfo, ShardPage, ShardRecord
from mayfly.store.api import Reader, Store
from mayfly.streams.log import Shard, Start, StreamError, StreamLog, Watch


class Words(Protocol):
    """How a service speaks of streams."""

    def stream(self, arn: str) -> str:
        """The stream that an ARN names; `ServiceError`."""

    def shard_id(self, no: int) -> str: ...

    def shard_no(self, shard_id: str) -> int: ...

    def content(self, data: bytes) -> Any:
        """What the bytes of a record are."""

    def absent(self, arn: str) -> ServiceError:
        """The error for a stream that is not there."""


class LogShards:
    """Gives the port."""

    def __init__(self, store: Store, log: StreamLog, watch: Watch, words: Words, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._watch = watch
        self._words = words
        self._clock = clock

    async def shards(self, stream_arn: str) -> Sequence[ShardInfo]:
        stream = self._words.stream(stream_arn)
        found: list[Shard] = await self._ask(stream_arn, lambda reader: self._log.shards(reader, stream))
        name = self._words.shard_id
        return [ShardInfo(name(each.no), tuple(name(parent) for parent in each.parents)) for each in found]

    async def begin(self, stream_arn: str, shard: str, position: str, at: float | None) -> str:
        stream, no = self._words.stream(stream_arn), self._words.shard_no(shard)
        start = cast(Start, position)
        after: int = await self._ask(stream_arn, lambda reader: self._log.begin(reader, stream, no, start, at))
        return str(after)

    async def read(self, stream_arn: str, shard: str, after: str, most: int, wait_s: float) -> ShardPage:
        stream, no = self._words.stream(stream_arn), self._words.shard_no(shard)
        until = self._clock.monotonic() + wait_s
        while True:
            stirred = self._watch.listen(stream)
            page = await self._ask(stream_arn, lambda reader: self._log.read(reader, stream, no, int(after), most))
            left_s = until - self._clock.monotonic()
            if page.records or page.ended or left_s <= 0:
                content = self._words.content
                return ShardPage(
                    [
                        ShardRecord(str(each.sequence), each.partition_key, each.arrived_at / 1000, content(each.data))
                        for each in page.records
                    ],
                    page.ended,
                )
            try:
                async with asyncio.timeout(left_s):
                    await stirred.wait()
            except TimeoutError:
                continue

    async def _ask(self, arn: str, body: Callable[[Reader], Any]) -> Any:
        try:
            return await self._store.read(body)
        except StreamError as error:
            raise self._words.absent(arn) from error
