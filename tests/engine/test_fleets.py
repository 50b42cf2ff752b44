"""Targets whose instances share a limit on processors."""

import asyncio
import dataclasses

import pytest

from mayfly.clock import ManualClock
from mayfly.engine.api import Target, ThrottledError

from .conftest import MakeEngine, call, target
from .puppets import Puppets, calm


def on_fleet(name: str, *, cpus: float = 2.0, fleet: str = "here") -> Target:
    made = target("anything.handler", key=name, function=name)
    return dataclasses.replace(made, fleet=fleet, sandbox=dataclasses.replace(made.sandbox, cpus=cpus))


async def test_calls_beyond_the_processors_of_a_fleet_are_refused_whoevers_they_are(make_engine: MakeEngine) -> None:
    puppets = Puppets()
    engine = make_engine(factory=puppets)
    engine.limit("here", 5)
    running = [asyncio.create_task(engine.invoke(on_fleet(name), call(None, name))) for name in "ab"]
    await calm()

    with pytest.raises(ThrottledError) as refused:
        await engine.invoke(on_fleet("c"), call())
    assert (refused.value.scope, refused.value.limit) == ("fleet", 5)
    small = asyncio.create_task(engine.invoke(on_fleet("d", cpus=1.0), call(None, "d")))
    elsewhere = asyncio.create_task(engine.invoke(on_fleet("e", fleet="there"), call(None, "e")))
    await calm()

    assert set(puppets.calls) == {"a", "b", "d", "e"}
    for request in list(puppets.calls):
        puppets.answer(request)
    await asyncio.gather(*running, small, elsewhere)


async def test_the_instance_that_is_idle_for_longest_ends_for_another_function(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    puppets = Puppets()
    puppets.on_call = puppets.answer
    engine = make_engine(factory=puppets)
    engine.limit("here", 4)
    for name in "abac":
        await engine.invoke(on_fleet(name), call())
        clock.advance(1)

    assert {view.key for view in engine.snapshot() if view.instances} == {"a", "c"}
    assert engine.counters_of("b").evictions == 1


async def test_a_lower_limit_ends_idle_instances_and_none_that_run_calls(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    puppets = Puppets()
    engine = make_engine(factory=puppets)
    calls = [asyncio.create_task(engine.invoke(on_fleet(name), call(None, name))) for name in "abc"]
    await calm()
    puppets.answer("a")
    await calm()

    engine.limit("here", 2)
    await calm()

    assert {view.key for view in engine.snapshot() if view.instances} == {"b", "c"}
    puppets.answer("b")
    puppets.answer("c")
    await asyncio.gather(*calls)
    engine.limit("here", None)
    puppets.on_call = puppets.answer
    for name in "abcd":
        await engine.invoke(on_fleet(name), call())


async def test_instances_are_not_kept_ready_beyond_it_and_are_when_it_is_raised(make_engine: MakeEngine) -> None:
    engine = make_engine(factory=Puppets())
    engine.limit("here", 4)
    engine.provision(on_fleet("a"), 3)
    await calm()

    standing = engine.provisioned("a")
    assert standing is not None
    assert (standing.available, standing.failure) == (
        2,
        "no more than its capacity provider has processors for may live at a time",
    )
