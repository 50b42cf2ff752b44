"""Functions whose instances serve one tenant each: whatever happens, an instance's tenant never changes."""

import asyncio
import dataclasses
import random
from collections import Counter, defaultdict

import pytest

from mayfly.clock import ManualClock
from mayfly.engine import habits
from mayfly.engine.api import Outcome, Target, ThrottledError
from mayfly.engine.limits import Limits
from mayfly.errors import PlatformError
from mayfly.policy.windows import Decision

from .conftest import MakeEngine, call, target
from .puppets import Puppets, calm
from .test_habits import Always


def tenants_target(tenant: str, *, function: str = "f", memory_mb: int = 128, version: str = "1") -> Target:
    made = target("anything.handler", key=f"{function}:{version}", function=function, memory_mb=memory_mb)
    return dataclasses.replace(made, key=f"{made.key}\0{tenant}", family=made.key, tenant=tenant)


class Served:
    """Which tenants each sandbox has served, as its runtime heard it."""

    def __init__(self, puppets: Puppets) -> None:
        self._puppets = puppets
        self.by_sandbox: defaultdict[str, set[str]] = defaultdict(set)
        puppets.on_call = self._called

    def _called(self, request: str) -> None:
        puppet, _ = self._puppets.calls[request]
        self.by_sandbox[puppet.id].add(request.partition("/")[0])


@pytest.mark.parametrize("seed", range(6))
async def test_an_instance_serves_one_tenant_over_evictions_throttles_kills_and_new_versions(
    make_engine: MakeEngine, clock: ManualClock, seed: int
) -> None:
    draw, puppets = random.Random(seed), Puppets()
    served = Served(puppets)
    engine = make_engine(
        factory=puppets,
        clock=clock,
        memory_mb=draw.choice([4, 9, 20]) * 128,
        account_concurrency=draw.choice([6, 12]),
        limits=Limits(queue_s=draw.choice([0.0, 5.0]), queue_calls=8, scaling=None),
    )
    asked: list[asyncio.Task[Outcome]] = []
    for number in range(400):
        match draw.choices(["call", "answer", "kill", "publish", "sweep", "wait"], weights=[10, 9, 1, 0.3, 0.5, 2])[0]:
            case "call":
                tenant, function = f"t{draw.randrange(12)}", draw.choice("fg")
                made = tenants_target(tenant, function=function)
                asked.append(asyncio.create_task(engine.invoke(made, call(None, f"{function}-{tenant}/{number}"))))
            case "answer" if puppets.calls:
                puppets.answer(draw.choice(sorted(puppets.calls)))
            case "kill" if puppets.made:
                killed = draw.choice(puppets.made)
                killed.kill()
                for request in [request for request, (owner, _) in puppets.calls.items() if owner is killed]:
                    del puppets.calls[request]
            case "publish":
                engine.retire(f"{draw.choice('fg')}:1")
            case "sweep":
                clock.advance(301.0)
                engine.sweep()
            case _:
                clock.advance(0.05)
        await calm(draw.randrange(1, 12))
    while not all(task.done() for task in asked):
        for request in list(puppets.calls):
            puppets.answer(request)
        clock.advance(0.2)
        await asyncio.sleep(0.001)  # calls that wait give up by the loop's own time

    for task in asked:
        assert task.exception() is None or isinstance(task.exception(), ThrottledError | PlatformError)
    assert sum(task.exception() is None for task in asked) > 50
    assert len(served.by_sandbox) > 12
    assert {len(tenants) for tenants in served.by_sandbox.values()} == {1}


async def test_a_tenant_is_served_by_its_own_idle_instance_and_another_starts_one(make_engine: MakeEngine) -> None:
    puppets = Puppets()
    puppets.on_call = puppets.answer
    engine = make_engine(factory=puppets)

    outcomes = [await engine.invoke(tenants_target(tenant), call()) for tenant in ("blue", "red", "blue", "red")]

    assert [outcome.cold for outcome in outcomes] == [True, True, False, False]
    assert [outcome.instance for outcome in outcomes[:2]] == [outcome.instance for outcome in outcomes[2:]]
    assert {view.tenant for view in engine.snapshot()} == {"blue", "red"}
    assert {view.key for view in engine.snapshot()} == {"f:1"}


async def test_tenants_share_the_limit_of_their_function(make_engine: MakeEngine) -> None:
    puppets = Puppets()
    engine = make_engine(factory=puppets)
    engine.reserve("f", 2)
    running = [asyncio.create_task(engine.invoke(tenants_target(name), call(None, name))) for name in ("blue", "red")]
    await calm()

    with pytest.raises(ThrottledError) as refused:
        await engine.invoke(tenants_target("green"), call())

    assert (refused.value.scope, refused.value.limit) == ("function", 2)
    puppets.answer("blue")
    puppets.answer("red")
    await asyncio.gather(*running)


async def test_an_idle_instance_of_one_tenant_goes_for_a_call_of_another(make_engine: MakeEngine) -> None:
    puppets = Puppets()
    puppets.on_call = puppets.answer
    engine = make_engine(factory=puppets, memory_mb=256)

    for tenant in ("blue", "red", "green"):
        await engine.invoke(tenants_target(tenant), call())

    assert engine.counters().evictions == 1
    assert sum(len(view.instances) for view in engine.snapshot() if view.tenant in {"red", "green"}) == 2


async def test_retiring_a_version_ends_the_instances_of_all_its_tenants(make_engine: MakeEngine) -> None:
    puppets = Puppets()
    puppets.on_call = puppets.answer
    engine = make_engine(factory=puppets)
    for tenant in ("blue", "red"):
        await engine.invoke(tenants_target(tenant), call())
    await engine.invoke(tenants_target("blue", version="2"), call())

    engine.retire("f:1")
    await calm()

    assert [(view.key, view.tenant) for view in engine.snapshot()] == [("f:2", "blue")]


async def test_a_tenant_that_floods_leaves_turns_and_places_to_the_others(make_engine: MakeEngine) -> None:
    """One instance fits. Ten calls of one tenant wait for it before the other tenant's only one."""
    puppets = Puppets()
    served: list[str] = []
    puppets.on_call = served.append
    engine = make_engine(factory=puppets, memory_mb=256, limits=Limits(queue_calls=9, scaling=None))
    loud = [asyncio.create_task(engine.invoke(tenants_target("loud"), call(None, f"loud/{n}"))) for n in range(10)]
    await calm()
    quiet = asyncio.create_task(engine.invoke(tenants_target("quiet"), call(None, "quiet/0")))
    await calm()

    refused = [task for task in loud if task.done()]
    assert len(refused) == 5  # two run and three wait: a third of the places
    while not quiet.done():
        puppets.answer(served[-1] if served[-1] in puppets.calls else next(iter(puppets.calls)))
        await asyncio.sleep(0.001)
    while not all(task.done() for task in loud):
        for request in list(puppets.calls):
            puppets.answer(request)
        await asyncio.sleep(0.001)
    assert Counter(name.partition("/")[0] for name in served[:4])["quiet"] == 1
    await asyncio.gather(*loud, return_exceptions=True)


async def test_what_is_known_of_tenants_without_instances_is_bounded_and_no_tenants_idle_time_is_anothers(
    make_engine: MakeEngine, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(habits, "REMEMBERED", 5)
    puppets, rule = Puppets(), Always(Decision(0.0, 10.0, "for ten seconds"))
    puppets.on_call = puppets.answer
    engine = make_engine(factory=puppets, rule=rule, settle_s=1.0)
    for number in range(20):
        await engine.invoke(tenants_target(f"t{number}"), call())
        clock.advance(11.0)
        engine.sweep()
        await calm()

    assert engine.habits is not None
    assert len(engine.habits._habits) == 5
    assert rule.seen == []  # nobody called twice, so nothing was learnt of how long anybody is idle
    await engine.invoke(tenants_target("t19"), call())
    assert rule.seen == [0.0, 11.0]  # the call before came after no idle time
    engine.retire("f:1")
    await calm()
    assert (engine.habits._habits, engine.habits._families, engine._placement._books._families) == ({}, {}, {})
    assert engine.snapshot() == ()


async def test_how_many_provisioned_instances_were_busy_at_a_time_is_told_once(make_engine: MakeEngine) -> None:
    puppets = Puppets()
    engine, made = make_engine(factory=puppets), target("anything.handler")
    engine.provision(made, 3)
    await calm()
    calls = [asyncio.create_task(engine.invoke(made, call(None, name))) for name in "ab"]
    await calm()
    puppets.answer("a")
    await calm()

    assert engine.peak(made.key) == 2
    assert engine.peak(made.key) == 1  # it runs still
    puppets.answer("b")
    await asyncio.gather(*calls)
    assert (engine.peak(made.key), engine.peak(made.key), engine.peak("unknown")) == (1, 0, 0)
