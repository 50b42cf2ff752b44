"""The log book: where events are folded in from the journal and read back in order.

`Book` implements `ports.Logs`. An append is one write to the journal; readers flush the journal first, so that they see
what was appended before they asked. Groups and streams come into being with their first event, as on AWS when a
function's role may create them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from mayfly.clock import Clock
from mayfly.services.ports import LogEvent
from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.model import EVENT_OVERHEAD_BYTES, MAX_EVENT_BYTES, Event, Group, Position, Stream
from mayfly.store.api import Journal, Reader, Store, Tx

START = Position(-1, -1)
END = Position(2**62, 2**62)
_TOP = "\U0010ffff"


class Book:
    """Groups, streams and events."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._journal: Journal | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[tuple[str, str, int, str]])

    def attach(self, journal: Journal) -> None:
        """Take the journal whose records `fold` understands; before that nothing can be appended."""
        self._journal = journal

    def append(self, events: Sequence[LogEvent]) -> None:
        """Record events of any groups and streams; see `ports.Logs`."""
        assert self._journal is not None, "the book has no journal yet"
        rows = [(event.group, event.stream, event.timestamp_ms, event.message) for event in events]
        self._journal.append([self._encoder.encode(rows)])

    def fold(self, tx: Tx, records: list[bytes]) -> None:
        """Put journal records into the database; called by the journal, in order, exactly once each."""
        by_stream: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for record in records:
            for group_name, stream_name, timestamp_ms, message in self._decoder.decode(record):
                by_stream[group_name, stream_name].append((timestamp_ms, message))
        for (group_name, stream_name), events in by_stream.items():
            group = find_group(tx, group_name) or self.make_group(tx, group_name, "{}")
            stream = find_stream(tx, group.id, stream_name) or self.make_stream(tx, group.id, stream_name)
            self.add(tx, group, stream, events)

    async def settle(self) -> None:
        """Return when everything appended so far can be read."""
        assert self._journal is not None, "the book has no journal yet"
        await self._journal.flush()

    def make_group(self, tx: Tx, name: str, tags: str) -> Group:
        """A new group; the caller made sure that there is none of that name."""
        group = Group(_next(tx, sql.NEXT_GROUP_ID), name, self._now_ms(), None, 0, tags)
        tx.run(sql.INSERT_GROUP, {"id": group.id, "name": name, "now": group.created_ms, "tags": tags})
        return group

    def make_stream(self, tx: Tx, group_id: int, name: str) -> Stream:
        """A new stream; the caller made sure that there is none of that name in the group."""
        stream = Stream(_next(tx, sql.NEXT_STREAM_ID), group_id, name, self._now_ms(), None, None, None)
        tx.run(sql.INSERT_STREAM, {"id": stream.id, "group": group_id, "name": name, "now": stream.created_ms})
        return stream

    def add(self, tx: Tx, group: Group, stream: Stream, events: Iterable[tuple[int, str]]) -> None:
        """Store events (Unix milliseconds, message) of one stream, in order of time."""
        ordered = sorted(events, key=lambda event: event[0])
        if not ordered:
            return
        now, first_id = self._now_ms(), _next(tx, sql.NEXT_EVENT_ID)
        rows = [
            {
                "id": first_id + number,
                "group": group.id,
                "stream": stream.id,
                "timestamp": timestamp_ms,
                "now": now,
                "message": _bounded(message),
            }
            for number, (timestamp_ms, message) in enumerate(ordered)
        ]
        tx.many(sql.INSERT_EVENT, rows)
        tx.run(sql.TOUCH_STREAM, {"id": stream.id, "now": now, "first": ordered[0][0], "last": ordered[-1][0]})
        stored = sum(len(str(row["message"])) + EVENT_OVERHEAD_BYTES for row in rows)
        tx.run(sql.GROW_GROUP, {"id": group.id, "bytes": stored})

    async def expire(self) -> None:
        """Drop the events that are older than their group's retention."""

        def body(tx: Tx) -> None:
            for row in tx.all(sql.GROUPS_WITH_RETENTION):
                group = Group(*row)
                assert group.retention_days is not None
                old = {"group": group.id, "before": self._now_ms() - group.retention_days * 86_400_000}
                freed = tx.one(sql.EXPIRED_BYTES, old)
                if freed and freed[0]:
                    tx.run(sql.DELETE_EXPIRED, old)
                    tx.run(sql.GROW_GROUP, {"id": group.id, "bytes": -freed[0]})

        await self._store.write(body)

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)


def find_group(reader: Reader, name: str) -> Group | None:
    """The group of that name."""
    row = reader.one(sql.FIND_GROUP, {"name": name})
    return Group(*row) if row else None


def find_stream(reader: Reader, group_id: int, name: str) -> Stream | None:
    """The stream of that name in a group."""
    row = reader.one(sql.FIND_STREAM, {"group": group_id, "name": name})
    return Stream(*row) if row else None


def prefix_range(prefix: str) -> dict[str, str]:
    """Parameters `low` and `high` that select the names starting with `prefix`."""
    return {"low": prefix, "high": prefix + _TOP}


def stream_page(
    reader: Reader, stream: Stream, start_ms: int, end_ms: int, after: Position, limit: int, *, forward: bool
) -> list[Event]:
    """Up to `limit` events of a stream beyond `after`, always in order of time; `end_ms` is exclusive."""
    parameters = {
        "stream": stream.id,
        "start": start_ms,
        "end": end_ms,
        "after_ms": after.timestamp_ms,
        "after_id": after.id,
        "limit": limit,
    }
    rows = reader.all(sql.STREAM_EVENTS_FORWARD if forward else sql.STREAM_EVENTS_BACKWARD, parameters)
    events = [Event(*row) for row in rows]
    return events if forward else events[::-1]


def group_page(reader: Reader, group: Group, start_ms: int, end_ms: int, after: Position, limit: int) -> list[Event]:
    """Up to `limit` events of all streams of a group after `after`, in order; `end_ms` is inclusive."""
    parameters = {
        "group": group.id,
        "start": start_ms,
        "end": end_ms,
        "after_ms": after.timestamp_ms,
        "after_id": after.id,
        "limit": limit,
    }
    return [Event(*row) for row in reader.all(sql.GROUP_EVENTS, parameters)]


def _bounded(message: str) -> str:
    if len(message) * 4 <= MAX_EVENT_BYTES:
        return message
    return message.encode()[:MAX_EVENT_BYTES].decode(errors="ignore")


def _next(tx: Tx, statement: str) -> int:
    row = tx.one(statement)
    assert row is not None
    return int(row[0])
