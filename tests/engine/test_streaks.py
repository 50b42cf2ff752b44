"""Instances of code that keeps crashing are made ever later; its calls wait, and are run."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mayfly.clock import ManualClock
from mayfly.engine.api import Call, Failure, Outcome
from mayfly.engine.engine import LocalEngine
from mayfly.engine.streaks import Streaks
from mayfly.policy import crashes
from mayfly.sandbox import frames

from .conftest import MakeEngine, call, target
from .puppets import Puppets, calm


@pytest.fixture
async def puppets() -> AsyncIterator[Puppets]:
    made = Puppets()
    yield made
    await made.close()


class Stage:
    """One target, on puppets; which of its calls run is known."""

    def __init__(self, engine: LocalEngine, puppets: Puppets) -> None:
        self.engine = engine
        self.puppets = puppets
        self.target = target("code")
        self.running: asyncio.Queue[str] = asyncio.Queue()
        puppets.on_call = self.running.put_nowait

    def call(self, made: Call | None = None) -> "asyncio.Task[Outcome]":
        return asyncio.create_task(self.engine.invoke(self.target, made or call()))

    async def crash(self) -> Outcome:
        """Call, and let the instance say what no instance may."""
        task = self.call()
        puppet, _ = self.puppets.calls.pop(await self.running.get())
        puppet.say(frames.encode_result(99, b""))
        return await task


@pytest.fixture
async def stage(make_engine: MakeEngine, puppets: Puppets) -> Stage:
    return Stage(make_engine(factory=puppets), puppets)


async def test_the_first_crashes_are_followed_at_once_and_the_next_after_a_pause(
    stage: Stage, clock: ManualClock
) -> None:
    async with asyncio.timeout(20):
        for _ in range(crashes.FREE + 1):
            failure = (await stage.crash()).failure
            assert failure is not None
            assert failure.kind == "protocol"
        waits = stage.call()
        await calm()
        assert len(stage.puppets.made) == crashes.FREE + 1
        clock.advance(crashes.FIRST_S)
        stage.puppets.answer(await stage.running.get(), b"7")
        assert (await waits).payload == b"7"
    assert len(stage.puppets.made) == crashes.FREE + 2


async def test_another_target_does_not_wait(stage: Stage) -> None:
    async with asyncio.timeout(20):
        for _ in range(crashes.FREE + 1):
            await stage.crash()
        stage.target = target("code", key="mended")
        mended = stage.call()
        stage.puppets.answer(await stage.running.get())
        assert (await mended).failure is None


async def test_a_caller_that_goes_away_while_it_waits_leaves_nothing(stage: Stage) -> None:
    async with asyncio.timeout(20):
        for _ in range(crashes.FREE + 1):
            await stage.crash()
        waits = stage.call()
        await calm()
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        await calm()
    assert stage.engine.snapshot() == ()


async def test_a_retired_target_is_forgotten_and_so_is_one_that_has_not_crashed_for_long(clock: ManualClock) -> None:
    streaks, failure = Streaks(clock), Failure("exited")
    for number in range(10):
        streaks.ended("retired", f"a{number}", failure)
        streaks.ended("old", f"b{number}", failure)
    now = clock.monotonic()
    assert streaks.left_s("retired", now, now) == streaks.left_s("old", now, now) == crashes.MOST_S
    streaks.forget("retired")
    assert streaks.left_s("retired", now, now) == 0
    clock.advance(3600)
    streaks.ended("new", "c1", failure)
    assert streaks.left_s("old", now, now) == 0
