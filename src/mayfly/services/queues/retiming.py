"""A FIFO queue's delay counts for the messages that are in it, too, so that their order stays."""

from mayfly.services.queues import moving, statements
from mayfly.services.queues.model import Queue
from mayfly.store.api import Tx


def retime(tx: Tx, queue: Queue, delay_s: int, now: int) -> None:
    """Move the times of messages that were never received to the new delay.

    Only those of the last quarter of an hour can be concerned: the rest is due with every delay.
    """
    since = now - max(delay_s, queue.delay_s) * 1000
    rows = tx.all(statements.FRESH_SINCE, {"store": queue.store, "since": since})
    tx.many(statements.SET_DUE, [{"id": id_, "due_at": sent_at + delay_s * 1000} for id_, sent_at, _ in rows])
    for group_no in {group_no for _, _, group_no in rows}:
        moving.settle_group(tx, group_no, now)
