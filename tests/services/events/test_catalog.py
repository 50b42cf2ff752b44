"""Buses in memory: read once, kept up to date, bounded."""

from collections.abc import Callable
from typing import Any

from mayfly.clock import ManualClock
from mayfly.services.events import records
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.model import Bus, BusKey, Rule, Target
from mayfly.store.api import NO_PARAMS, Params, Reader, Row
from mayfly.store.sqlite import SqliteStore

KEY = BusKey("000000000000", "us-east-1", "default")
TARGET = Target("t", "arn:aws:sqs:us-east-1:000000000000:q")
SHOP = {"source": "shop"}


def rule(name: str) -> Rule:
    return Rule(name, "000000000000", pattern='{"source":["shop"]}')


class Interrupted:
    """A `Reader` that lets something happen when rules are read, after they were."""

    def __init__(self, reader: Reader, happens: Callable[[], None]) -> None:
        self._reader = reader
        self._happens = happens

    def one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        return self._reader.one(sql, params)

    def all(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        rows = self._reader.all(sql, params)
        if "events_rules" in sql:
            self._happens()
        return rows


async def store_with(open_store: Any, *names: str) -> SqliteStore:
    store: SqliteStore = await open_store("mayfly.services.events")

    def body(tx: Any) -> None:
        for name in names:
            records.put_rule(tx, KEY, rule(name))
            records.put_targets(tx, KEY, name, [TARGET])

    await store.write(body)
    return store


def found(catalog: Catalog) -> list[str]:
    bus = catalog.peek(KEY)
    assert bus is not None
    return [subscriber.name for subscriber in bus.match(SHOP).subscribers]


async def test_changes_that_are_committed_while_a_bus_is_read_are_not_missed(
    open_store: Any, clock: ManualClock
) -> None:
    store = await store_with(open_store, "kept", "dropped")
    catalog = Catalog()

    def happens() -> None:
        catalog.changed(KEY, lambda bus: bus.set_rule(KEY, rule("new"), (TARGET,)))
        catalog.changed(KEY, lambda bus: bus.drop_rule("dropped"))

    await store.read(lambda reader: catalog.bus(Interrupted(reader, happens), KEY))
    assert found(catalog) == ["kept", "new"]


async def test_a_bus_that_is_deleted_while_it_is_read_is_not_kept(open_store: Any) -> None:
    store = await store_with(open_store, "kept")
    catalog = Catalog()
    loaded = await store.read(lambda reader: catalog.bus(Interrupted(reader, lambda: catalog.gone(KEY)), KEY))
    assert loaded is not None
    assert catalog.peek(KEY) is None


async def test_only_the_buses_that_were_used_last_are_kept(open_store: Any) -> None:
    store = await store_with(open_store)
    catalog = Catalog(most=2)
    keys = [KEY._replace(name=name) for name in ("a", "b", "c")]

    def body(tx: Any) -> None:
        for key in keys:
            records.put_bus(tx, key, Bus(1.0, 1.0))
            catalog.bus(tx, key)

    await store.write(body)
    assert [catalog.peek(key) is None for key in keys] == [True, False, False]


async def test_as_many_buses_are_kept_as_their_rules_allow_and_the_last_one_always(open_store: Any) -> None:
    store = await store_with(open_store)
    catalog = Catalog(most_rules=4)
    small, other, large = (KEY._replace(name=name) for name in ("small", "other", "large"))

    def body(tx: Any) -> None:
        for key, rules in ((small, 2), (other, 2), (large, 5)):
            records.put_bus(tx, key, Bus(1.0, 1.0))
            for number in range(rules):
                records.put_rule(tx, key, rule(str(number)))
                records.put_targets(tx, key, str(number), [TARGET])

    def kept() -> list[bool]:
        return [catalog.peek(key) is not None for key in (large, other, small)]

    await store.write(body)
    await store.read(lambda reader: [catalog.bus(reader, key) for key in (small, other)])
    assert kept() == [False, True, True]
    catalog.changed(small, lambda bus: bus.set_rule(small, rule("one more"), (TARGET,)))
    assert kept() == [False, False, True]
    await store.read(lambda reader: catalog.bus(reader, large))
    assert kept() == [True, False, False]


async def test_rules_that_are_off_or_have_no_target_or_no_pattern_match_nothing(open_store: Any) -> None:
    store = await store_with(open_store)
    catalog = Catalog()
    bus = await store.read(lambda reader: catalog.bus(reader, KEY))
    assert bus is not None
    bus.set_rule(KEY, rule("no-target"), ())
    bus.set_rule(KEY, Rule("off", "0", state="DISABLED", pattern='{"source":["shop"]}'), (TARGET,))
    bus.set_rule(KEY, Rule("clock", "0", schedule="rate(1 minute)"), (TARGET,))
    assert bus.is_idle()
    bus.set_rule(KEY, rule("on"), (TARGET,))
    assert not bus.is_idle()
    assert found(catalog) == ["on"]
    bus.set_rule(KEY, Rule("on", "0", state="DISABLED", pattern='{"source":["shop"]}'), (TARGET,))
    assert bus.is_idle()
