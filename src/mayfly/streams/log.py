"""A durable log in shards: what table streams and data streams have in common.

A record lies in the shard that its partition key's hash (MD5, as Kinesis has it) belongs to, and keeps its place.
Sequence numbers rise within a shard, and from a shard to the children that it was split into or merged with others to;
whoever reads the parents to their ends before the children sees the records of every key in order. What is older than
the stream's retention is no longer read, and `trim` removes it.

Called by services within their transactions; readers wait on `Watch`, which appends stir after their commit.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.store.api import Reader, Tx
from mayfly.streams import statements as sql

HASHES: Final = 2**128
DAY_MS: Final = 86_400_000
_TRIM: Final = 1000  # records of one transaction

Start = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]


class StreamError(MayflyError):
    """There is no such stream or shard, or it cannot be changed like that."""


class Shard(NamedTuple):
    """One shard; the range of hashes includes both ends."""

    no: int
    low: int
    high: int
    opened: int  # records have higher sequence numbers
    closed: int | None  # and none has a higher one than this; None: it takes records
    parents: tuple[int, ...]


class Entry(NamedTuple):
    """A record to append."""

    partition_key: str
    data: bytes
    explicit_hash: int | None = None  # in place of the key's


class Kept(NamedTuple):
    """A record in its place."""

    sequence: int
    partition_key: str
    arrived_at: int  # Unix milliseconds
    data: bytes


class Placed(NamedTuple):
    """Where a record was put."""

    shard: int
    sequence: int


class Page(NamedTuple):
    """What was read of a shard."""

    records: Sequence[Kept]
    ended: bool  # it is closed, and nothing follows


class Watch:
    """Wakes those who wait for a stream to go on. Lives on the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}

    def stir(self, stream: str) -> None:
        event = self._waiting.pop(stream, None)
        if event is not None:
            event.set()

    def listen(self, stream: str) -> asyncio.Event:
        """Set once the stream goes on. Taken before looking, so that nothing falls between looking and waiting."""
        return self._waiting.setdefault(stream, asyncio.Event())


class StreamLog:
    """All streams of a store. Its methods take part in the caller's transaction or snapshot."""

    def __init__(self, clock: Clock, watch: Watch) -> None:
        self._clock = clock
        self._watch = watch

    def create(self, tx: Tx, stream: str, shards: int, retention_ms: int = DAY_MS) -> None:
        """Make a stream of `shards` even shards; StreamError if there is one of that name."""
        if tx.one(sql.FIND_STREAM, {"name": stream}) is not None:
            raise StreamError(f"there is a stream {stream}")
        no = _next(tx, 1)
        tx.run(sql.INSERT_STREAM, {"name": stream, "no": no, "retention_ms": retention_ms})
        width = HASHES // shards
        for place in range(shards):
            high = HASHES - 1 if place == shards - 1 else (place + 1) * width - 1
            self._open(tx, no, place, place * width, high, ())

    def delete(self, tx: Tx, stream: str) -> None:
        """Remove a stream with all of its records. Idempotent. Long ones are trimmed away before, in parts."""
        row = tx.one(sql.FIND_STREAM, {"name": stream})
        if row is None:
            return
        no = int(row[0])
        while tx.run(sql.DELETE_RECORDS, {"stream": no, "count": _TRIM}) == _TRIM:
            pass
        tx.run(sql.DELETE_SHARDS, {"stream": no})
        tx.run(sql.DELETE_STREAM, {"no": no})
        tx.after_commit(lambda: self._watch.stir(stream))

    def retain(self, tx: Tx, stream: str, retention_ms: int) -> None:
        """Keep records for so long from now on; StreamError."""
        if not tx.run(sql.SET_RETENTION, {"name": stream, "retention_ms": retention_ms}):
            raise _absent(stream)

    def append(self, tx: Tx, stream: str, entries: Sequence[Entry]) -> list[Placed]:
        """Put records at the ends of their shards; StreamError."""
        no, _ = self._stream(tx, stream)
        shards = [shard for shard in self.shards(tx, stream) if shard.closed is None]
        now = self._now()
        rows, placed = [], []
        for sequence, entry in enumerate(entries, _next(tx, len(entries))):
            hashed = key_hash(entry.partition_key) if entry.explicit_hash is None else entry.explicit_hash
            shard = next(each for each in shards if each.low <= hashed <= each.high)
            place = {"stream": no, "shard": shard.no, "sequence": sequence, "arrived_at": now}
            rows.append({**place, "partition_key": entry.partition_key, "data": entry.data})
            placed.append(Placed(shard.no, sequence))
        tx.many(sql.INSERT_RECORD, rows)
        tx.after_commit(lambda: self._watch.stir(stream))
        return placed

    def shards(self, reader: Reader, stream: str) -> list[Shard]:
        """All shards that anything is kept of, in the order of their numbers; StreamError."""
        no, _ = self._stream(reader, stream)
        return [_shard(row) for row in reader.all(sql.SHARDS, {"stream": no})]

    def begin(self, reader: Reader, stream: str, shard: int, start: Start, at: float | None = None) -> int:
        """Behind which sequence number to read on from a position; `at`: Unix seconds of AT_TIMESTAMP."""
        no, _ = self._stream(reader, stream)
        place = {"stream": no, "shard": shard}
        if start == "TRIM_HORIZON":
            return 0
        if start == "LATEST":
            row = reader.one(sql.LAST_SEQUENCE, place)
        else:
            row = reader.one(sql.BEFORE, {**place, "at": int((at or 0) * 1000)})
        return 0 if row is None or row[0] is None else int(row[0])

    def read(self, reader: Reader, stream: str, shard: int, after: int, most: int) -> Page:
        """Up to `most` records behind a sequence number; StreamError."""
        no, retention_ms = self._stream(reader, stream)
        row = reader.one(sql.FIND_SHARD, {"stream": no, "no": shard})
        if row is None:
            raise StreamError(f"there is no shard {shard} of {stream}")
        bounds = {"after": after, "old": self._now() - retention_ms, "count": most}
        rows = reader.all(sql.READ, {"stream": no, "shard": shard, **bounds})
        return Page([Kept(*each) for each in rows], ended=_shard(row).closed is not None and len(rows) < most)

    def split(self, tx: Tx, stream: str, shard: int, at: int) -> tuple[int, int]:
        """Close a shard, and open one for the hashes below `at` and one for the others; StreamError."""
        no, _ = self._stream(tx, stream)
        found = self._open_shard(tx, no, stream, shard)
        if not found.low < at <= found.high:
            raise StreamError(f"shard {shard} of {stream} cannot be split at {at}")
        self._close(tx, no, shard)
        first = self._free(tx, no)
        self._open(tx, no, first, found.low, at - 1, (shard,))
        self._open(tx, no, first + 1, at, found.high, (shard,))
        tx.after_commit(lambda: self._watch.stir(stream))
        return first, first + 1

    def merge(self, tx: Tx, stream: str, shard: int, other: int) -> int:
        """Close two shards whose hashes lie side by side, and open one for both; StreamError."""
        no, _ = self._stream(tx, stream)
        lower, upper = sorted((self._open_shard(tx, no, stream, each) for each in (shard, other)), key=lambda s: s.low)
        if lower.high + 1 != upper.low:
            raise StreamError(f"shards {shard} and {other} of {stream} do not lie side by side")
        self._close(tx, no, shard)
        self._close(tx, no, other)
        child = self._free(tx, no)
        self._open(tx, no, child, lower.low, upper.high, (shard, other))
        tx.after_commit(lambda: self._watch.stir(stream))
        return child

    def trim(self, tx: Tx) -> bool:
        """Remove some of what is older than is kept; whether there is more."""
        more, now = False, self._now()
        for _, no, retention_ms in tx.all(sql.ALL_STREAMS):
            bounds = {"stream": no, "before": now - retention_ms}
            more |= tx.run(sql.FORGET_RECORDS, {**bounds, "count": _TRIM}) == _TRIM
            tx.run(sql.FORGET_SHARDS, bounds)
        return more

    def _stream(self, reader: Reader, stream: str) -> tuple[int, int]:
        row = reader.one(sql.FIND_STREAM, {"name": stream})
        if row is None:
            raise _absent(stream)
        return int(row[0]), int(row[1])

    def _open_shard(self, tx: Tx, stream: int, name: str, no: int) -> Shard:
        row = tx.one(sql.FIND_SHARD, {"stream": stream, "no": no})
        found = None if row is None else _shard(row)
        if found is None or found.closed is not None:
            raise StreamError(f"shard {no} of {name} takes no records")
        return found

    def _open(self, tx: Tx, stream: int, no: int, low: int, high: int, parents: tuple[int, ...]) -> None:
        first, second = (*parents, None, None)[:2]
        tx.run(
            sql.INSERT_SHARD,
            {
                "stream": stream,
                "no": no,
                "low": f"{low:032x}",
                "high": f"{high:032x}",
                "opened": _next(tx, 1),
                "parent": first,
                "other_parent": second,
            },
        )

    def _close(self, tx: Tx, stream: int, no: int) -> None:
        tx.run(sql.CLOSE_SHARD, {"stream": stream, "no": no, "closed": _next(tx, 1), "now": self._now()})

    def _free(self, tx: Tx, stream: int) -> int:
        return max(int(row[0]) for row in tx.all(sql.SHARDS, {"stream": stream})) + 1

    def _now(self) -> int:
        return int(self._clock.now() * 1000)


def key_hash(partition_key: str) -> int:
    """The hash that decides on a key's shard."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


def _shard(row: tuple[int, str, str, int, int | None, int | None, int | None]) -> Shard:
    no, low, high, opened, closed, *parents = row
    return Shard(no, int(low, 16), int(high, 16), opened, closed, tuple(each for each in parents if each is not None))


def _next(tx: Tx, count: int) -> int:
    """The first of `count` fresh numbers."""
    row = tx.one(sql.NEXT_IDS, {"count": count})
    assert row is not None, "the migration put one row there"
    return int(row[0]) - count + 1


def _absent(stream: str) -> StreamError:
    return StreamError(f"there is no stream {stream}")
