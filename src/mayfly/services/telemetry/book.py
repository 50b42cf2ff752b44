"""The log book: where events are folded in from the journal and read back in order.

Readers have the journal flushed first, so that they see what was appended before they asked. Groups and streams come
into being with their first event, as on AWS when a function's role may create them.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import itemgetter

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.ports import LogLines
from mayfly.services.telemetry import chunks
from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.filters import Filters
from mayfly.services.telemetry.model import Group, Stream
from mayfly.services.telemetry.reactions import Arrived, Reactions
from mayfly.store.api import Reader, Store, Tx

_TOP = "\U0010ffff"


class FiltersNotReadyError(PlatformError):
    """Events arrived before there was somewhere to hand them on to; they are stored a moment later."""


class Book:
    """Groups, streams and events."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._flush: Callable[[], Awaitable[None]] | None = None
        self._reactions: Reactions | None = None
        self.filters = Filters()

    def attach(self, flush: Callable[[], Awaitable[None]]) -> None:
        """Take the `flush` of the journal whose events `fold` is given."""
        self._flush = flush

    def react(self, reactions: Reactions) -> None:
        """Take who does what filters say. Until then no event can be stored of a group that has any: the journal, which
        has what functions printed before a restart, comes again."""
        self._reactions = reactions

    def fold(self, tx: Tx, arrived: Iterable[LogLines]) -> None:
        """Store lines of any groups and streams, in order."""
        by_group: defaultdict[str, defaultdict[str, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
        for lines in arrived:
            by_group[lines.group][lines.stream] += lines.events
        for group_name, by_stream in by_group.items():
            group = find_group(tx, group_name) or self.make_group(tx, group_name, "{}")
            found = [
                (find_stream(tx, group.id, name) or self.make_stream(tx, group.id, name), events)
                for name, events in by_stream.items()
            ]
            self.add(tx, group, found)

    async def settle(self) -> None:
        """Return when everything appended so far can be read."""
        assert self._flush is not None, "the book has no journal yet"
        await self._flush()

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

    def add(self, tx: Tx, group: Group, by_stream: Iterable[tuple[Stream, Sequence[tuple[int, str]]]]) -> None:
        """Store events (Unix milliseconds, message) of streams of one group, in as few statements as possible: each
        gives the processor to the event loop and has to wait to get it back."""
        now, next_id, stored = self._now_ms(), _next(tx, sql.NEXT_CHUNK_ID), 0
        rows, touched = [], []
        filters = self.filters.of(tx, group.id)
        if filters and self._reactions is None:
            raise FiltersNotReadyError(f"the filters of {group.name} wait for the server to be started")
        for stream, events in by_stream:
            ordered = sorted(events, key=itemgetter(0))
            if not ordered:
                continue
            for chunk in chunks.cut(ordered):
                if filters and self._reactions is not None:
                    arrived = [Arrived(*event) for event in chunks.numbered(next_id, chunk)]
                    self._reactions.react(tx, filters, stream.name, arrived)
                row = {"id": next_id, "group": group.id, "stream": stream.id, "now": now, "bytes": chunk.size}
                rows.append({**row, "first": chunk.first_ms, "last": chunk.last_ms, "events": chunk.events})
                next_id += 1
                stored += chunk.size
            touched.append({"id": stream.id, "now": now, "first": ordered[0][0], "last": ordered[-1][0]})
        if rows:
            tx.many(sql.INSERT_CHUNK, rows)
            tx.many(sql.TOUCH_STREAM, touched)
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


def _next(tx: Tx, statement: str) -> int:
    row = tx.one(statement)
    assert row is not None
    return int(row[0])
