"""What topics forget in time: unconfirmed and ended subscriptions, deduplication ids, archived messages; and what
topics that were deleted leave behind."""

import math

from mayfly.clock import Clock
from mayfly.services.topics import statements as sql
from mayfly.services.topics import topic_attributes
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.model import Topic
from mayfly.store.api import Store, Tx

EVERY_S = 60.0
BATCH = 1000
_PAGE = 200


class Housekeeping:
    """Forgets."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def once(self) -> None:
        """Forget all that is due, a batch a transaction."""
        now = self._clock.now()
        for statement in (sql.GIVE_UP_PENDING, sql.FORGET_CANCELLED, sql.FORGET):
            await self._drain(statement, {"now": now})
        after = 0
        while topics := await self._fifo_topics(after):
            for topic in topics:
                await self._archive(topic, now)
            after = topics[-1].id
        while gone := await self._store.read(lambda reader: reader.one(sql.LEFT_ARCHIVE)):
            await self._left(gone[0])

    async def _fifo_topics(self, after: int) -> list[Topic]:
        return await self._store.read(lambda reader: self._catalog.fifo_topics(reader, after, _PAGE))

    async def _archive(self, topic: Topic, now: float) -> None:
        days = topic_attributes.retention_days(topic)
        before = now + 1 if days is None else now - days * 86400
        params = {"topic_id": topic.id}
        oldest = await self._store.read(lambda reader: reader.one(sql.OLDEST_ARCHIVED, params))
        if oldest is not None and oldest[0] is not None and oldest[0] < before:
            await self._drain(sql.DROP_ARCHIVED, {**params, "before": before})

    async def _left(self, topic_id: int) -> None:
        """What a topic archived that was deleted."""
        params = {"topic_id": topic_id}
        await self._drain(sql.DROP_ARCHIVED, {**params, "before": math.inf})
        await self._store.write(lambda tx: tx.run(sql.ARCHIVE_DROPPED, params))

    async def _drain(self, statement: str, params: dict[str, float]) -> None:
        def body(tx: Tx) -> int:
            return tx.run(statement, {**params, "limit": BATCH})

        while await self._store.write(body) >= BATCH:
            pass
