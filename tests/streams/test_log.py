"""The durable log in shards."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.store.sqlite import SqliteStore
from mayfly.streams.log import DAY_MS, HASHES, Entry, Shard, Start, StreamError, StreamLog, Watch, key_hash
from tests.conftest import OpenStore


class Streams:
    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.watch = Watch()
        self.log = StreamLog(clock, self.watch)

    async def create(self, shards: int = 1) -> None:
        await self.store.write(lambda tx: self.log.create(tx, "s", shards))

    async def append(self, *entries: str) -> None:
        """`key=data` each."""
        await self.store.write(
            lambda tx: self.log.append(tx, "s", [Entry(each.split("=")[0], each.encode()) for each in entries])
        )

    async def read(self, shard: int, after: int = 0, most: int = 100) -> list[str]:
        page = await self.store.read(lambda reader: self.log.read(reader, "s", shard, after, most))
        return [record.data.decode() for record in page.records]

    async def ended(self, shard: int) -> bool:
        return (await self.store.read(lambda reader: self.log.read(reader, "s", shard, 0, 100))).ended

    async def shards(self) -> list[Shard]:
        return await self.store.read(lambda reader: self.log.shards(reader, "s"))

    async def begin(self, start: Start, at: float | None = None) -> int:
        return await self.store.read(lambda reader: self.log.begin(reader, "s", 0, start, at))


@pytest.fixture
async def streams(open_store: OpenStore, clock: ManualClock) -> Streams:
    return Streams(await open_store("mayfly.streams"), clock)


async def test_records_are_read_in_the_order_in_which_they_came(streams: Streams) -> None:
    await streams.create()
    await streams.append("a=1", "b=2")
    await streams.append("a=3")
    assert await streams.read(0) == ["a=1", "b=2", "a=3"]
    assert await streams.read(0, most=2) == ["a=1", "b=2"]


async def test_records_of_one_key_lie_in_one_shard(streams: Streams) -> None:
    await streams.create(4)
    keys = [f"k{number}" for number in range(40)]
    await streams.append(*(f"{key}=x" for key in keys), *(f"{key}=y" for key in keys))
    seen: list[str] = []
    for shard in range(4):
        found = await streams.read(shard)
        mine = [each.split("=")[0] for each in found[: len(found) // 2]]
        assert found == [*(f"{key}=x" for key in mine), *(f"{key}=y" for key in mine)]
        seen += mine
    assert sorted(seen) == sorted(keys)


async def test_reading_begins_at_the_horizon_at_the_end_or_at_a_moment(streams: Streams) -> None:
    await streams.create()
    await streams.append("a=1")
    streams.clock.advance(10)
    at = streams.clock.now()
    await streams.append("a=2")
    streams.clock.advance(10)
    await streams.append("a=3")
    assert await streams.read(0, await streams.begin("TRIM_HORIZON")) == ["a=1", "a=2", "a=3"]
    assert await streams.read(0, await streams.begin("AT_TIMESTAMP", at)) == ["a=2", "a=3"]
    assert await streams.read(0, await streams.begin("LATEST")) == []


async def test_what_is_older_than_the_retention_is_not_read_and_goes(streams: Streams) -> None:
    await streams.create()
    await streams.append("a=1")
    streams.clock.advance(DAY_MS / 1000 - 1)
    await streams.append("a=2")
    streams.clock.advance(2)
    assert await streams.read(0) == ["a=2"]
    assert not await streams.store.write(streams.log.trim)
    rows = await streams.store.read(lambda reader: reader.all("SELECT data FROM streams_record"))
    assert [bytes(row[0]) for row in rows] == [b"a=2"]


async def test_a_split_shard_ends_and_its_children_go_on_in_order(streams: Streams) -> None:
    await streams.create()
    await streams.append("a=1", "b=1")
    first, second = await streams.store.write(lambda tx: streams.log.split(tx, "s", 0, HASHES // 2))
    await streams.append("a=2", "b=2")
    assert await streams.read(0) == ["a=1", "b=1"]
    assert await streams.ended(0)
    assert sorted(await streams.read(first) + await streams.read(second)) == ["a=2", "b=2"]
    assert not await streams.ended(first)
    shards = await streams.shards()
    assert [shard.parents for shard in shards] == [(), (0,), (0,)]
    assert [(shard.low, shard.high) for shard in shards[1:]] == [(0, HASHES // 2 - 1), (HASHES // 2, HASHES - 1)]


async def test_merged_shards_end_and_their_child_goes_on(streams: Streams) -> None:
    await streams.create(3)
    child = await streams.store.write(lambda tx: streams.log.merge(tx, "s", 1, 0))
    assert child == 3
    *closed, last, merged = await streams.shards()
    assert [shard.closed is None for shard in (*closed, last, merged)] == [False, False, True, True]
    assert set(merged.parents) == {0, 1}
    assert (merged.low, merged.high) == (0, last.low - 1)


async def test_what_cannot_be_is_refused(streams: Streams) -> None:
    with pytest.raises(StreamError):
        await streams.append("a=1")
    await streams.create(3)
    with pytest.raises(StreamError):
        await streams.create()
    with pytest.raises(StreamError):
        await streams.store.write(lambda tx: streams.log.merge(tx, "s", 0, 2))
    with pytest.raises(StreamError):
        await streams.store.write(lambda tx: streams.log.split(tx, "s", 0, HASHES - 1))
    with pytest.raises(StreamError):
        await streams.read(7)


async def test_a_closed_shard_is_forgotten_when_nothing_of_it_is_kept(streams: Streams) -> None:
    await streams.create()
    await streams.store.write(lambda tx: streams.log.split(tx, "s", 0, 5))
    streams.clock.advance(DAY_MS / 1000 + 1)
    await streams.store.write(streams.log.trim)
    assert [shard.no for shard in await streams.shards()] == [1, 2]


async def test_those_who_wait_are_woken_by_an_append_and_by_resharding(streams: Streams) -> None:
    await streams.create()
    event = streams.watch.listen("s")
    await streams.append("a=1")
    assert event.is_set()
    event = streams.watch.listen("s")
    await streams.store.write(lambda tx: streams.log.split(tx, "s", 0, 5))
    assert event.is_set()


async def test_a_deleted_stream_is_gone_with_its_records(streams: Streams) -> None:
    await streams.create()
    await streams.append(*(f"a={number}" for number in range(1500)))
    await streams.store.write(lambda tx: streams.log.delete(tx, "s"))
    await streams.store.write(lambda tx: streams.log.delete(tx, "s"))
    with pytest.raises(StreamError):
        await streams.shards()
    for table in ("record", "shard", "stream"):
        assert await streams.store.read(lambda reader, table=table: reader.all(f"SELECT * FROM streams_{table}")) == []  # type: ignore[misc]


async def test_open_shards_always_hold_every_hash_once(streams: Streams) -> None:
    await streams.create(2)
    draws = random.Random(7)
    for _ in range(30):
        shards = sorted((each for each in await streams.shards() if each.closed is None), key=lambda each: each.low)
        assert shards[0].low == 0
        assert shards[-1].high == HASHES - 1
        assert all(one.high + 1 == other.low for one, other in pairwise(shards))
        place = draws.randrange(len(shards))
        if draws.random() < 0.5 and place + 1 < len(shards):
            pair = shards[place].no, shards[place + 1].no
            await streams.store.write(lambda tx, pair=pair: streams.log.merge(tx, "s", *pair))  # type: ignore[misc]
        else:
            chosen = shards[place]
            await streams.store.write(
                lambda tx, chosen=chosen: streams.log.split(tx, "s", chosen.no, (chosen.low + chosen.high) // 2 + 1)  # type: ignore[misc]
            )


@given(st.text())
def test_every_key_has_a_hash_that_some_shard_holds(key: str) -> None:
    assert 0 <= key_hash(key) < HASHES
