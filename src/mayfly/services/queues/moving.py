"""Messages that leave their place: removed, or moved to another queue, within a transaction."""

from collections.abc import Iterable, Sequence

import msgspec

from mayfly import ids
from mayfly.services.queues import statements
from mayfly.services.queues.board import Board
from mayfly.services.queues.catalog import next_ids
from mayfly.services.queues.model import Details, Queue, Stored
from mayfly.services.queues.sending import group_number
from mayfly.store.api import Tx

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Details).decode


def remove(tx: Tx, store: int, messages: Iterable[tuple[int, bool]]) -> None:
    """Remove messages, given by id and whether they were ever received. The groups are the caller's to settle."""
    rows = list(messages)
    ids_ = [{"id": id_} for id_, _ in rows]
    tx.many(statements.DELETE_MESSAGE, ids_)
    tx.many(statements.DELETE_BODY, ids_)
    received = sum(received for _, received in rows)
    tx.run(statements.ADD_TO_STORE, {"no": store, "messages": -len(rows), "received": -received})


def settle_group(tx: Tx, group_no: int, now: int) -> int | None:
    """Say anew when a group may be received from; that time, or None when it has no messages any more.

    Its first message decides: what comes behind one that is in flight, or delayed, waits. A group whose turn it is
    queues up behind those that are waiting already.
    """
    row = tx.one(statements.HEAD_OF_GROUP, {"no": group_no, "count": 1})
    if row is None:
        tx.run(statements.DELETE_GROUP, {"no": group_no})
        return None
    ready_at = max(now, int(row[0]))
    tx.run(statements.SET_READY, {"no": group_no, "ready_at": ready_at})
    return ready_at


def to_dead_letters(tx: Tx, board: Board, source: Queue, target: Queue, rows: Sequence[Stored], now: int) -> None:
    """Move messages that were received too often. They stay what they are: id, count, and, in standard queues, age."""
    arn = source.arn
    moves = []
    for row in rows:
        details = msgspec.structs.replace(_decode(row.details), dead_letter_source=arn)
        fresh = {"message_id": row.message_id, "receives": row.receives, "first_at": row.first_at}
        moves.append((row, details, {**fresh, "sent_at": now if target.fifo else row.sent_at}))
    _move(tx, board, source, target, moves, now)


def anew(tx: Tx, board: Board, source: Queue, target: Queue, rows: Sequence[Stored], now: int) -> None:
    """Move messages as if they had just been sent to `target`."""
    moves = []
    for row in rows:
        details = msgspec.structs.replace(_decode(row.details), dead_letter_source=None)
        message_id = bytes.fromhex(ids.request_id().replace("-", ""))
        fresh = {"message_id": message_id, "receives": 0, "first_at": None, "sent_at": now}
        moves.append((row, details, fresh))
    _move(tx, board, source, target, moves, now)


def source_of(row: Stored) -> str | None:
    """The ARN of the queue that a dead letter comes from."""
    return _decode(row.details).dead_letter_source


def _move(
    tx: Tx,
    board: Board,
    source: Queue,
    target: Queue,
    moves: Sequence[tuple[Stored, Details, dict[str, object]]],
    now: int,
) -> None:
    """Give messages a new number and place. The groups of `source` are the caller's to settle.

    The number is a new one, so that a group's messages lie in the order in which they came to it.
    """
    due_at = now + target.delay_s * 1000
    rows, bodies = [], []
    for new_id, (row, details, fresh) in enumerate(moves, next_ids(tx, len(moves))):
        group_no = None
        if target.fifo:
            assert details.group is not None, "its source is a FIFO queue, too"
            group_no = group_number(tx, target, details.group, due_at)
        place = {"id": row.id, "new_id": new_id, "store": target.store, "due_at": due_at, "group_no": group_no}
        rows.append({**place, **fresh, "details": _encode(details)})
        bodies.append({"id": row.id, "new_id": new_id})
    tx.many(statements.MOVE_MESSAGE, rows)
    tx.many(statements.MOVE_BODY, bodies)
    count, were = len(rows), sum(row.receives > 0 for row, _, _ in moves)
    are = sum(bool(fresh["receives"]) for _, _, fresh in moves)
    tx.run(statements.ADD_TO_STORE, {"no": source.store, "messages": -count, "received": -were})
    tx.run(statements.ADD_TO_STORE, {"no": target.store, "messages": count, "received": are})
    key = target.key
    if due_at <= now:
        tx.after_commit(lambda: board.arrived(key, count))
    else:
        tx.after_commit(lambda: board.expect(key, due_at))
