"""The events in archives: kept, counted, thrown away. Functions of a `Tx`, and the task that enforces retention."""

import asyncio
import logging

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.events import records
from mayfly.services.events import statements as sql
from mayfly.services.events.model import Archive, Event
from mayfly.store.api import Reader, Row, Store, StoreClosedError, Tx

BATCH = 500  # events thrown away in one transaction
SWEEP_S = 3600.0
REPLAYS_KEPT_S = 90 * 86_400.0  # after their end, as AWS keeps them

_DAY_S = 86_400.0
_log = logging.getLogger(__name__)


def keep(tx: Tx, serial: int, event: Event, now: float) -> None:
    """Add an event to an archive."""
    size = len(event.text)
    row = {"archive": serial, "happened_at": event.time, "id": records.next_serial(tx), "archived_at": now}
    tx.run(sql.INSERT_ARCHIVED, {**row, "size": size, "event": event.text})
    tx.run(sql.GROW_ARCHIVE, {"archive": serial, "count": 1, "size": size})


class ArchiveKeeper:
    """Throws away what archives need no more: `run`, as a task of the service."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._garbage = asyncio.Event()

    def deleted(self) -> None:
        """An archive was deleted: its events can go."""
        self._garbage.set()

    async def run(self) -> None:
        """Sweep when an archive was deleted, and every hour."""
        while True:
            try:
                self._garbage.clear()  # before: what is deleted during a sweep is seen by the next one
                await self.sweep()
                async with asyncio.timeout(SWEEP_S):
                    await self._garbage.wait()
            except TimeoutError:
                continue
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("old events of archives were not removed this time")
                await asyncio.sleep(SWEEP_S / 60)

    async def sweep(self) -> None:
        """Throw away the events of deleted archives, those older than the retention of theirs, and old replays."""
        while (row := await self._store.read(lambda reader: reader.one(sql.FIND_GARBAGE))) is not None:
            await self._empty(row[0])
        await self._expire()
        old = await self._store.read(self._old_replays)
        if old:  # nothing is written, and no disk synced, where there is nothing to do
            await self._store.write(lambda tx: tx.many(sql.DELETE_REPLAY, old))

    async def _empty(self, archive: int) -> None:
        while await self._store.write(lambda tx: self._drop_some(tx, archive)):
            pass
        await self._store.write(lambda tx: tx.run(sql.DELETE_GARBAGE, {"archive": archive}))

    async def _expire(self) -> None:
        after = 0
        while found := await self._page(after):
            for serial, archive in found:
                if archive.retention_days:
                    await self._drop_before(serial, self._clock.now() - archive.retention_days * _DAY_S)
            after = found[-1][0]

    async def _page(self, after: int) -> list[tuple[int, Archive]]:
        return await self._store.read(lambda reader: records.every_archive(reader, after, BATCH))

    async def _drop_before(self, archive: int, before: float) -> None:
        while await self._store.write(lambda tx: self._drop_old(tx, archive, before)):
            pass

    def _drop_some(self, tx: Tx, archive: int) -> bool:
        return _drop(tx, archive, tx.all(sql.SOME_ARCHIVED, {"archive": archive, "limit": BATCH}))

    def _drop_old(self, tx: Tx, archive: int, before: float) -> bool:
        return _drop(tx, archive, tx.all(sql.EXPIRED, {"archive": archive, "before": before, "limit": BATCH}))

    def _old_replays(self, reader: Reader) -> list[dict[str, str]]:
        before = self._clock.now() - REPLAYS_KEPT_S
        return [
            {**records.owner(key), "name": name}
            for key, name, replay in records.ended_replays(reader)
            if replay.ended_at is not None and replay.ended_at < before
        ]


def _drop(tx: Tx, archive: int, rows: list[Row]) -> bool:
    """Remove events from an archive; whether there may be more."""
    tx.many(sql.DELETE_ARCHIVED, [{"archive": archive, "at": at, "id": id_} for at, id_, _ in rows])
    tx.run(sql.GROW_ARCHIVE, {"archive": archive, "count": -len(rows), "size": -sum(size for _, _, size in rows)})
    return len(rows) == BATCH
