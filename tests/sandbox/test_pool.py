"""Processes that wait for functions: how many there are, whom they serve, and what they know."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from mayfly.clock import ManualClock
from mayfly.policy import spares
from mayfly.sandbox import pool as pools
from mayfly.sandbox.agent_sandbox import AgentSandbox
from mayfly.sandbox.api import Greeting, SandboxSpec, SandboxStartError
from mayfly.sandbox.pool import QUIET_S, Kind, Pool


class Waiting:
    """What the pool sees of a sandbox."""

    endpoint: socket.socket | None = None

    def __init__(self, number: int) -> None:
        self.id = str(number)
        self.control, self._other = socket.socketpair()
        self.output, self._write_end = os.pipe()
        self.over = asyncio.Event()

    async def exited(self) -> None:
        await self.over.wait()

    async def discard(self) -> None:
        self.over.set()
        self._other.close()
        os.close(self._write_end)


class Maker:
    """Makes them, and remembers who got what."""

    def __init__(self) -> None:
        self.made: list[tuple[Waiting, SandboxSpec]] = []
        self.fitted: list[tuple[str, SandboxSpec]] = []
        self.changed = asyncio.Event()
        self.broken: set[str] = set()

    async def vacant(self, spec: SandboxSpec) -> AgentSandbox:
        self.made.append((Waiting(len(self.made)), spec))
        self.changed.set()
        return cast(AgentSandbox, self.made[-1][0])

    async def fit(self, sandbox: AgentSandbox, spec: SandboxSpec) -> None:
        if sandbox.id in self.broken:
            raise SandboxStartError("it cannot have its function")
        self.fitted.append((sandbox.id, spec))


def spec(memory_mb: int = 128, **more: Any) -> SandboxSpec:
    return SandboxSpec("nodejs22", Path("/code"), memory_mb=memory_mb, pooled=True, **more)


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
async def pool(maker: Maker, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    monkeypatch.setattr(pools, "QUIET_S", 0.0)
    made = Pool(maker, 3, clock)
    yield made
    await made.close()
    for waiting, _ in maker.made:
        if not waiting.over.is_set():  # it was taken
            waiting.control.close()
            os.close(waiting.output)
            await waiting.discard()


async def until(pool: Pool, count: int) -> None:
    async with asyncio.timeout(30):
        while pool.waiting() != count:  # noqa: ASYNC110 (turns of the loop, no time)
            await asyncio.sleep(0)


async def test_the_first_start_finds_nobody_and_the_next_finds_one(pool: Pool, maker: Maker) -> None:
    assert await pool.take(spec()) is None
    await until(pool, 1)
    taken = await pool.take(spec(label="mine"))
    assert taken is not None
    assert taken.id == maker.made[0][0].id
    assert [(name, given.label) for name, given in maker.fitted] == [("0", "mine")]


async def test_each_serves_one_function(pool: Pool, maker: Maker) -> None:
    await pool.take(spec())
    for _ in range(4):
        await until(pool, 1)
        assert await pool.take(spec()) is not None
        while pool.waiting() > 1:
            assert await pool.take(spec()) is not None
    assert len({name for name, _ in maker.fitted}) == len(maker.fitted) >= 4


async def test_one_that_waits_knows_nothing_of_the_function_that_was_asked_for(pool: Pool, maker: Maker) -> None:
    async def words() -> bytes:
        raise AssertionError("nobody may be told")

    asked = spec(label="secret", owner="arn", layers=(Path("/layer"),), greeting=Greeting(words), ephemeral_mb=1024)
    await pool.take(asked)
    await until(pool, 1)
    given = maker.made[0][1]
    assert given == SandboxSpec("nodejs22", Path("/"), memory_mb=128, pooled=True)
    assert Kind.of(given) == Kind.of(asked)


async def test_those_of_other_memory_are_kept_apart(pool: Pool, maker: Maker) -> None:
    await pool.take(spec(128))
    await until(pool, 1)
    assert await pool.take(spec(256)) is None
    await until(pool, 2)
    assert await pool.take(spec(256)) is not None
    assert maker.fitted[-1][1].memory_mb == 256


async def test_no_more_wait_than_may(pool: Pool) -> None:
    for memory_mb in range(128, 1128, 100):
        await pool.take(spec(memory_mb))
    await until(pool, 3)


async def test_one_that_ends_or_cannot_be_used_is_replaced(pool: Pool, maker: Maker, clock: ManualClock) -> None:
    await pool.take(spec())
    await until(pool, 1)
    maker.made[0][0].over.set()
    await until(pool, 0)
    clock.advance(60)
    maker.broken.add("1")
    assert await pool.take(spec()) is None
    await until(pool, 1)
    assert await pool.take(spec()) is None
    async with asyncio.timeout(30):
        await maker.made[1][0].over.wait()


async def test_none_waits_for_what_nobody_starts_any_more(pool: Pool, clock: ManualClock) -> None:
    await pool.take(spec())
    await until(pool, 1)
    clock.advance(spares.LINGER_S + 1)
    await pool.take(spec(256))
    async with asyncio.timeout(30):
        while len(pool._shelves) > 1:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0)


async def test_a_pool_of_none_makes_none(maker: Maker, clock: ManualClock) -> None:
    pool = Pool(maker, 0, clock)
    assert await pool.take(spec()) is None
    await asyncio.sleep(QUIET_S)
    assert not maker.made
    await pool.close()


def test_a_look_without_delay_needs_no_timer_of_the_loop(maker: Maker, clock: ManualClock) -> None:
    """uvloop gives a plain handle for a delay that it takes for none, and that has no time."""

    async def twice() -> None:
        made = Pool(maker, 3, clock)
        looks: list[float] = []
        for delay_s in (0.0, 5.0, 0.0):
            made._look_in(delay_s)
            looks.append(made._due)
        assert looks[0] == looks[1] == looks[2], "the first is soon enough"
        await made.close()

    uvloop.run(twice())
