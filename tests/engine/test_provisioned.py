"""Provisioned instances: made ahead, handed out first, paid for by limits, replaced when they end."""

import asyncio
import random
from collections.abc import Callable

import pytest

from mayfly.clock import ManualClock
from mayfly.engine.api import Provisioned, Target, ThrottledError
from mayfly.engine.engine import LocalEngine
from mayfly.policy import keepalive
from mayfly.sandbox.api import SandboxStartError

from .conftest import MakeEngine, Meeting, Recorder, call, result, target
from .forked import ForkedFactory
from .test_pools import meet, states


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - changed by other processes
            await asyncio.sleep(0.002)


async def available(engine: LocalEngine, made: Target, number: int) -> None:
    """Return once so many provisioned instances are initialized."""

    def there() -> bool:
        view = engine.provisioned(made.key)
        return view is not None and view.available == number

    await until(there)


def instances(engine: LocalEngine) -> set[str]:
    return {instance.id for pool in engine.snapshot() for instance in pool.instances}


async def test_instances_are_initialized_before_any_call(engine: LocalEngine, recorder: Recorder) -> None:
    made = target("functions.count")
    engine.provision(made, 3)
    await available(engine, made, 3)

    assert states(engine) == ["idle"] * 3
    outcome = await engine.invoke(made, call())
    assert result(outcome)["calls"] == 1
    assert (outcome.cold, outcome.init_ms) == (False, None)
    assert engine.counters().cold_starts == 3
    assert engine.provisioned(made.key) == Provisioned(3, 3, None)


async def test_more_than_may_start_at_a_time_are_all_made(engine: LocalEngine) -> None:
    made = target("functions.count")
    engine.provision(made, 19)
    await available(engine, made, 19)


async def test_what_init_prints_ahead_of_calls_belongs_to_none(engine: LocalEngine, recorder: Recorder) -> None:
    made = target("chatty.handler")
    engine.provision(made, 1)
    await available(engine, made, 1)
    assert recorder.lines(None) == ["loading"]

    await engine.invoke(made, call(request_id="first"))
    assert recorder.lines("first") == ["running"]


async def test_calls_beyond_the_provisioned_ones_spill_over(engine: LocalEngine, meeting: Meeting) -> None:
    made = target("functions.meet")
    engine.provision(made, 2)
    await available(engine, made, 2)
    ahead = instances(engine)

    used = await meet(engine, meeting, made, 3)
    assert ahead < set(used)
    assert len(set(used)) == 3
    assert (await engine.invoke(made, meeting.call())).instance in ahead


async def test_provisioned_instances_take_their_part_of_the_functions_limit(
    engine: LocalEngine, meeting: Meeting
) -> None:
    engine.reserve("f", 2)
    published = target("functions.meet", key="1", function="f", reserved=2)
    latest = target("functions.echo", key="latest", function="f", reserved=2)
    engine.provision(published, 2)
    await available(engine, published, 2)

    with pytest.raises(ThrottledError):
        await engine.invoke(latest, call())
    assert len(set(await meet(engine, meeting, published, 2))) == 2


async def test_a_third_call_is_throttled_where_two_are_reserved_and_provisioned(
    engine: LocalEngine, meeting: Meeting
) -> None:
    made = target("functions.meet", function="f", reserved=2)
    engine.reserve("f", 2)
    engine.provision(made, 2)
    await available(engine, made, 2)

    running = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(2)]
    await meeting.all_here()
    with pytest.raises(ThrottledError):
        await engine.invoke(made, call())
    meeting.end()
    await asyncio.gather(*running)


async def test_provisioned_instances_count_against_the_account(make_engine: MakeEngine) -> None:
    engine = make_engine(account_concurrency=2)
    made = target("functions.count")
    engine.provision(made, 2)
    await available(engine, made, 2)

    with pytest.raises(ThrottledError) as refused:
        await engine.invoke(target("functions.echo"), call())
    assert refused.value.scope == "account"
    await engine.invoke(made, call())


async def test_an_instance_that_dies_is_replaced(engine: LocalEngine) -> None:
    made = target("functions.crashes")
    engine.provision(made, 1)
    await available(engine, made, 1)

    outcome = await engine.invoke(made, call({}))
    assert outcome.failure is not None
    await until(lambda: outcome.instance not in instances(engine))
    await available(engine, made, 1)


async def test_they_neither_age_out_nor_make_room(make_engine: MakeEngine, clock: ManualClock) -> None:
    engine = make_engine(memory_mb=300, keep_alive=keepalive.fixed(10.0))
    made = target("functions.count")
    engine.provision(made, 2)
    await available(engine, made, 2)

    clock.advance(100)
    assert engine.sweep() is None
    with pytest.raises(ThrottledError) as refused:
        await engine.invoke(target("functions.echo"), call())
    assert refused.value.scope == "memory"
    assert states(engine) == ["idle"] * 2


async def test_they_take_the_room_of_idle_instances(make_engine: MakeEngine) -> None:
    engine = make_engine(memory_mb=256)
    await engine.invoke(target("functions.echo"), call())
    made = target("functions.count")
    engine.provision(made, 2)
    await available(engine, made, 2)
    assert engine.counters().evictions == 1


async def test_init_that_fails_is_told_and_tried_again(engine: LocalEngine) -> None:
    made = target("broken.handler")
    engine.provision(made, 2)
    await until(lambda: engine.provisioned(made.key) == Provisioned(2, 0, "init failed"))


async def test_a_machine_in_trouble_is_told_and_asked_again(engine: LocalEngine, factory: ForkedFactory) -> None:
    def trouble() -> None:
        raise SandboxStartError("no process could be made")

    made = target("functions.count")
    factory.before_start = trouble
    engine.provision(made, 1)
    await until(lambda: engine.provisioned(made.key) == Provisioned(1, 0, "failed to start: no process could be made"))
    factory.before_start = lambda: None
    await available(engine, made, 1)
    assert engine.provisioned(made.key) == Provisioned(1, 1, None)


async def test_without_memory_the_reason_says_so(make_engine: MakeEngine) -> None:
    engine = make_engine(memory_mb=200)
    made = target("functions.count")
    engine.provision(made, 2)
    await available(engine, made, 1)
    view = engine.provisioned(made.key)
    assert view is not None
    assert view.failure == "no memory is left for an instance of 128 MB"


async def test_fewer_end_the_surplus_and_busy_ones_finish_first(engine: LocalEngine, meeting: Meeting) -> None:
    made = target("functions.meet")
    engine.provision(made, 2)
    await available(engine, made, 2)
    running = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(2)]
    await meeting.all_here()

    engine.provision(made, 0)
    assert engine.provisioned(made.key) is None
    meeting.end()
    assert [outcome.failure for outcome in await asyncio.gather(*running)] == [None, None]
    await until(lambda: engine.snapshot() == ())
    await engine.invoke(made, meeting.call())


async def test_a_retired_target_keeps_nothing(engine: LocalEngine) -> None:
    made = target("functions.count", reserved=1)
    engine.provision(made, 1)
    await available(engine, made, 1)
    engine.retire(made.key)
    assert engine.provisioned(made.key) is None
    await until(lambda: engine.snapshot() == ())
    assert result(await engine.invoke(made, call()))["calls"] == 1


async def test_closing_while_instances_are_made_ends_them(make_engine: MakeEngine, factory: ForkedFactory) -> None:
    engine = make_engine()
    factory.gate.clear()
    engine.provision(target("functions.count"), 3)
    await until(lambda: factory.starts == 3)
    factory.gate.set()
    await engine.close(0)
    assert engine.snapshot() == ()


async def test_old_instances_are_replaced_before_they_end(
    make_engine: MakeEngine, clock: ManualClock, recorder: Recorder
) -> None:
    engine = make_engine(max_age_s=100.0)
    made = target("functions.count")
    engine.provision(made, 2)
    await available(engine, made, 2)
    before = instances(engine)

    clock.advance(101)
    engine._placement.standby.renew()
    view = engine.provisioned(made.key)
    assert view is not None
    assert view.available == 2
    await until(lambda: not before & instances(engine) and len(instances(engine)) == 2)
    assert {reason for _, reason in recorder.of("terminated")} == {"replaced"}
    engine._placement.standby.renew()
    assert len(instances(engine)) == 2


async def test_an_old_instance_ends_first_where_there_is_no_room_for_two(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    engine = make_engine(max_age_s=100.0, memory_mb=128)
    made = target("functions.count")
    engine.provision(made, 1)
    await available(engine, made, 1)
    before = instances(engine)

    clock.advance(101)
    engine._placement.standby.renew()
    await until(lambda: engine.provisioned(made.key) == Provisioned(1, 1, None) and not before & instances(engine))


async def test_an_old_instance_that_is_busy_ends_its_call_first(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting
) -> None:
    engine = make_engine(max_age_s=100.0)
    made = target("functions.meet")
    engine.provision(made, 1)
    await available(engine, made, 1)
    (old,) = instances(engine)
    running = asyncio.create_task(engine.invoke(made, meeting.call()))
    await meeting.all_here()

    clock.advance(101)
    engine._placement.standby.renew()
    await until(lambda: len(instances(engine)) == 2)
    await until(lambda: states(engine) == ["draining", "idle"])
    meeting.end()
    assert (await running).instance == old
    await until(lambda: old not in instances(engine))


async def test_an_ordinary_instance_that_is_old_ends_after_its_call(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    engine = make_engine(max_age_s=100.0)
    made = target("functions.count")
    first = (await engine.invoke(made, call())).instance
    clock.advance(99)
    assert (await engine.invoke(made, call())).instance == first
    clock.advance(2)
    assert (await engine.invoke(made, call())).instance == first
    assert (await engine.invoke(made, call())).instance != first


async def test_whatever_calls_do_the_number_stays_and_every_call_is_answered(make_engine: MakeEngine) -> None:
    engine = make_engine(account_concurrency=200)
    made = target("anything.handler", timeout_s=20.0)
    chance = random.Random(7)

    async def one(number: int) -> None:
        what = chance.choice(["answer", "answer", "answer", "raise", "exit", "leave", "garbage"])
        await asyncio.sleep(chance.random() * 0.5)
        if number % 20 == 0:
            engine.provision(made, chance.randint(1, 6))
        outcome = await engine.invoke(made, call({"what": what, "number": number}))
        if what == "answer":
            assert result(outcome) == number
        else:
            assert outcome.failure is not None

    engine.provision(made, 4)
    async with asyncio.TaskGroup() as calls:
        for number in range(120):
            calls.create_task(one(number))
    engine.provision(made, 4)
    await available(engine, made, 4)
    standing = engine._placement.standby
    await until(lambda: len(standing._owners) == 4)
