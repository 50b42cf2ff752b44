"""Spares: made after a start, used by the next one, replaced, and given back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from mayfly.clock import ManualClock, SystemClock
from mayfly.engine.engine import LocalEngine
from mayfly.engine.spares import QUIET_S
from mayfly.errors import PlatformError
from mayfly.policy import spares as policy
from mayfly.sandbox.api import SandboxStartError

from .conftest import MakeEngine, Recorder, call, result, target
from .forked import ForkedFactory


class Watched(ForkedFactory):
    """Lets a test wait until so many sandboxes were started."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    async def start(self, spec: Any) -> Any:
        sandbox = await super().start(spec)
        self._changed.set()
        return sandbox

    async def have_started(self, count: int) -> None:
        async with asyncio.timeout(60):
            while self.starts < count:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def factory() -> AsyncIterator[Watched]:
    made = Watched()
    yield made
    await made.close()


async def waiting(engine: LocalEngine, key: str, count: int) -> None:
    """Return when so many spares of a target wait."""
    async with asyncio.timeout(60):
        while engine._templates.spares(key) != count:  # noqa: ASYNC110 - the loop's own turns bring it about
            await asyncio.sleep(0.001)


async def end_instances(engine: LocalEngine) -> None:
    for instance in engine._placement.instances():
        instance.end("the test says so")
        await asyncio.sleep(0)


async def test_a_start_leaves_a_spare_that_the_next_start_uses(make_engine: MakeEngine, factory: Watched) -> None:
    engine = make_engine(clock=SystemClock(), spares=5)
    made = target("functions.echo")
    first = await engine.invoke(made, call(1))
    assert first.start is not None
    assert first.start.path == "process"
    await waiting(engine, made.key, 1)
    await end_instances(engine)
    second = await engine.invoke(made, call(2))
    assert (second.cold, second.start and second.start.path) == (True, "spare")
    assert result(second) == 2
    await factory.have_started(3)
    await waiting(engine, made.key, 1)


async def test_without_leave_no_spare_is_made(make_engine: MakeEngine, factory: Watched) -> None:
    engine = make_engine(clock=SystemClock())
    await engine.invoke(target("functions.echo"), call())
    await asyncio.sleep(2 * QUIET_S)
    assert factory.starts == 1


async def test_instances_that_no_call_waits_for_leave_the_spares_alone(
    make_engine: MakeEngine, factory: Watched
) -> None:
    engine = make_engine(clock=SystemClock(), spares=5)
    made = target("functions.echo")
    await engine.invoke(made, call())
    await waiting(engine, made.key, 1)
    engine.provision(made, 1)
    await factory.have_started(3)
    assert engine._templates.spares(made.key) == 1


async def test_a_spare_that_dies_is_replaced_and_harms_nobody(
    make_engine: MakeEngine, factory: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.engine.spares._RETRY_S", 0.01)
    engine = make_engine(clock=SystemClock(), spares=5)
    made = target("functions.echo")
    await engine.invoke(made, call())
    await waiting(engine, made.key, 1)
    factory.sandboxes[1].kill()
    await factory.have_started(3)
    await waiting(engine, made.key, 1)
    await end_instances(engine)
    assert result(await engine.invoke(made, call(3))) == 3


def kill_unseen(engine: LocalEngine, key: str) -> int:
    """Kill all spares of a target, and let the engine know nothing of it yet; how many there were."""
    spares = engine._templates._spares._shelves[key].waiting
    for spare in spares:
        pid = spare.sandbox.pid  # type: ignore[attr-defined]  # of a `ForkedSandbox`
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return len(spares)


async def test_calls_that_find_their_spares_dead_start_otherwise(make_engine: MakeEngine, factory: Watched) -> None:
    engine = make_engine(clock=SystemClock(), spares=4, memory_mb=4096)
    made = target("functions.echo")
    await asyncio.gather(*(engine.invoke(made, call(number)) for number in range(6)))
    await factory.have_started(6 + 2)
    await end_instances(engine)
    killed = kill_unseen(engine, made.key)
    outcomes = await asyncio.gather(*(engine.invoke(made, call(number)) for number in range(6)))
    assert killed
    assert [result(outcome) for outcome in outcomes] == list(range(6))
    assert {outcome.start and outcome.start.path for outcome in outcomes} == {"process"}


async def test_a_spare_whose_variables_cannot_be_had_is_given_back_and_the_call_learns_why(
    make_engine: MakeEngine, factory: Watched
) -> None:
    engine = make_engine(clock=SystemClock(), spares=5)
    made = target("functions.echo")
    await engine.invoke(made, call())
    await waiting(engine, made.key, 1)
    await end_instances(engine)
    usual = made.environment

    async def environment(instance: str) -> dict[str, str]:
        raise PlatformError("the role is gone")

    object.__setattr__(made, "environment", environment)
    with pytest.raises(PlatformError, match="the role is gone"):
        await engine.invoke(made, call(2))
    async with asyncio.timeout(20):
        await factory.sandboxes[1].exited()
    object.__setattr__(made, "environment", usual)
    assert result(await engine.invoke(made, call(3))) == 3


async def test_spares_of_what_is_not_called_any_more_are_given_back(
    make_engine: MakeEngine, factory: Watched, clock: ManualClock
) -> None:
    engine = make_engine(spares=5)
    made = target("functions.echo")
    await engine.invoke(made, call())
    clock.advance(1.0)
    await waiting(engine, made.key, 1)
    clock.advance(policy.LINGER_S)
    engine._templates._spares._look()
    await waiting(engine, made.key, 0)
    assert (await factory.sandboxes[1].exited()).reason == "killed"


async def test_a_target_that_is_retired_has_no_spares(make_engine: MakeEngine, factory: Watched) -> None:
    engine = make_engine(clock=SystemClock(), spares=5)
    made = target("functions.echo")
    await engine.invoke(made, call())
    await waiting(engine, made.key, 1)
    engine.retire(made.key)
    assert (await factory.sandboxes[1].exited()).reason == "killed"


async def test_spares_leave_the_memory_of_instances_alone(make_engine: MakeEngine, factory: Watched) -> None:
    engine = make_engine(clock=SystemClock(), spares=5, memory_mb=200)
    made = target("functions.echo", memory_mb=128)
    await engine.invoke(made, call())  # an instance lives, and there is no room for another
    await asyncio.sleep(2 * QUIET_S)
    assert (factory.starts, engine._templates.spares(made.key)) == (1, 0)


async def test_a_spare_that_cannot_be_made_costs_no_call(
    make_engine: MakeEngine, factory: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(clock=SystemClock(), spares=5)
    made = target("functions.echo")

    def refuse_all_but_the_first() -> None:
        if factory.starts > 1:
            raise SandboxStartError("the machine is in trouble")

    factory.before_start = refuse_all_but_the_first
    await engine.invoke(made, call())
    async with asyncio.timeout(60):
        while factory.starts < 2:  # noqa: ASYNC110 - the loop's own turns bring it about
            await asyncio.sleep(0.001)
    factory.before_start = lambda: None
    await end_instances(engine)
    outcome = await engine.invoke(made, call(4))
    assert (result(outcome), outcome.start and outcome.start.path) == (4, "process")


def test_spares_are_kept_on_the_servers_event_loop_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop's timers that are due at once know no time, so several starts in one turn need none of that."""
    monkeypatch.setattr("mayfly.engine.spares.QUIET_S", 0.0)

    async def scenario() -> None:
        numbers = iter(range(10_000))
        factory = Watched()
        engine = LocalEngine(
            factory, Recorder(), SystemClock(), memory_mb=100_000, new_id=lambda: f"i{next(numbers)}", spares=5
        )
        made = target("functions.echo")
        outcomes = await asyncio.gather(*(engine.invoke(made, call(number)) for number in range(3)))
        assert [result(outcome) for outcome in outcomes] == [0, 1, 2]
        await factory.have_started(4)
        await engine.close(0)
        await factory.close()

    uvloop.run(scenario())
