"""Streams, shard by shard."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class ShardInfo(NamedTuple):
    """A shard of a stream."""

    id: str
    parents: tuple[str, ...] = ()  # it goes on where these ended


class ShardRecord(NamedTuple):
    """A record of a stream, in its place."""

    sequence: str  # decimal; rises within a shard, and from a shard to its children
    partition_key: str
    arrived_at: float  # Unix seconds
    content: Any  # as the kind of stream has it: bytes of data streams, the change of an item of table streams


class ShardPage(NamedTuple):
    """What was read of a shard."""

    records: Sequence[ShardRecord]
    ended: bool  # nothing will ever follow


class ShardSource(Protocol):
    """Given by services with streams, each for its own ARNs; used by whoever reads streams inside the platform."""

    async def shards(self, stream_arn: str) -> Sequence[ShardInfo]:
        """All shards that anything is kept of, parents first; `ServiceError` when there is no such stream."""

    async def begin(self, stream_arn: str, shard: str, position: str, at: float | None) -> str:
        """Behind which sequence number to read on from a position: TRIM_HORIZON, LATEST or AT_TIMESTAMP (`at`, Unix
        seconds). "0" for the beginning. `ServiceError` when there is no such stream or shard."""

    async def read(self, stream_arn: str, shard: str, after: str, most: int, wait_s: float) -> ShardPage:
        """Up to `most` records behind a sequence number, as soon as there are any, none after `wait_s`. What was
        trimmed meanwhile is left out. `ServiceError` when there is no such stream or shard."""
