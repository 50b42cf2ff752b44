"""A FIFO queue's delay counts for the messages that are in it, too.

A quarter of an hour of messages may be very many, so they get their new times some at a time, from the latest on. Their
order is never at stake: it is that of their numbers, whatever their times. A server that ends meanwhile leaves the rest
with the delay that they were sent with.
"""

import asyncio
from functools import partial
from typing import NamedTuple

from mayfly.clock import Clock
from mayfly.services.queues import moving, statements
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.model import Queue
from mayfly.store.api import Store, Tx

CHUNK = 500  # messages in one transaction
PAUSE_S = 0.005  # between two, so that those who wait come first
_LAST_ID = 2**63 - 1


class _Place(NamedTuple):
    """What comes before it is still to be done."""

    at: int
    id: int


async def retime(store: Store, clock: Clock, catalog: Catalog, before: Queue, delay_s: int) -> None:
    """Move the times of messages that were never received from the delay of `before` to `delay_s`.

    Only those of the last quarter of an hour can be concerned: the rest is due with every delay.
    """
    now = int(clock.now() * 1000)
    longest_ms = max(delay_s, before.delay_s) * 1000

    def step(tx: Tx, place: _Place) -> _Place | None:
        queue = catalog.find(tx, before.key)
        if queue is None or queue.store != before.store or queue.delay_s != delay_s:
            return None  # gone, purged, or somebody else's to retime
        params = {"store": queue.store, "since": now - longest_ms, "at": place.at, "id": place.id, "count": CHUNK}
        rows = tx.all(statements.FRESH_SINCE, params)
        tx.many(statements.SET_DUE, [{"id": id_, "due_at": sent_at + delay_s * 1000} for id_, _, sent_at, _ in rows])
        for group_no in {group_no for _, _, _, group_no in rows}:
            moving.settle_group(tx, group_no, int(clock.now() * 1000))
        return _Place(rows[-1][1], rows[-1][0]) if len(rows) == CHUNK else None

    place = _Place(now + longest_ms, _LAST_ID)
    while True:
        reached = await store.write(partial(step, place=place))
        if reached is None:
            return
        place = reached
        await asyncio.sleep(PAUSE_S)
