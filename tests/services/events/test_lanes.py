"""Lanes: what is put there is handled, whatever happens at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.events.lanes import AT_ONCE, IDLE_S, Lanes
from mayfly.store.api import Claim, Reader, Tx
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from tests.conftest import VAULT


class Interposed:
    """A `Store` that lets something happen between a commit and the moment in which its caller goes on."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.after: Callable[[Any], Awaitable[None]] | None = None

    async def write(self, body: Callable[[Tx], Any]) -> Any:
        value = await self._store.write(body)
        if self.after is not None:
            await self.after(value)
        return value

    async def read(self, body: Callable[[Reader], Any]) -> Any:
        return await self._store.read(body)

    async def close(self) -> None:
        await self._store.close()


class Stage:
    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.interposed = Interposed(store)
        self.queue = SqlReadyQueue(store, clock, VAULT)
        self.lanes = Lanes(self.interposed, self.queue)
        self.handled: list[bytes] = []
        self.busy = asyncio.Event()
        self.busy.set()
        self.most = self._now = 0
        self.taken = True
        self.lanes.attach(self.handle)

    async def handle(self, lane: str, claim: Claim) -> bool:
        assert lane == "there"
        self._now += 1
        self.most = max(self.most, self._now)
        await self.busy.wait()
        await self.store.write(lambda tx: self.queue.complete(tx, claim))
        self._now -= 1
        self.handled.append(claim.payload)
        return self.taken

    async def put(self, *payloads: bytes) -> None:
        def body(tx: Tx) -> None:
            for payload in payloads:
                self.lanes.put(tx, "there", payload)

        await self.store.write(body)

    async def until(self, count: int, pass_s: float = 0.0) -> None:
        """Return when so many items were handled; the clock moves by `pass_s` again and again."""
        async with asyncio.timeout(10):
            while len(self.handled) < count:
                self.clock.advance(pass_s)
                self.queue.clock_moved()
                await asyncio.sleep(0.002)


@pytest.fixture
async def stage(open_store: Any, clock: ManualClock) -> Stage:
    return Stage(await open_store("mayfly.services.events"), clock)


async def test_what_is_put_while_a_lane_is_given_up_is_handled(stage: Stage) -> None:
    late = asyncio.Event()

    async def put_at_the_last_moment(value: Any) -> None:
        if value is True and not late.is_set():  # the lane was found empty, and is forgotten
            late.set()
            await stage.put(b"late")

    stage.interposed.after = put_at_the_last_moment
    running = asyncio.create_task(stage.lanes.run())
    await asyncio.sleep(0)
    await stage.put(b"first")
    await stage.until(2, pass_s=IDLE_S + 1)
    assert stage.handled == [b"first", b"late"]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_only_a_few_items_of_a_lane_are_under_way_at_once(stage: Stage) -> None:
    running = asyncio.create_task(stage.lanes.run())
    await stage.put(*[b"x"] * 10)
    await stage.until(10)
    stage.busy.clear()
    await stage.put(*[b"x"] * 30)
    async with asyncio.timeout(10):
        while stage.most < AT_ONCE:  # noqa: ASYNC110 - nobody signals it
            await asyncio.sleep(0.002)
    stage.busy.set()
    await stage.until(40)
    assert stage.most == AT_ONCE
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_lanes_that_a_former_server_left_are_taken_up(stage: Stage) -> None:
    await stage.put(b"left")
    running = asyncio.create_task(stage.lanes.run())
    await stage.until(1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_destination_of_which_nothing_is_known_is_asked_one_thing_first(stage: Stage) -> None:
    """After a start, too: a hundred that hang would take all the room until the first of them are given up."""
    stage.busy.clear()
    await stage.put(*[b"x"] * 30)
    running = asyncio.create_task(stage.lanes.run())
    async with asyncio.timeout(10):
        while not stage.most:  # noqa: ASYNC110 - nobody signals it
            await asyncio.sleep(0.002)
    assert stage.most == 1
    stage.busy.set()
    await stage.until(30)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_destination_that_fails_is_asked_one_thing_at_a_time_until_it_does_not(stage: Stage) -> None:
    stage.taken = False
    running = asyncio.create_task(stage.lanes.run())
    await stage.put(*[b"x"] * AT_ONCE)
    await stage.until(AT_ONCE)
    stage.most = 0
    await stage.put(*[b"x"] * 20)
    await stage.until(AT_ONCE + 20)
    assert stage.most == 1
    stage.taken = True
    await stage.put(*[b"x"] * 60)
    await stage.until(AT_ONCE + 80)
    assert stage.most > 1
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_whether_a_lane_is_over_is_asked_without_counting_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lane of many retries sleeps and wakes for each of them."""

    def one_lane(reader: Reader) -> object:
        return reader.one("SELECT 1 FROM events_lanes")

    async def depth(queue: str) -> int:
        raise AssertionError(f"{queue} was counted")

    monkeypatch.setattr(stage.queue, "depth", depth)
    running = asyncio.create_task(stage.lanes.run())
    await stage.put(b"one", b"two")
    async with asyncio.timeout(10):
        while await stage.store.read(one_lane):
            stage.clock.advance(IDLE_S)
            stage.queue.clock_moved()
            await asyncio.sleep(0.002)
    assert sorted(stage.handled) == [b"one", b"two"]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
