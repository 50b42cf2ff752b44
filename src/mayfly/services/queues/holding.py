"""What a receiver does with a message it holds: delete it, or hold it longer or shorter. Within a transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mayfly.clock import Clock
from mayfly.services.queues import moving, statements
from mayfly.services.queues.board import Board
from mayfly.services.queues.errors import expired_handle, invalid, unavailable
from mayfly.services.queues.handles import Handle
from mayfly.services.queues.model import MAX_VISIBILITY_S, Queue
from mayfly.store.api import Tx


@dataclass(slots=True)
class Outcome:
    """What the entries of one request did; `Holding.settle` must be told of it in the same transaction."""

    deleted: int = 0
    groups: set[int] = field(default_factory=set)


class Holding:
    """Called in the store's writer thread."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def delete(self, tx: Tx, queue: Queue, handle: Handle, text: str, outcome: Outcome) -> None:
        """Delete the message, if the handle still fits it; `ServiceError` from FIFO queues where it does not."""
        if handle.store != queue.store:
            return  # it was purged, or moved to the dead letters, since
        if not queue.fifo:
            params = {"id": handle.id, "store": handle.store, "receives": handle.receives}
            outcome.deleted += tx.run(statements.DELETE_HELD, params)
            tx.run(statements.DELETE_UNOWNED_BODY, {"id": handle.id})
            return
        row = tx.one(statements.FIND_HELD, {"id": handle.id, "store": handle.store})
        if row is None:
            return
        due_at, receives, group_no = row
        if receives != handle.receives or due_at <= self._now():
            raise expired_handle(text)
        tx.run(statements.DELETE_MESSAGE, {"id": handle.id})
        tx.run(statements.DELETE_BODY, {"id": handle.id})
        outcome.deleted += 1
        outcome.groups.add(group_no)

    def delete_all(self, tx: Tx, queue: Queue, handles: Sequence[Handle], outcome: Outcome) -> None:
        """Delete those messages of a standard queue that the handles still fit, in few statements."""
        mine = [handle for handle in handles if handle.store == queue.store]
        outcome.deleted += sum(
            tx.run(statements.DELETE_HELD, {"id": each.id, "store": each.store, "receives": each.receives})
            for each in mine
        )
        tx.many(statements.DELETE_UNOWNED_BODY, [{"id": each.id} for each in mine])

    def undo(self, tx: Tx, queue: Queue, handles: Sequence[Handle], outcome: Outcome) -> int:
        """Make those messages that are held visible as if they had not been delivered; of how many that was possible.

        Who holds a handle must have no use for it any more: the next delivery has the same count.
        """
        now = self._now()
        undone = fresh = 0
        for handle in handles:
            params = {"id": handle.id, "store": queue.store, "receives": handle.receives, "now": now}
            if handle.store != queue.store or not tx.run(statements.UNDO_HOLD, params):
                continue
            undone += 1
            fresh += handle.receives == 1
            row = tx.one(statements.FIND_HELD, {"id": handle.id, "store": queue.store}) if queue.fifo else None
            if row is not None:
                outcome.groups.add(row[2])
        if fresh:
            tx.run(statements.ADD_TO_STORE, {"no": queue.store, "messages": 0, "received": -fresh})
        if undone and not queue.fifo:
            board, key = self._board, queue.key
            tx.after_commit(lambda: board.arrived(key, undone))
        return undone

    def change(self, tx: Tx, queue: Queue, handle: Handle, text: str, visibility_s: int, outcome: Outcome) -> None:
        """Make the message visible in `visibility_s`; `ServiceError`."""
        now = self._now()
        if handle.store != queue.store:
            raise unavailable(text)
        row = tx.one(statements.FIND_HELD, {"id": handle.id, "store": handle.store})
        if row is None or row[1] != handle.receives:
            raise unavailable(text)
        due_at, _, group_no = row
        if queue.fifo and due_at <= now:
            raise expired_handle(text)
        if now + visibility_s * 1000 > handle.received_at + MAX_VISIBILITY_S * 1000:
            raise invalid(
                visibility_s,
                "VisibilityTimeout",
                f"Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY_S} seconds]",
            )
        due_at = now + visibility_s * 1000
        tx.run(statements.SET_DUE, {"id": handle.id, "due_at": due_at})
        if group_no is None:
            tx.after_commit(self._telling(queue, due_at, now))
        else:
            outcome.groups.add(group_no)

    def settle(self, tx: Tx, queue: Queue, outcome: Outcome) -> None:
        """Account for what was deleted, and see to it that what is first in its group now is received in its time."""
        if outcome.deleted:
            gone = {"no": queue.store, "messages": -outcome.deleted, "received": -outcome.deleted}
            tx.run(statements.ADD_TO_STORE, gone)
        now = self._now()
        for group_no in outcome.groups:
            ready_at = moving.settle_group(tx, group_no, now)
            if ready_at is not None:
                tx.after_commit(self._telling(queue, ready_at, now))

    def _telling(self, queue: Queue, due_at: int, now: int) -> Callable[[], None]:
        board, key = self._board, queue.key
        if due_at <= now:
            return lambda: board.arrived(key, 1)
        return lambda: board.expect(key, due_at)

    def _now(self) -> int:
        return int(self._clock.now() * 1000)


def check_visibility(visibility_s: int) -> None:
    """`ServiceError` for a visibility timeout that no message can have."""
    if not 0 <= visibility_s <= MAX_VISIBILITY_S:
        raise invalid(
            visibility_s, "VisibilityTimeout", f"VisibilityTimeout must be an integer between 0 and {MAX_VISIBILITY_S}"
        )
