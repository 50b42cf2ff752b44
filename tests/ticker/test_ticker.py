"""The ticker on a real store and a clock that tests move."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.store.api import StorageFailedError, Tx
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from mayfly.ticker.ticker import BATCH, PUT_OFF_S, Moment, Tick, Ticker
from tests.conftest import VAULT

OpenStore = Callable[..., Awaitable[SqliteStore]]
INSERT = "INSERT INTO ran (key, at) VALUES (:key, :at)"


class Runs:
    """Acts by writing down what ran, every minute; `fails` are the keys that raise."""

    def __init__(self) -> None:
        self.fails: set[str] = set()
        self.once: set[str] = set()

    def act(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        tx.run(INSERT, {"key": tick.key, "at": tick.at})
        if tick.key in self.fails:
            raise RuntimeError("no")
        return None if tick.key in self.once else Moment(tick.at + 60, tick.at + 60)


@pytest.fixture
async def store(open_store: OpenStore) -> SqliteStore:
    store = await open_store("mayfly.ticker")
    await store.write(lambda tx: tx.run("CREATE TABLE ran (key TEXT NOT NULL, at DOUBLE PRECISION NOT NULL)"))
    return store


async def ran(store: SqliteStore) -> list[tuple[str, float]]:
    return await store.read(lambda reader: reader.all("SELECT key, at FROM ran ORDER BY at, key"))


async def set_at(store: SqliteStore, ticker: Ticker, *moments: tuple[str, float]) -> None:
    def body(tx: Tx) -> None:
        for key, at in moments:
            ticker.set(tx, key, Moment(at, at))

    await store.write(body)


@asynccontextmanager
async def running(ticker: Ticker) -> AsyncIterator[None]:
    task = asyncio.create_task(ticker.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_tick_runs_once_when_its_time_comes_and_moves_on(store: SqliteStore, clock: ManualClock) -> None:
    ticker = Ticker(store, clock, "k", Runs().act)
    start = clock.now()
    await set_at(store, ticker, ("a", start + 10))
    assert await ticker.settle() == 0
    clock.advance(10)
    assert await ticker.settle() == 1
    assert await ticker.settle() == 0
    assert await ran(store) == [("a", start + 10)]
    assert await store.read(lambda reader: ticker.next(reader, "a")) == Moment(start + 70, start + 70)


async def test_a_tick_without_a_next_is_gone(store: SqliteStore, clock: ManualClock) -> None:
    runs = Runs()
    runs.once.add("a")
    ticker = Ticker(store, clock, "k", runs.act)
    await set_at(store, ticker, ("a", clock.now()))
    assert await ticker.settle() == 1
    assert await store.read(lambda reader: ticker.next(reader, "a")) is None


async def test_kinds_do_not_see_each_other(store: SqliteStore, clock: ManualClock) -> None:
    one, two = Ticker(store, clock, "one", Runs().act), Ticker(store, clock, "two", Runs().act)
    await set_at(store, one, ("a", clock.now()))
    assert await two.settle() == 0
    assert await one.settle() == 1


async def test_more_than_a_batch_is_taken_in_the_order_of_time(store: SqliteStore, clock: ManualClock) -> None:
    runs, count = Runs(), 2 * BATCH + 3
    ticker = Ticker(store, clock, "k", runs.act)
    start = clock.now()
    await set_at(store, ticker, *((f"{n:04d}", start + n / 1000) for n in reversed(range(count))))
    clock.advance(10)
    assert await ticker.settle() == count
    written = await store.read(lambda reader: reader.all("SELECT key FROM ran ORDER BY rowid"))
    assert [row[0] for row in written] == [f"{n:04d}" for n in range(count)]


async def test_a_tick_that_fails_is_undone_put_off_and_stops_no_other(
    store: SqliteStore, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    runs = Runs()
    runs.fails.add("b")
    ticker = Ticker(store, clock, "k", runs.act)
    start = clock.now()
    await set_at(store, ticker, ("a", start), ("b", start), ("c", start))
    await ticker.settle()
    assert [key for key, _ in await ran(store)] == ["a", "c"]
    assert "the tick of k b failed" in caplog.text
    runs.fails.clear()
    clock.advance(PUT_OFF_S)
    await ticker.settle()
    assert ("b", start) in await ran(store)


async def test_what_was_set_anew_or_forgotten_does_not_run_at_its_old_time(
    store: SqliteStore, clock: ManualClock
) -> None:
    ticker = Ticker(store, clock, "k", Runs().act)
    start = clock.now()
    await set_at(store, ticker, ("a", start + 10), ("b", start + 10))
    await set_at(store, ticker, ("a", start + 50))
    await store.write(lambda tx: ticker.set(tx, "b", None))
    clock.advance(20)
    assert await ticker.settle() == 0
    clock.advance(30)
    assert await ticker.settle() == 1


async def test_the_next_process_goes_on_where_the_last_one_stopped(store: SqliteStore, clock: ManualClock) -> None:
    start = clock.now()
    first = Ticker(store, clock, "k", Runs().act)
    await set_at(store, first, ("a", start + 10))
    clock.advance(10)
    await first.settle()
    clock.advance(60)
    second = Ticker(store, clock, "k", Runs().act)
    assert await second.settle() == 1
    assert await ran(store) == [("a", start + 10), ("a", start + 70)]


async def test_an_effect_and_its_tick_are_one_commit(store: SqliteStore, clock: ManualClock) -> None:
    queue = SqlReadyQueue(store, clock, VAULT)
    runs = Runs()
    runs.fails.add("a")
    ticker = Ticker(store, clock, "k", runs.act)
    await set_at(store, ticker, ("a", clock.now()))
    await ticker.settle()
    assert await ran(store) == []
    assert await queue.depth("k") == 0


async def test_a_running_ticker_notices_what_is_set_earlier_than_all_else(
    store: SqliteStore, clock: ManualClock
) -> None:
    acted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def act(tx: Tx, tick: Tick, now: float) -> Moment | None:
        tx.after_commit(acted.set)
        return None

    ticker = Ticker(store, clock, "k", act)
    await set_at(store, ticker, ("far", clock.now() + 1e6))
    async with running(ticker):
        await set_at(store, ticker, ("near", clock.now()))
        await asyncio.wait_for(acted.wait(), 30)
        acted.clear()
        clock.advance(1e6)
        loop.call_soon(ticker.clock_moved)
        await asyncio.wait_for(acted.wait(), 30)


async def test_an_idle_ticker_reads_nothing(store: SqliteStore, clock: ManualClock) -> None:
    ticker = Ticker(store, clock, "k", Runs().act)
    await set_at(store, ticker, *((f"{n}", clock.now() + 1e6) for n in range(100)))
    await ticker.settle()
    commits = store.commits
    for _ in range(10):
        assert await ticker.settle() == 0
    assert store.commits == commits


@pytest.mark.parametrize("seed", range(12))
async def test_over_changes_pauses_and_restarts_each_moment_runs_at_most_once_and_none_early(
    store: SqliteStore, clock: ManualClock, seed: int
) -> None:
    dice = random.Random(seed)
    wanted: dict[str, float] = {}  # the next moment of each key, as a reader of the rules would work it out
    expected: list[tuple[str, float]] = []
    ticker = Ticker(store, clock, "k", Runs().act)
    for _ in range(60):
        step, key = dice.choice(["set", "set", "forget", "pass", "pass", "restart"]), dice.choice("abcdef")
        if step == "set":
            wanted[key] = clock.now() + dice.randrange(200)
            await set_at(store, ticker, (key, wanted[key]))
        elif step == "forget":
            wanted.pop(key, None)
            await store.write(partial(ticker.set, key=key, moment=None))
        elif step == "restart":
            ticker = Ticker(store, clock, "k", Runs().act)
        else:
            clock.advance(dice.randrange(300))
            await ticker.settle()
            for name, moment in wanted.items():
                while moment <= clock.now():
                    expected.append((name, moment))
                    moment += 60
                wanted[name] = moment
    assert sorted(await ran(store)) == sorted(expected)


async def test_what_is_set_while_the_first_look_is_under_way_is_noticed(
    store: SqliteStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticker = Ticker(store, clock, "k", Runs().act)
    await set_at(store, ticker, ("far", clock.now() + 1e6))
    fresh = Ticker(store, clock, "k", Runs().act)
    read = store.read

    async def meanwhile(body: Any) -> Any:
        found = await read(body)
        monkeypatch.setattr(store, "read", read)
        await set_at(store, fresh, ("near", clock.now()))  # after the look, before its answer is there
        return found

    monkeypatch.setattr(store, "read", meanwhile)
    assert await fresh.settle() == 1


async def test_after_a_look_that_failed_the_next_one_finds_what_is_due(
    store: SqliteStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticker = Ticker(store, clock, "k", Runs().act)
    await set_at(store, ticker, ("a", clock.now()))
    read = store.read

    async def fail(body: Any) -> Any:
        monkeypatch.setattr(store, "read", read)
        raise StorageFailedError("the disk is away")

    monkeypatch.setattr(store, "read", fail)
    with pytest.raises(StorageFailedError):
        await ticker.settle()
    assert await ticker.settle() == 1
