"""Putting messages into a queue, as part of a transaction."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.queues import drafting, statements
from mayfly.services.queues.board import Board
from mayfly.services.queues.catalog import next_ids
from mayfly.services.queues.model import DEDUPLICATION_MS, INLINE_CHARACTERS, Draft, Queue, Sent
from mayfly.store.api import Tx

_encode = msgspec.msgpack.Encoder().encode


class Sending:
    """Writes drafts that `drafting.check_for` has let pass."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def send(self, tx: Tx, queue: Queue, drafts: Sequence[Draft]) -> list[Sent]:
        """Put `drafts` into `queue`, in their order; what became of each."""
        now = int(self._clock.now() * 1000)
        if queue.fifo:
            return self._send_fifo(tx, queue, drafts, now)
        first = next_ids(tx, len(drafts))
        earliest, sent = None, []
        rows: list[dict[str, Any]] = []
        bodies: list[dict[str, Any]] = []
        for id_, draft in enumerate(drafts, first):
            delay_s = queue.delay_s if draft.delay_s is None else draft.delay_s
            due_at = now + delay_s * 1000
            earliest = due_at if earliest is None or due_at < earliest else earliest
            rows.append(_row(id_, queue.store, due_at, now, None, draft, bodies))
            sent.append(Sent(draft.message_id, None))
        self._write(tx, queue, rows, bodies)
        if earliest is not None:
            self._tell(tx, queue, len(rows), earliest, now)
        return sent

    def _send_fifo(self, tx: Tx, queue: Queue, drafts: Sequence[Draft], now: int) -> list[Sent]:
        due_at = now + queue.delay_s * 1000
        sent: list[Sent] = []
        rows: list[dict[str, Any]] = []
        bodies: list[dict[str, Any]] = []
        for draft in drafts:
            group = draft.details.group
            assert group is not None, "checked"
            duplicate = {
                "store": queue.store,
                "scope": group if queue.deduplication_scope == "messageGroup" else "",
                "deduplication_id": drafting.deduplication_id(draft),
            }
            known = tx.one(statements.FIND_DUPLICATE, {**duplicate, "now": now})
            if known is not None:
                sent.append(Sent(known[0], known[1]))
                continue
            id_ = next_ids(tx, 1)
            remembered = {"message_id": draft.message_id, "sequence": id_, "expires_at": now + DEDUPLICATION_MS}
            tx.run(statements.PUT_DUPLICATE, {**duplicate, **remembered})
            group_no = group_number(tx, queue, group, due_at)
            if draft.details.deduplication_id is None:
                details = msgspec.structs.replace(draft.details, deduplication_id=duplicate["deduplication_id"])
                draft = msgspec.structs.replace(draft, details=details)
            rows.append(_row(id_, queue.store, due_at, now, group_no, draft, bodies))
            sent.append(Sent(draft.message_id, id_))
        if rows:
            self._write(tx, queue, rows, bodies)
            self._tell(tx, queue, len(rows), due_at, now)
        return sent

    def _write(self, tx: Tx, queue: Queue, rows: list[dict[str, Any]], bodies: list[dict[str, Any]]) -> None:
        tx.many(statements.INSERT_MESSAGE, rows)
        if bodies:
            tx.many(statements.INSERT_BODY, bodies)
        tx.run(statements.ADD_TO_STORE, {"no": queue.store, "messages": len(rows), "received": 0})

    def _tell(self, tx: Tx, queue: Queue, count: int, due_at: int, now: int) -> None:
        board, key = self._board, queue.key
        if due_at <= now:
            tx.after_commit(lambda: board.arrived(key, count))
        else:
            tx.after_commit(lambda: board.expect(key, due_at))


def group_number(tx: Tx, queue: Queue, name: str, due_at: int) -> int:
    """The number of a group, which is made, to be received from at `due_at`, where it has no messages yet."""
    row = tx.one(statements.FIND_GROUP, {"store": queue.store, "name": name})
    if row is not None:
        return int(row[0])
    no = next_ids(tx, 1)
    tx.run(statements.INSERT_GROUP, {"no": no, "store": queue.store, "name": name, "ready_at": due_at})
    return no


def _row(
    id_: int, store: int, due_at: int, now: int, group_no: int | None, draft: Draft, bodies: list[dict[str, Any]]
) -> dict[str, Any]:
    body: str | None = draft.body
    if len(draft.body) > INLINE_CHARACTERS:
        bodies.append({"id": id_, "body": body})
        body = None
    return {
        "id": id_,
        "store": store,
        "due_at": due_at,
        "sent_at": now,
        "message_id": draft.message_id,
        "group_no": group_no,
        "details": _encode(draft.details),
        "body": body,
    }
