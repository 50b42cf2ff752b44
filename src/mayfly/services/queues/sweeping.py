"""What happens to queues without anybody asking: content that nobody can reach is removed, messages grow too old.

Everything in small transactions, because others wait behind each. What is too old is never received, whenever it is
swept. A look at a queue is one seek in the index; that a queue is long costs nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.queues import moving, statements
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.model import Queue
from mayfly.store.api import Reader, Store, StoreClosedError, Tx

EVERY_S = 30.0
CHUNK = 500  # messages in one transaction: a few milliseconds
PAUSE_S = 0.005  # between two, so that those who wait come first
QUEUES_AT_A_TIME = 500
DELETED_MS = 60_000
TASKS_MS = 7 * 24 * 3600 * 1000

_log = logging.getLogger(__name__)


class Sweeper:
    """`run` is the service's background work; `sweep` one round of all of it."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._parts = (self._tidy, self._expire_old, self._forget_old)

    async def run(self) -> None:
        """Sweep now and then, until cancelled. Side by side: millions of messages that were purged take minutes, in
        which others grow too old."""
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(self._now_and_then(part), name=f"queues{part.__name__}")

    async def _now_and_then(self, part: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await part()
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("queues were not swept this time")
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> None:
        """Remove everything that may be removed now."""
        for part in self._parts:
            await part()

    async def _tidy(self) -> None:
        await self._repeat(self._empty_trash)

    async def _expire_old(self) -> None:
        after: int | None = 0
        while after is not None:
            after, old = await self._store.read(partial(self._page, after=after))
            for queue in old:
                await self._repeat(partial(self._expire, found=queue))

    async def _forget_old(self) -> None:
        await self._repeat(self._forget)

    async def _repeat(self, body: Callable[[Tx], bool]) -> None:
        """Write `body` for as long as it says that there is more, letting others go first in between."""
        while True:
            if not await self._store.write(body):
                return
            await asyncio.sleep(PAUSE_S)

    def _page(self, reader: Reader, after: int) -> tuple[int | None, list[Queue]]:
        """Where the next page of queues begins, and those of this one that hold something too old."""
        now = int(self._clock.now() * 1000)
        rows = reader.all(statements.ALL_QUEUES, {"after": after, "count": QUEUES_AT_A_TIME})
        queues = [self._catalog.decode(definition) for (definition,) in rows]
        old = [queue for queue in queues if reader.all(statements.EXPIRED, _too_old(queue, now, 1))]
        return (queues[-1].no if len(queues) == QUEUES_AT_A_TIME else None), old

    def _empty_trash(self, tx: Tx) -> bool:
        """Remove some of what nobody can reach; whether there may be more."""
        row = tx.one(statements.ANY_TRASH)
        if row is None:
            return False
        store = row[0]
        ids = [{"id": id_} for (id_,) in tx.all(statements.IN_STORE, {"store": store, "count": CHUNK})]
        tx.many(statements.DELETE_MESSAGE, ids)
        tx.many(statements.DELETE_BODY, ids)
        if len(ids) < CHUNK and tx.run(statements.DELETE_SOME_GROUPS, {"store": store, "count": CHUNK}) < CHUNK:
            tx.run(statements.DELETE_STORE, {"no": store})
            tx.run(statements.DELETE_TRASH, {"store": store})
        return True

    def _expire(self, tx: Tx, found: Queue) -> bool:
        """Remove some messages that are too old; whether there may be more."""
        queue = self._catalog.find(tx, found.key)
        if queue is None:
            return False
        now = int(self._clock.now() * 1000)
        rows = tx.all(statements.EXPIRED, _too_old(queue, now, CHUNK))
        if rows:
            moving.remove(tx, queue.store, [(id_, receives > 0) for id_, receives, _ in rows])
            for group_no in {group_no for _, _, group_no in rows if group_no is not None}:
                moving.settle_group(tx, group_no, now)
        return len(rows) == CHUNK

    def _forget(self, tx: Tx) -> bool:
        """Forget ids that need not be remembered any more; whether there may be more."""
        now = int(self._clock.now() * 1000)
        params = {"now": now, "count": CHUNK}
        gone = max(tx.run(statements.FORGET_DUPLICATES, params), tx.run(statements.FORGET_ATTEMPTS, params))
        tx.run(statements.FORGET_DELETED, {"before": now - DELETED_MS})
        tx.run(statements.FORGET_TASKS, {"before": now - TASKS_MS})
        return gone >= CHUNK


def _too_old(queue: Queue, now: int, count: int) -> dict[str, int]:
    # A message was sent before it fell due, so that those found here are too old, whatever happened to them.
    return {"store": queue.store, "before": now - queue.retention_s * 1000, "count": count}
