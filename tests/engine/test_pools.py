"""Many calls on many instances: reuse, limits, memory, keep-alive, retirement, shutdown."""

import asyncio
import os
from pathlib import Path

import pytest

from mayfly.clock import ManualClock, SystemClock
from mayfly.engine.api import EngineClosedError, Target, ThrottledError
from mayfly.engine.engine import LocalEngine
from mayfly.engine.limits import Limits
from mayfly.errors import CallerError, PlatformError
from mayfly.policy import keepalive
from mayfly.sandbox.api import SandboxStartError, SandboxUnavailableError

from .conftest import MakeEngine, Meeting, Recorder, call, result, target
from .forked import ForkedFactory


def states(engine: LocalEngine, key: str | None = None) -> list[str]:
    """Of the instances; the frozen are idle, too: whether a test meets one before or after depends on the machine."""
    seen = [i.state for pool in engine.snapshot() if key in {None, pool.key} for i in pool.instances]
    return sorted("idle" if state == "frozen" else state for state in seen)


async def meet(engine: LocalEngine, meeting: Meeting, made: Target, number: int) -> list[str]:
    """Run `number` calls at the same time; the instances that ran them, in the order of the calls."""
    calls = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(number)]
    await meeting.all_here()
    meeting.end()
    return [(await task).instance for task in calls]


async def test_concurrent_calls_get_instances_of_their_own(engine: LocalEngine, meeting: Meeting) -> None:
    instances = await meet(engine, meeting, target("functions.meet"), 4)

    assert len(set(instances)) == 4
    assert states(engine) == ["idle"] * 4


async def test_the_most_recently_used_instance_is_used_first(engine: LocalEngine, meeting: Meeting) -> None:
    made = target("functions.meet")
    await meet(engine, meeting, made, 3)

    last = (await engine.invoke(made, meeting.call())).instance
    assert [(await engine.invoke(made, meeting.call())).instance for _ in range(3)] == [last] * 3


async def test_targets_do_not_share_instances(engine: LocalEngine) -> None:
    one = await engine.invoke(target("functions.count", key="version 1"), call())
    two = await engine.invoke(target("functions.count", key="version 2"), call())

    assert one.instance != two.instance
    assert result(two)["calls"] == 1


async def test_two_hundred_concurrent_calls_all_get_their_own_answer(engine: LocalEngine) -> None:
    made = target("functions.echo")

    async def twenty(first: int) -> list[object]:
        return [result(await engine.invoke(made, call(first + number))) for number in range(20)]

    answers = await asyncio.gather(*(twenty(worker * 20) for worker in range(10)))

    assert [answer for part in answers for answer in part] == list(range(200))
    assert engine.counters().calls == 200
    assert engine.counters().cold_starts <= 10


async def test_a_function_is_throttled_at_its_reserved_concurrency(engine: LocalEngine, meeting: Meeting) -> None:
    made = target("functions.meet", reserved=2)
    running = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(2)]
    await meeting.all_here()

    with pytest.raises(ThrottledError) as caught:
        await engine.invoke(made, call())
    assert (caught.value.scope, caught.value.limit) == ("function", 2)
    assert engine.counters().throttles == 1

    meeting.end()
    await asyncio.gather(*running)
    assert (await engine.invoke(made, meeting.call())).failure is None


async def test_versions_of_a_function_share_its_limit(engine: LocalEngine, meeting: Meeting) -> None:
    one = target("functions.meet", key="1", function="f", reserved=1)
    running = asyncio.create_task(engine.invoke(one, meeting.call()))
    await meeting.all_here()

    with pytest.raises(ThrottledError):
        await engine.invoke(target("functions.echo", key="2", function="f", reserved=1), call())
    meeting.end()
    await running


async def test_no_reserved_concurrency_at_all_throttles_every_call(engine: LocalEngine) -> None:
    with pytest.raises(ThrottledError):
        await engine.invoke(target("functions.echo", reserved=0), call())
    assert engine.snapshot() == ()


async def test_functions_without_a_reservation_share_what_the_others_leave(
    make_engine: MakeEngine, meeting: Meeting
) -> None:
    engine = make_engine(account_concurrency=3)
    engine.reserve("reserved", 2)
    running = asyncio.create_task(engine.invoke(target("functions.meet"), meeting.call()))
    await meeting.all_here()

    with pytest.raises(ThrottledError) as caught:
        await engine.invoke(target("functions.echo"), call())
    assert (caught.value.scope, caught.value.limit) == ("account", 1)
    assert result(await engine.invoke(target("functions.echo", function="reserved", reserved=2), call(1))) == 1

    meeting.end()
    await running


async def test_memory_that_is_all_in_use_throttles(make_engine: MakeEngine, meeting: Meeting) -> None:
    engine = make_engine(memory_mb=300, limits=Limits(queue_s=0))
    running = [asyncio.create_task(engine.invoke(target("functions.meet"), meeting.call())) for _ in range(2)]
    await meeting.all_here()

    with pytest.raises(ThrottledError) as caught:
        await engine.invoke(target("functions.echo"), call())
    assert caught.value.scope == "memory"

    meeting.end()
    await asyncio.gather(*running)


async def test_idle_instances_of_others_make_room(
    make_engine: MakeEngine, factory: ForkedFactory, recorder: Recorder
) -> None:
    engine = make_engine(memory_mb=300)
    first = await engine.invoke(target("functions.echo", key="a"), call())
    await engine.invoke(target("functions.echo", key="b"), call())
    alive_at_start: list[bool] = []
    factory.before_start = lambda: alive_at_start.append(exists(factory.sandboxes[0].pid))

    await engine.invoke(target("functions.echo", key="c", memory_mb=129), call())

    assert ("terminated", first.instance, "evicted") in recorder.events
    assert states(engine, "b") == ["idle"]
    assert alive_at_start == [False]  # the memory was free before it was used again
    assert engine.counters().evictions == 1


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_idle_instances_are_dropped_to_zero_after_the_keep_alive_time(
    make_engine: MakeEngine, clock: ManualClock, recorder: Recorder, meeting: Meeting
) -> None:
    engine = make_engine(keep_alive=keepalive.fixed(300))
    made = target("functions.meet")
    await meet(engine, meeting, made, 2)

    clock.advance(200)
    used = (await engine.invoke(made, meeting.call())).instance
    clock.advance(100)
    assert engine.sweep() == clock.monotonic() + 200
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 1)
    assert [instance.id for pool in engine.snapshot() for instance in pool.instances] == [used]

    clock.advance(200)
    assert engine.sweep() is None
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 2)
    assert engine.snapshot() == ()
    assert engine.counters().expirations == 2


async def test_the_engine_drops_idle_instances_by_itself(make_engine: MakeEngine, recorder: Recorder) -> None:
    engine = make_engine(keep_alive=keepalive.fixed(0))
    await engine.invoke(target("functions.echo"), call())
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))


async def test_an_idle_instance_that_dies_is_not_used_again(
    engine: LocalEngine, factory: ForkedFactory, recorder: Recorder
) -> None:
    made = target("functions.echo")
    first = await engine.invoke(made, call())
    os.kill(factory.sandboxes[0].pid, 9)
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))

    second = await engine.invoke(made, call(2))
    assert result(second) == 2
    assert recorder.of("terminated") == [(first.instance, "died while idle")]


async def test_retiring_ends_idle_instances_and_lets_busy_ones_finish(
    engine: LocalEngine, meeting: Meeting, recorder: Recorder
) -> None:
    made = target("functions.meet", key="old")
    running = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(2)]
    await meeting.all_here()
    idle = (await engine.invoke(target("functions.echo", key="old too"), call())).instance

    engine.retire("old")
    engine.retire("old too")
    engine.retire("unknown")
    assert states(engine, "old") == ["draining", "draining"]
    await recorder.wait_for(lambda: recorder.of("terminated") == [(idle, "retired")])

    meeting.end()
    outcomes = await asyncio.gather(*running)
    assert [outcome.failure for outcome in outcomes] == [None, None]
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 3)
    assert engine.snapshot() == ()


async def test_an_instance_that_was_retired_while_it_started_runs_its_call_and_ends(
    engine: LocalEngine, factory: ForkedFactory, recorder: Recorder
) -> None:
    factory.gate.clear()
    running = asyncio.create_task(engine.invoke(target("functions.echo", key="old"), call(1)))
    while not factory.starts:  # noqa: ASYNC110 - the loop has nothing else to do
        await asyncio.sleep(0)
    engine.retire("old")
    factory.gate.set()

    outcome = await running
    assert result(outcome) == 1
    await recorder.wait_for(lambda: recorder.of("terminated") == [(outcome.instance, "retired")])


async def test_a_start_that_fails_once_is_not_noticed_by_the_caller(
    make_engine: MakeEngine, factory: ForkedFactory
) -> None:
    engine = make_engine(clock=SystemClock())

    def fail_once() -> None:
        if factory.starts == 1:
            raise SandboxStartError("no process could be made just now")

    factory.before_start = fail_once
    assert result(await engine.invoke(target("functions.echo"), call(1))) == 1
    assert engine.counters().start_failures == 1


async def test_a_call_whose_start_fails_takes_the_instance_that_fell_idle_meanwhile(
    make_engine: MakeEngine, factory: ForkedFactory, meeting: Meeting
) -> None:
    engine = make_engine(clock=SystemClock())
    made = target("functions.meet")
    running = asyncio.create_task(engine.invoke(made, meeting.call()))
    await meeting.all_here()

    def fail() -> None:
        raise SandboxStartError("no process could be made just now")

    factory.before_start = fail
    factory.gate.clear()
    second = asyncio.create_task(engine.invoke(made, meeting.call()))
    while factory.starts < 2:  # noqa: ASYNC110 - the loop has nothing else to do
        await asyncio.sleep(0)
    meeting.end()
    first = await running
    factory.gate.set()

    assert (await second).instance == first.instance
    assert factory.starts == 2


async def test_starts_that_keep_failing_fail_the_calls_with_the_reason_and_do_not_spin(
    make_engine: MakeEngine, factory: ForkedFactory, clock: ManualClock
) -> None:
    def fail() -> None:
        clock.advance(1)
        raise SandboxStartError("out of processes")

    factory.before_start = fail
    engine = make_engine()
    calls = [engine.invoke(target("functions.echo"), call()) for _ in range(20)]
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert {str(error) for error in results} == {"out of processes"}
    assert all(isinstance(error, SandboxStartError) for error in results)
    assert factory.starts <= 25
    assert engine.snapshot() == ()


async def test_a_level_that_the_machine_cannot_give_fails_at_once(engine: LocalEngine, factory: ForkedFactory) -> None:
    def fail() -> None:
        raise SandboxUnavailableError("no namespaces here")

    factory.before_start = fail
    with pytest.raises(SandboxUnavailableError, match="no namespaces here"):
        await engine.invoke(target("functions.echo"), call())
    assert factory.starts == 1


async def test_an_environment_that_cannot_be_made_fails_the_call_with_its_own_error(
    engine: LocalEngine, factory: ForkedFactory
) -> None:
    async def environment(instance: str) -> dict[str, str]:
        while not factory.sandboxes:  # noqa: ASYNC110 - the loop has nothing else to do
            await asyncio.sleep(0)
        raise CallerError("the role is gone")

    made = target("functions.echo")
    object.__setattr__(made, "environment", environment)

    with pytest.raises(CallerError, match="the role is gone"):
        await engine.invoke(made, call())
    assert not exists(factory.sandboxes[0].pid)


async def test_a_start_that_hangs_fails_the_call_and_leaves_nothing_behind(
    engine: LocalEngine, factory: ForkedFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.engine.provision.START_TIMEOUT_S", 0.1)
    monkeypatch.setattr("mayfly.engine.owning.START_PATIENCE_S", 0)

    async def environment(instance: str) -> dict[str, str]:
        await asyncio.Event().wait()
        return {}

    hanging = target("functions.echo")
    object.__setattr__(hanging, "environment", environment)
    with pytest.raises(SandboxStartError, match=r"within 0\.1 s"):
        await engine.invoke(hanging, call())
    assert not exists(factory.sandboxes[0].pid)

    factory.gate.clear()
    with pytest.raises(SandboxStartError, match=r"within 0\.1 s"):
        await engine.invoke(target("functions.echo", key="another"), call())
    assert len(factory.sandboxes) == 1


async def test_a_bug_in_a_factory_is_a_platform_error_and_breaks_nothing_else(
    engine: LocalEngine, factory: ForkedFactory
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    factory.before_start = fail
    with pytest.raises(PlatformError, match="no instance could be started"):
        await engine.invoke(target("functions.echo"), call())
    factory.before_start = lambda: None
    assert result(await engine.invoke(target("functions.echo"), call(1))) == 1


async def test_closing_lets_running_calls_finish(engine: LocalEngine, meeting: Meeting) -> None:
    running = asyncio.create_task(engine.invoke(target("functions.meet"), meeting.call()))
    await meeting.all_here()

    closing = asyncio.create_task(engine.close(30))
    await asyncio.sleep(0)
    with pytest.raises(EngineClosedError):
        await engine.invoke(target("functions.echo"), call())
    meeting.end()

    await closing
    assert (await running).failure is None
    assert engine.snapshot() == ()


async def test_closing_cuts_calls_off_when_the_grace_is_over(
    engine: LocalEngine, factory: ForkedFactory, recorder: Recorder
) -> None:
    running = asyncio.create_task(engine.invoke(target("functions.sleeps"), call()))
    await recorder.wait_for(lambda: bool(recorder.of("output")))

    await engine.close(0)

    with pytest.raises(EngineClosedError):
        await running
    assert not exists(factory.sandboxes[0].pid)
    assert recorder.of("finished") == []


async def test_closing_ends_instances_that_are_being_started(engine: LocalEngine, factory: ForkedFactory) -> None:
    factory.gate.clear()
    running = asyncio.create_task(engine.invoke(target("functions.echo"), call()))
    while not factory.starts:  # noqa: ASYNC110 - the loop has nothing else to do
        await asyncio.sleep(0)
    closing = asyncio.create_task(engine.close(0))
    asyncio.get_running_loop().call_later(0.05, factory.gate.set)

    await closing
    with pytest.raises(EngineClosedError):
        await running
    await factory.sandboxes[0].exited()


async def test_the_snapshot_shows_every_instance(engine: LocalEngine, clock: ManualClock, meeting: Meeting) -> None:
    await engine.invoke(target("functions.echo", memory_mb=256, function="f"), call())
    await engine.invoke(target("functions.echo", memory_mb=256, function="f"), call())
    clock.advance(7)
    running = asyncio.create_task(engine.invoke(target("functions.meet"), meeting.call()))
    await meeting.all_here()

    echo, busy = engine.snapshot()
    assert (echo.key, echo.function, echo.waiting) == ("functions.echo", "f", 0)
    view = echo.instances[0]
    assert states(engine, "functions.echo") == ["idle"]
    assert (view.age_s, view.idle_s, view.calls, view.memory_mb) == (7, 7, 2, 256)
    assert (busy.instances[0].state, busy.instances[0].idle_s) == ("busy", None)

    meeting.end()
    await running
