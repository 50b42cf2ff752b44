"""Taking messages out of a queue for a while, as part of a transaction.

A message is delivered by moving its `due_at` to the end of its visibility timeout; nobody has to notice when that is
over. On the way, messages that are too old are removed and those received too often go to the dead letters.

In a FIFO queue each group is a line: messages leave it from the front, up to the first that is in flight or delayed. So
nothing overtakes what is being worked on. Of one group as much is taken as is wanted, before the next, and groups take
turns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.queues import moving, statements
from mayfly.services.queues.board import Board
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.model import DEDUPLICATION_MS, MAX_IN_FLIGHT, Queue, Stored
from mayfly.store.api import Tx

MOST_ASIDE = 500  # messages that are removed or moved in one transaction; the rest is for the next
RECOUNT_MS = 1000
# Entries of the index that a count reads: where more than that are delayed, it may come out too small.
MOST_COUNTED = 4 * MAX_IN_FLIGHT


class Wanted(NamedTuple):
    """What a receiver asks for."""

    most: int
    visibility_s: int | None = None  # None: what the queue says
    attempt_id: str | None = None
    told: bool = True  # of a queue with too many messages in flight


class Received(NamedTuple):
    """What it gets."""

    queue: Queue
    messages: Sequence[Stored]  # as they are after the delivery
    at: int
    next_due: int | None  # when there may be something, where there is nothing now; None: nothing is there


_encode = msgspec.msgpack.Encoder().encode
_decode_handles = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode


@dataclass(slots=True)
class _Flight:
    """How many messages of a store are in flight, counted now and then."""

    counted_at: int
    count: int


@dataclass(slots=True)
class _Sorted:
    """Messages that are due, by what becomes of them."""

    taken: list[Stored] = field(default_factory=list)
    old: list[Stored] = field(default_factory=list)
    dead: list[Stored] = field(default_factory=list)


class Receiving:
    """Delivers messages of any queue. Called in the store's writer thread."""

    def __init__(self, catalog: Catalog, board: Board, clock: Clock) -> None:
        self._catalog = catalog
        self._board = board
        self._clock = clock
        self._flights: dict[int, _Flight] = {}  # by store; of those that may be full only

    def receive(self, tx: Tx, queue: Queue, wanted: Wanted) -> Received:
        """Deliver up to `wanted.most` messages; `ServiceError` OverLimit."""
        now = int(self._clock.now() * 1000)
        visibility_s = queue.visibility_s if wanted.visibility_s is None else wanted.visibility_s
        until = now + visibility_s * 1000
        if wanted.attempt_id is not None and queue.fifo:
            again = self._again(tx, queue, wanted.attempt_id, now, until)
            if again:
                return Received(queue, again, now, None)
        room = min(wanted.most, self._room(tx, queue, now))
        if room <= 0:
            if wanted.told and not queue.fifo:
                raise ServiceError("OverLimit", f"Too many messages are inflight in the queue {queue.name}.")
            return Received(queue, (), now, now + RECOUNT_MS)
        target = self._catalog.find_arn(tx, queue.redrive.target_arn) if queue.redrive is not None else None
        found = _Sorted()
        if queue.fifo:
            self._of_groups(tx, queue, target, room, now, until, found)
        else:
            self._of_queue(tx, queue, target, room, now, found)
        self._put_aside(tx, queue, target, found, now)
        if not found.taken:
            return Received(queue, (), now, self._next_due(tx, queue, found, now))
        held = [_held(row, now, until) for row in found.taken]
        tx.many(
            statements.HOLD,
            [{"id": row.id, "until": until, "receives": row.receives, "first_at": row.first_at} for row in held],
        )
        fresh = sum(row.receives == 0 for row in found.taken)
        if (flight := self._flights.get(queue.store)) is not None:
            flight.count += len(held)
        if fresh:
            tx.run(statements.ADD_TO_STORE, {"no": queue.store, "messages": 0, "received": fresh})
        if wanted.attempt_id is not None and queue.fifo:
            self._remember(tx, queue, wanted.attempt_id, held, now)
        full = len(held) == wanted.most
        following = None if full else self._next_due(tx, queue, found, now)
        self._tell(tx, queue, full, until if following is None else min(until, following))
        return Received(queue, held, now, None)

    def _of_queue(self, tx: Tx, queue: Queue, target: Queue | None, room: int, now: int, found: _Sorted) -> None:
        while len(found.taken) < room and len(found.old) + len(found.dead) < MOST_ASIDE:
            # What was found before is due still, so that it is found again: it is counted in, and skipped.
            seen = len(found.taken) + len(found.old) + len(found.dead)
            count = seen + room - len(found.taken)
            rows = tx.all(statements.SELECT_DUE, due(queue, now, count))
            for row in rows[seen:]:
                _sort(Stored(*row), queue, target, now, found)
            if len(rows) < count:
                return

    def _of_groups(
        self, tx: Tx, queue: Queue, target: Queue | None, room: int, now: int, until: int, found: _Sorted
    ) -> None:
        for group_no in self._ready_groups(tx, queue, room, now):
            before = len(found.taken)
            offset = 0
            while len(found.taken) < room and len(found.old) + len(found.dead) < MOST_ASIDE:
                count = offset + room - len(found.taken)
                rows = tx.all(statements.SELECT_OF_GROUP, {"group_no": group_no, "count": count})
                due = [Stored(*row) for row in rows[offset:]]
                due = due[: next((at for at, row in enumerate(due) if row.due_at > now), len(due))]
                for row in due:
                    _sort(row, queue, target, now, found)
                offset += len(due)
                if offset < count:
                    break
            if len(found.taken) > before:
                tx.run(statements.SET_READY, {"no": group_no, "ready_at": until})
            if len(found.taken) >= room:
                return

    def _ready_groups(self, tx: Tx, queue: Queue, room: int, now: int) -> Iterator[int]:
        """Groups in turn. Nearly always each has a message to give, so that few are read at first."""
        seen: set[int] = set()
        for count in (room, room + MOST_ASIDE):
            rows = tx.all(statements.READY_GROUPS, {"store": queue.store, "now": now, "count": count})
            for (group_no,) in rows:
                if group_no not in seen:
                    seen.add(group_no)
                    yield group_no
            if len(rows) < count:
                return

    def _put_aside(self, tx: Tx, queue: Queue, target: Queue | None, found: _Sorted, now: int) -> None:
        if found.old:
            moving.remove(tx, queue.store, [(row.id, row.receives > 0) for row in found.old])
        if found.dead and target is not None:
            moving.to_dead_letters(tx, self._board, queue, target, found.dead, now)
        taken = {row.group_no for row in found.taken}
        for group_no in {row.group_no for row in (*found.old, *found.dead)} - taken:
            if group_no is not None:
                moving.settle_group(tx, group_no, now)

    def _next_due(self, tx: Tx, queue: Queue, found: _Sorted, now: int) -> int | None:
        if found.old or found.dead:
            return now  # there may be more behind
        statement = statements.EARLIEST_GROUP if queue.fifo else statements.EARLIEST
        row = tx.one(statement, {"store": queue.store, "now": now})
        return None if row is None or row[0] is None else int(row[0])

    def _tell(self, tx: Tx, queue: Queue, full: bool, due_at: int) -> None:
        """Let those who wait know when to look: now, where there may be more, or when the next falls due."""
        board, key = self._board, queue.key

        def tell() -> None:
            board.expect(key, due_at)
            if full:
                board.arrived(key, 1)

        tx.after_commit(tell)

    def _room(self, tx: Tx, queue: Queue, now: int) -> int:
        """How many more messages may be in flight. Counted only where so many were received that it may be none."""
        row = tx.one(statements.FIND_STORE, {"no": queue.store})
        received = int(row[1]) if row is not None else 0
        if received + 10 <= MAX_IN_FLIGHT:
            self._flights.pop(queue.store, None)
            return MAX_IN_FLIGHT
        flight = self._flights.get(queue.store)
        if flight is None or not 0 <= now - flight.counted_at < RECOUNT_MS:
            params = {"store": queue.store, "now": now, "most": MOST_COUNTED}
            counted = tx.one(statements.COUNT_IN_FLIGHT, params)
            flight = self._flights[queue.store] = _Flight(now, int(counted[0]) if counted is not None else 0)
        return MAX_IN_FLIGHT - flight.count

    def _again(self, tx: Tx, queue: Queue, attempt_id: str, now: int, until: int) -> list[Stored]:
        """What this attempt was given before, if all of that is still in flight; its visibility begins anew."""
        row = tx.one(statements.FIND_ATTEMPT, {"queue_no": queue.no, "attempt_id": attempt_id, "now": now})
        if row is None:
            return []
        found = []
        for id_, receives in _decode_handles(row[0]):
            params = {"id": id_, "store": queue.store, "receives": receives, "now": now}
            held = tx.one(statements.SELECT_HELD, params)
            if held is None:
                return []
            found.append(Stored(*held))
        tx.many(statements.SET_DUE, [{"id": each.id, "due_at": until} for each in found])
        for group_no in {each.group_no for each in found}:
            if group_no is not None:
                moving.settle_group(tx, group_no, now)
        return found

    def _remember(self, tx: Tx, queue: Queue, attempt_id: str, held: Sequence[Stored], now: int) -> None:
        handles = _encode([(row.id, row.receives) for row in held])
        params = {"queue_no": queue.no, "attempt_id": attempt_id, "expires_at": now + DEDUPLICATION_MS}
        tx.run(statements.PUT_ATTEMPT, {**params, "handles": handles})


def due(queue: Queue, now: int, count: int) -> dict[str, int]:
    """What `SELECT_DUE` is asked for `count` messages of a standard queue that may be received now."""
    return {"store": queue.store, "old": now - queue.retention_s * 1000, "now": now, "count": count}


def _sort(row: Stored, queue: Queue, target: Queue | None, now: int, found: _Sorted) -> None:
    if row.sent_at + queue.retention_s * 1000 <= now:
        found.old.append(row)
    elif target is not None and queue.redrive is not None and row.receives >= queue.redrive.max_receives:
        found.dead.append(row)
    else:
        found.taken.append(row)


def _held(row: Stored, now: int, until: int) -> Stored:
    first_at = now if row.first_at is None else row.first_at
    return row._replace(due_at=until, receives=row.receives + 1, first_at=first_at)
