"""Targets that may have so many instances and no more."""

import asyncio
from dataclasses import replace

import pytest

from mayfly.engine.api import Provisioned, Target, ThrottledError
from mayfly.engine.engine import LocalEngine

from .conftest import MakeEngine, Meeting, call, result, target
from .forked import ForkedFactory
from .test_pools import meet, states
from .test_provisioned import available, instances, until


def bounded(handler: str, most: int, key: str | None = None, function: str | None = None) -> Target:
    return replace(target(handler, key=key, function=function), most_instances=most)


async def scope_of_refusal(engine: LocalEngine, made: Target) -> tuple[str, int]:
    with pytest.raises(ThrottledError) as refused:
        await engine.invoke(made, call())
    return refused.value.scope, refused.value.limit


async def test_a_call_beyond_the_most_instances_is_refused(engine: LocalEngine, meeting: Meeting) -> None:
    made = bounded("functions.meet", 2)
    running = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(2)]
    await meeting.all_here()
    assert await scope_of_refusal(engine, made) == ("instances", 2)
    meeting.end()
    used = {(await task).instance for task in running}
    assert (await engine.invoke(made, meeting.call())).instance in used
    assert engine.counters().throttled == {"instances": 1}


async def test_another_target_of_the_function_has_its_own_instances(engine: LocalEngine, meeting: Meeting) -> None:
    made = bounded("functions.meet", 1, key="1", function="f")
    other = target("functions.meet", key="2", function="f")
    running = asyncio.create_task(engine.invoke(made, meeting.call()))
    await meeting.all_here()
    await meet(engine, meeting, other, 2)
    await running


async def test_lowering_it_ends_idle_instances_now_and_busy_ones_after_their_calls(
    engine: LocalEngine, meeting: Meeting
) -> None:
    made = bounded("functions.meet", 4)
    running = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(4)]
    await meeting.all_here()
    engine.bound(made.key, 1)
    assert states(engine) == ["busy", "draining", "draining", "draining"]
    engine.bound(made.key, 1)
    assert states(engine) == ["busy", "draining", "draining", "draining"]
    meeting.end()
    assert [outcome.failure for outcome in await asyncio.gather(*running)] == [None] * 4
    await until(lambda: states(engine) == ["idle"])
    engine.bound(made.key, 0)
    await until(lambda: engine.snapshot() == ())


async def test_of_idle_instances_those_end_that_were_used_longest_ago(engine: LocalEngine, meeting: Meeting) -> None:
    made = bounded("functions.meet", 3)
    await meet(engine, meeting, made, 3)
    last = (await engine.invoke(made, meeting.call())).instance
    engine.bound(made.key, 1)
    await until(lambda: instances(engine) == {last})


async def test_raising_it_lets_more_start(engine: LocalEngine, meeting: Meeting) -> None:
    made = bounded("functions.meet", 1)
    running = [asyncio.create_task(engine.invoke(made, meeting.call()))]
    await meeting.all_here()
    engine.bound(made.key, None)
    running.append(asyncio.create_task(engine.invoke(made, meeting.call())))
    await meeting.all_here()
    meeting.end()
    assert len({(await task).instance for task in running}) == 2


async def test_instances_that_are_kept_count(engine: LocalEngine, meeting: Meeting) -> None:
    made = bounded("functions.meet", 2)
    engine.provision(made, 1)
    await available(engine, made, 1)
    running = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(2)]
    await meeting.all_here()
    assert await scope_of_refusal(engine, made) == ("instances", 2)
    meeting.end()
    await asyncio.gather(*running)


async def test_instances_that_are_kept_take_the_places_of_idle_ones(engine: LocalEngine, meeting: Meeting) -> None:
    made = bounded("functions.meet", 2)
    before = set(await meet(engine, meeting, made, 2))
    engine.provision(made, 2)
    await available(engine, made, 2)
    assert not before & instances(engine)


async def test_they_wait_for_the_places_of_busy_ones(engine: LocalEngine, meeting: Meeting) -> None:
    made = bounded("functions.meet", 1)
    running = asyncio.create_task(engine.invoke(made, meeting.call()))
    await meeting.all_here()
    engine.provision(made, 1)
    assert engine.provisioned(made.key) == Provisioned(1, 0, "no more than 1 instances may live at a time")
    assert states(engine) == ["busy"]
    meeting.end()
    await running
    await available(engine, made, 1)
    assert len(instances(engine)) == 1


async def test_a_call_waits_for_the_kept_instance_that_starts(engine: LocalEngine, factory: ForkedFactory) -> None:
    made = bounded("functions.count", 1)
    factory.gate.clear()
    engine.provision(made, 1)
    await until(lambda: factory.starts == 1)
    first = asyncio.create_task(engine.invoke(made, call()))
    await asyncio.sleep(0)
    assert await scope_of_refusal(engine, made) == ("instances", 1)
    factory.gate.set()
    assert result(await first)["calls"] == 1
    assert engine.counters().cold_starts == 1


async def test_a_call_that_waited_for_a_kept_instance_which_fails_has_one_of_its_own(
    make_engine: MakeEngine, factory: ForkedFactory
) -> None:
    engine = make_engine()
    made = bounded("broken.handler", 1)
    factory.gate.clear()
    engine.provision(made, 1)
    await until(lambda: factory.starts == 1)
    waits = asyncio.create_task(engine.invoke(made, call()))
    await asyncio.sleep(0)
    factory.gate.set()
    failure = (await waits).failure
    assert failure is not None
    assert failure.kind == "init-raised"


async def test_calls_that_may_have_no_instance_hold_up_no_others(engine: LocalEngine, factory: ForkedFactory) -> None:
    made, other = bounded("functions.count", 1), target("functions.echo")
    factory.gate.clear()
    engine.provision(made, 1)
    await until(lambda: factory.starts == 1)
    waits = asyncio.create_task(engine.invoke(made, call()))
    await asyncio.sleep(0)
    theirs = asyncio.create_task(engine.invoke(other, call("there")))
    await until(lambda: factory.starts == 2)
    factory.gate.set()
    assert result(await theirs) == "there"
    await waits
