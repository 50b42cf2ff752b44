"""What tables need done behind everybody's back: removing deleted rows, filling new indexes, expiring items.

Each step is one short transaction over a bounded number of rows, so that it never holds up anybody's writes; where
it got to follows from what is stored, so that a restart just goes on.
"""

import asyncio
import logging
from functools import partial
from typing import NamedTuple

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.tables import items, statements
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.items import Key, Stored, decode_item
from mayfly.services.tables.model import Index, Table, TimeToLive
from mayfly.store.api import Params, Reader, Row, Store, Tx

BATCH = 100
PAUSE_S = 10.0  # between looks for expired items
MAX_EXPIRED_AGE_S = 5 * 365 * 86400  # an older time to live counts as a mistake, as in DynamoDB
_log = logging.getLogger(__name__)
_START = Key(-1, b"", b"")


class _Due(NamedTuple):
    """Which kinds of work there are."""

    garbage: bool
    expired: bool
    forgettable: bool


class Maintenance:
    """The background work of tables. `run` is a task of whoever runs the platform; `settle` does it on the spot."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Tell `run` that there is work. Called on the event loop."""
        self._awake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._awake.clear()
            try:
                await self.settle()
            except PlatformError:
                _log.warning("tables could not be tidied up this time", exc_info=True)
            try:
                await asyncio.wait_for(self._awake.wait(), PAUSE_S)
            except TimeoutError:
                continue

    async def settle(self) -> None:
        """Do everything that is to be done now; nothing is written when there is nothing to do."""
        due = await self._store.read(self._look)
        while due.garbage and await self._store.write(self._remove_garbage):
            pass
        for table in await self._unfinished():
            await self._finish(table)
        # A time to live that has just been set may have brought items that are due.
        while (await self._store.read(self._look)).expired and await self._store.write(self._expire):
            pass
        if due.forgettable:
            now = self._clock.now()
            await self._store.write(lambda tx: tx.run(statements.FORGET_TRANSACTIONS, {"now": now}))

    def _look(self, reader: Reader) -> "_Due":
        now = self._clock.now()
        window = {"now": int(now), "oldest": int(now) - MAX_EXPIRED_AGE_S, "limit": 1}
        return _Due(
            garbage=reader.one(statements.FIND_GARBAGE) is not None,
            expired=reader.one(statements.EXPIRED_ITEMS, window) is not None,
            forgettable=reader.one(statements.FIND_FORGETTABLE, {"now": now}) is not None,
        )

    def _remove_garbage(self, tx: Tx) -> bool:
        """Remove some rows that nothing refers to; whether there may be more."""
        row = tx.one(statements.FIND_GARBAGE)
        if row is None:
            return False
        table_id, index_id = row
        params = {"table_id": table_id, "index_id": index_id, "limit": BATCH}
        entries = tx.all(statements.GARBAGE_ENTRIES, params)
        for entry in entries:
            names = ("index_id", "slot", "hash_key", "range_key", "item_hash", "item_range")
            tx.run(statements.DELETE_ENTRY, {"table_id": table_id, **dict(zip(names, entry, strict=True))})
        found = 0
        if index_id == 0:
            rows = tx.all(statements.GARBAGE_ITEMS, {"table_id": table_id, "limit": BATCH})
            found = len(rows)
            for slot, hash_key, range_key in rows:
                params = {"table_id": table_id, "slot": slot, "hash_key": hash_key, "range_key": range_key}
                tx.run(statements.DELETE_ITEM, params)
        if len(entries) < BATCH and found < BATCH:
            tx.run(statements.DELETE_INDEX_TOTALS, {"table_id": table_id, "index_id": index_id})
            tx.run(statements.DELETE_GARBAGE, {"table_id": table_id, "index_id": index_id})
        return True

    async def _unfinished(self) -> list[Table]:
        """Tables with an index, or a time to live, that does not yet cover all of their items."""
        found: list[Table] = []
        after = ""
        while True:
            params: Params = {"after": after, "limit": BATCH}
            rows = await self._store.read(partial(_all_tables, params=params))
            tables = [self._catalog.decode(row[0]) for row in rows]
            found += [table for table in tables if _unfinished_parts(table)]
            if len(tables) < BATCH:
                return found
            after = tables[-1].id

    async def _finish(self, table: Table) -> None:
        """Bring every item of `table` under its new index or time to live, then say so in its definition."""
        at: Key | None = _START
        while at is not None:
            at = await self._store.write(partial(self._cover, table_id=table.id, after=at))

    def _cover(self, tx: Tx, table_id: str, after: Key) -> Key | None:
        """Some items of a table, in order; where the next ones start, or None when all are done."""
        row = tx.one(statements.FIND_TABLE_BY_ID, {"table_id": table_id})
        if row is None:
            return None
        table = self._catalog.decode(row[0])
        indexes, expiry = _unfinished_parts(table) or ((), None)
        rows = tx.all(statements.NEXT_ITEMS, {**after.params(table), "limit": BATCH})
        for slot, hash_key, range_key, data in rows:
            key, item = Key(slot, hash_key, range_key), decode_item(data)
            for index in indexes:
                entry = items.index_key(index, item)
                if entry is not None:
                    items.add_to_index_totals(tx, table, index, items.add_entry(tx, table, index, entry, key))
            if expiry is not None:
                params = {**key.params(table), "expires_at": items.expiry_of(table, item)}
                tx.run(statements.SET_EXPIRY, params)
        if len(rows) == BATCH:
            return Key(*rows[-1][:3])
        self._catalog.replace(tx, _finished(table))
        return None

    def _expire(self, tx: Tx) -> bool:
        """Delete some items whose time has come; whether there may be more."""
        now = int(self._clock.now())
        rows = tx.all(statements.EXPIRED_ITEMS, {"now": now, "oldest": now - MAX_EXPIRED_AGE_S, "limit": BATCH})
        for row in rows:
            self._expire_one(tx, row)
        return len(rows) == BATCH

    def _expire_one(self, tx: Tx, row: Row) -> None:
        table_id, slot, hash_key, range_key, data, size = row
        key = Key(slot, hash_key, range_key)
        found = tx.one(statements.FIND_TABLE_BY_ID, {"table_id": table_id})
        table = self._catalog.decode(found[0]) if found else None
        if table is not None and table.time_to_live is not None:
            items.delete(tx, table, key, Stored(decode_item(data), size))
        elif table is not None:
            tx.run(statements.SET_EXPIRY, {**key.params(table), "expires_at": None})
        else:
            params = {"table_id": table_id, "slot": slot, "hash_key": hash_key, "range_key": range_key}
            tx.run(statements.DELETE_ITEM, params)


def _all_tables(reader: Reader, params: Params) -> list[Row]:
    return reader.all(statements.ALL_TABLES, params)


def _unfinished_parts(table: Table) -> tuple[tuple[Index, ...], TimeToLive | None] | None:
    indexes = tuple(index for index in table.indexes if not index.backfilled)
    expiry = table.time_to_live if table.time_to_live and not table.time_to_live.backfilled else None
    return (indexes, expiry) if indexes or expiry else None


def _finished(table: Table) -> Table:
    expiry = table.time_to_live and msgspec.structs.replace(table.time_to_live, backfilled=True)
    indexes = tuple(msgspec.structs.replace(index, backfilled=True) for index in table.indexes)
    return msgspec.structs.replace(table, indexes=indexes, time_to_live=expiry)
