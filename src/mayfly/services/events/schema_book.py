"""Writes down which shapes of events pass on buses that are to be looked at; none is, unless somebody says so.

Events are looked at after they are on the bus, off the path of whoever sent them: a bounded number waits for that, and
the rest is not looked at, which costs a schema nothing but time. What was learnt is written every few seconds, so a
crash forgets seconds of it. One look at a flag is all that events of other buses pay.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.events import records
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.model import BusKey, Event
from mayfly.services.events.schemas import Shape, learn
from mayfly.store.api import Reader, Row, Store, StoreClosedError, Tx

MOST_SCHEMAS = 1000  # of a bus
MOST_WAITING = 1000
EVERY_S = 2.0
_LONGEST_NAME = 256
_AT_ONCE = 50  # events between two breaths of the event loop

_BUS: Final = "account = :account AND region = :region AND bus = :bus"
_TURN_ON: Final = """
INSERT INTO events_discoverers (account, region, bus, since) VALUES (:account, :region, :bus, :now)
ON CONFLICT (account, region, bus) DO NOTHING
"""
_TURN_OFF: Final = f"DELETE FROM events_discoverers WHERE {_BUS}"
_FORGET: Final = f"DELETE FROM events_schemas WHERE {_BUS}"
_LIST: Final = f"""
SELECT source, detail_type, version, seen, first_at, last_at, shape FROM events_schemas WHERE {_BUS}
ORDER BY source, detail_type LIMIT {MOST_SCHEMAS}
"""
_PUT: Final = """
INSERT INTO events_schemas (account, region, bus, source, detail_type, version, seen, first_at, last_at, shape)
VALUES (:account, :region, :bus, :source, :detail_type, :version, :seen, :first_at, :last_at, :shape)
ON CONFLICT (account, region, bus, source, detail_type)
DO UPDATE SET version = excluded.version, seen = excluded.seen, last_at = excluded.last_at, shape = excluded.shape
"""

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Shape).decode


class Schema(NamedTuple):
    """One schema of a bus. `version` rises when the shape becomes another."""

    source: str
    detail_type: str
    version: int
    seen: int
    first_at: float
    last_at: float
    shape: Shape


class SchemaBook:
    """See the module. `run` must be a task for as long as the service is used."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock, every_s: float = EVERY_S) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._every_s = every_s
        self._waiting: deque[tuple[BusKey, Event]] = deque()
        self._books: dict[BusKey, dict[tuple[str, str], Schema]] = {}
        self._changed: set[tuple[BusKey, tuple[str, str]]] = set()
        self._woken = asyncio.Event()
        self._settling = asyncio.Lock()

    def notice(self, tx: Tx, bus: BusKey, event: Event) -> None:
        """An event is put in this transaction on a bus that is looked at."""
        tx.after_commit(lambda: self._wait(bus, event))

    async def turn(self, bus: BusKey, *, on: bool) -> None:
        """Look at a bus from now on, or no more; ResourceNotFoundException."""

        def body(tx: Tx) -> None:
            records.bus_of(tx, bus)
            tx.run(_TURN_ON if on else _TURN_OFF, {**_key(bus), **({"now": self._clock.now()} if on else {})})
            tx.after_commit(lambda: self._catalog.changed(bus, lambda loaded: loaded.watch(on)))

        await self._store.write(body)
        if not on:
            await self._settle()
            self._books.pop(bus, None)

    async def forget(self, bus: BusKey) -> None:
        """Remove what was written down of a bus."""
        await self._store.write(lambda tx: tx.run(_FORGET, _key(bus)))
        self._books.pop(bus, None)
        self._changed = {one for one in self._changed if one[0] != bus}

    async def is_on(self, bus: BusKey) -> bool:
        """Whether a bus is looked at."""
        return await self._store.read(lambda reader: records.is_watched(reader, bus))

    async def schemas(self, bus: BusKey) -> list[Schema]:
        """What is known of a bus by now; ResourceNotFoundException."""
        await self._settle()

        def body(reader: Reader) -> list[Schema]:
            records.bus_of(reader, bus)
            return list(_read(reader, bus).values())

        return await self._store.read(body)

    async def run(self) -> None:
        """Look at what waits, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._settle()
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("shapes of events were not written down this time")
            await asyncio.sleep(self._every_s)

    def _wait(self, bus: BusKey, event: Event) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((bus, event))
            self._woken.set()

    async def _settle(self) -> None:
        """Return when all that was put before is written down."""
        async with self._settling:
            await self._take_in()
            await self._write()

    async def _take_in(self) -> None:
        for bus in {bus for bus, _ in self._waiting} - self._books.keys():
            self._books[bus] = await self._store.read(partial(_read, bus=bus))
        looked = 0
        while self._waiting:
            bus, event = self._waiting.popleft()
            if bus in self._books:
                self._learn(bus, event.fields)
            looked += 1
            if looked % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _learn(self, bus: BusKey, fields: Mapping[str, Any]) -> None:
        book, now = self._books[bus], self._clock.now()
        key = (str(fields.get("source", "")), str(fields.get("detail-type", "")))
        known = book.get(key)
        if known is None:
            if len(book) >= MOST_SCHEMAS or max(map(len, key)) > _LONGEST_NAME:
                return
            known = Schema(*key, 0, 0, now, now, Shape())
        changed = learn(known.shape, fields.get("detail"))
        book[key] = known._replace(version=known.version + changed, seen=known.seen + 1, last_at=now)
        self._changed.add((bus, key))

    async def _write(self) -> None:
        changed, self._changed = self._changed, set()
        rows = [_row(bus, self._books[bus][key]) for bus, key in changed if key in self._books.get(bus, ())]
        if rows:
            try:
                await self._store.write(lambda tx: tx.many(_PUT, rows))
            except PlatformError:
                self._changed |= changed
                raise


def _read(reader: Reader, bus: BusKey) -> dict[tuple[str, str], Schema]:
    rows = reader.all(_LIST, _key(bus))
    return {(row[0], row[1]): _schema(row) for row in rows}


def _schema(row: Row) -> Schema:
    source, detail_type, version, seen, first_at, last_at, shape = row
    return Schema(source, detail_type, version, seen, first_at, last_at, _decode(shape))


def _row(bus: BusKey, schema: Schema) -> dict[str, Any]:
    return {**_key(bus), **schema._asdict(), "shape": _encode(schema.shape)}


def _key(bus: BusKey) -> dict[str, str]:
    return {"account": bus.account, "region": bus.region, "bus": bus.name}
