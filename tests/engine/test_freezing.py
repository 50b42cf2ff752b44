"""Instances that have nothing to do are stopped, and run again for the next call."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.clock import ManualClock, SystemClock
from mayfly.engine.api import EngineClosedError, Target, ThrottledError
from mayfly.engine.engine import LocalEngine
from mayfly.engine.freezing import Freezer
from mayfly.engine.limits import Limits
from mayfly.engine.states import Event, Lifecycle, State
from mayfly.policy import freezing
from mayfly.sandbox import interpreters
from mayfly.sandbox.namespace import AgentFactory

from .conftest import MakeEngine, Meeting, Recorder, call, result, target
from .forked import ForkedFactory, ForkedSandbox


def process_state(sandbox: ForkedSandbox) -> str:
    """The letter that ps shows; T: stopped."""
    with open(f"/proc/{sandbox.pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


async def is_stopped(sandbox: ForkedSandbox) -> None:
    async with asyncio.timeout(60):
        while process_state(sandbox) != "T":  # noqa: ASYNC110 (the kernel's doing)
            await asyncio.sleep(0.001)


def views(engine: LocalEngine) -> list[str]:
    return sorted(one.state for pool in engine.snapshot() for one in pool.instances)


def freeze_due(engine: LocalEngine, clock: ManualClock, after_s: float = freezing.FIRST_S) -> None:
    clock.advance(after_s)
    engine._placement.freezer.freeze_due()


async def test_an_idle_instance_is_frozen_when_its_grace_is_over_and_thawed_by_a_call(
    engine: LocalEngine, factory: ForkedFactory, clock: ManualClock
) -> None:
    made = target("functions.count")
    await engine.invoke(made, call())
    freeze_due(engine, clock, freezing.FIRST_S / 2)
    assert views(engine) == ["idle"]

    freeze_due(engine, clock, freezing.FIRST_S / 2)

    assert views(engine) == ["frozen"]
    await is_stopped(factory.sandboxes[0])
    (view,) = engine.snapshot()[0].instances
    assert view.idle_s == pytest.approx(freezing.FIRST_S)
    assert result(await engine.invoke(made, call()))["calls"] == 2
    assert views(engine) == ["idle"]
    assert engine.counters().cold_starts == 1


async def test_an_instance_that_is_called_again_soon_is_given_more_time(
    engine: LocalEngine, factory: ForkedFactory, clock: ManualClock
) -> None:
    made = target("functions.count")
    await engine.invoke(made, call())
    freeze_due(engine, clock)
    await engine.invoke(made, call())

    freeze_due(engine, clock)
    assert views(engine) == ["idle"]
    freeze_due(engine, clock)
    assert views(engine) == ["frozen"]


async def test_a_busy_instance_is_not_frozen(engine: LocalEngine, clock: ManualClock, meeting: Meeting) -> None:
    made = target("functions.meet")
    running = asyncio.create_task(engine.invoke(made, meeting.call()))
    await meeting.all_here()
    freeze_due(engine, clock, 100.0)
    assert views(engine) == ["busy"]
    meeting.end()
    await running


async def test_the_engine_freezes_by_itself(make_engine: MakeEngine, factory: ForkedFactory) -> None:
    engine = make_engine(clock=SystemClock())
    await engine.invoke(target("functions.echo"), call())
    await is_stopped(factory.sandboxes[0])
    assert views(engine) == ["frozen"]


async def test_provisioned_instances_are_frozen_before_their_first_call(
    engine: LocalEngine, recorder: Recorder, factory: ForkedFactory, clock: ManualClock
) -> None:
    made = target("functions.count")
    engine.provision(made, 2)
    async with asyncio.timeout(60):
        while (standing := engine.provisioned(made.key)) is None or standing.available < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    freeze_due(engine, clock)
    assert views(engine) == ["frozen"] * 2
    outcome = await engine.invoke(made, call())
    assert (result(outcome)["calls"], outcome.cold) == (1, False)
    assert engine.provisioned(made.key) == standing


async def test_a_frozen_instance_ends_like_any_other(
    make_engine: MakeEngine, recorder: Recorder, factory: ForkedFactory, clock: ManualClock
) -> None:
    engine = make_engine(memory_mb=256)
    expired, evicted, retired = (target("functions.echo", key=key) for key in ("expired", "evicted", "retired"))
    await engine.invoke(expired, call())
    freeze_due(engine, clock)
    clock.advance(1000)
    engine.sweep()
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 1)
    await engine.invoke(evicted, call())
    freeze_due(engine, clock)
    await engine.invoke(target("functions.echo", key="large", memory_mb=256), call())
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 2)
    engine.retire("large")
    await engine.invoke(retired, call())
    freeze_due(engine, clock)
    engine.retire("retired")
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 4)
    reasons = [reason for _, reason in recorder.of("terminated")]
    assert reasons == ["idle for too long", "evicted", "retired", "retired"]
    assert engine.snapshot() == ()


async def test_an_instance_that_dies_while_it_is_frozen_is_replaced(
    engine: LocalEngine, recorder: Recorder, factory: ForkedFactory, clock: ManualClock
) -> None:
    made = target("functions.count")
    await engine.invoke(made, call())
    freeze_due(engine, clock)
    factory.sandboxes[0]._kill_group()
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 1)
    assert recorder.of("terminated")[0][1] == "died while idle"
    assert result(await engine.invoke(made, call()))["calls"] == 1


async def test_an_engine_closes_with_frozen_instances(make_engine: MakeEngine, clock: ManualClock) -> None:
    engine = make_engine()
    await engine.invoke(target("functions.echo"), call())
    freeze_due(engine, clock)
    await engine.close(0)
    assert engine.snapshot() == ()
    with pytest.raises(EngineClosedError):
        await engine.invoke(target("functions.echo"), call())


async def test_freezing_at_random_moments_loses_no_call(
    make_engine: MakeEngine, factory: ForkedFactory, clock: ManualClock
) -> None:
    engine = make_engine(memory_mb=6 * 128)
    chance = random.Random(11)
    targets = [target("functions.echo", key=f"t{number}") for number in range(3)]

    async def caller(first: int) -> None:
        for number in range(first, first + 40):
            assert result(await engine.invoke(chance.choice(targets), call(number))) == number
            if chance.random() < 0.5:
                freeze_due(engine, clock, chance.choice((0.0, 0.2, 1.0, 7.0)))
            if chance.random() < 0.3:
                await asyncio.sleep(0)

    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(caller(number * 100))
    assert engine.counters().calls == 160


# Memory. The sandboxes of these tests say that they never had more than 12 MB.


async def freeze_some(engine: LocalEngine, clock: ManualClock, meeting: Meeting, made: Target, number: int) -> None:
    calls = [asyncio.create_task(engine.invoke(made, meeting.call())) for _ in range(number)]
    await meeting.all_here()
    meeting.end()
    await asyncio.gather(*calls)
    freeze_due(engine, clock)


async def test_frozen_instances_count_with_the_memory_they_had_at_most(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting
) -> None:
    engine = make_engine(memory_mb=4 * 128)
    await freeze_some(engine, clock, meeting, target("functions.meet"), 4)
    assert views(engine) == ["frozen"] * 4
    assert (engine._ledger.held_mb, engine._ledger.idle_mb) == (48, 48)
    for number in range(3):
        await engine.invoke(target("functions.echo", key=f"another {number}"), call())
    assert views(engine) == ["frozen"] * 4 + ["idle"] * 3
    assert engine.counters().evictions == 0


async def test_a_frozen_instance_that_is_called_counts_in_full_and_others_go_for_it(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting
) -> None:
    engine = make_engine(memory_mb=256)
    made = target("functions.meet")
    await freeze_some(engine, clock, meeting, made, 2)
    await engine.invoke(target("functions.echo", memory_mb=232), call())  # all that is left
    assert (engine._ledger.held_mb, engine.counters().evictions) == (256, 0)

    outcome = await engine.invoke(made, meeting.call())

    assert not outcome.cold
    assert engine.counters().evictions == 1
    assert engine._ledger.held_mb <= 256


async def test_a_call_is_refused_where_its_frozen_instance_cannot_have_its_memory(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting, tmp_path: Path
) -> None:
    engine = make_engine(memory_mb=256, limits=Limits(queue_s=0.0))
    made = target("functions.echo")
    await engine.invoke(made, call())
    freeze_due(engine, clock)
    running = asyncio.create_task(engine.invoke(target("functions.meet", memory_mb=244), meeting.call()))
    await meeting.all_here()
    with pytest.raises(ThrottledError) as refused:
        await engine.invoke(made, call())
    assert refused.value.scope == "memory"
    meeting.end()
    await running
    assert result(await engine.invoke(made, call(5))) == 5


async def test_a_call_waits_until_its_frozen_instance_can_have_its_memory(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting
) -> None:
    engine = make_engine(memory_mb=256)
    made = target("functions.echo")
    await engine.invoke(made, call())
    freeze_due(engine, clock)
    running = asyncio.create_task(engine.invoke(target("functions.meet", memory_mb=244), meeting.call()))
    await meeting.all_here()
    waiting = asyncio.create_task(engine.invoke(made, call(7)))
    await asyncio.sleep(0)
    assert views(engine) == ["busy", "frozen"]
    meeting.end()
    await running
    assert result(await waiting) == 7
    assert engine.counters().cold_starts == 2


async def test_provisioned_instances_keep_the_memory_that_they_were_promised(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    engine = make_engine(memory_mb=256)
    made = target("functions.echo")
    engine.provision(made, 2)
    async with asyncio.timeout(60):
        while (standing := engine.provisioned(made.key)) is None or standing.available < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    freeze_due(engine, clock)
    assert (views(engine), engine._ledger.held_mb) == (["frozen"] * 2, 256)


@dataclass(eq=False)
class Stub:
    """An instance of which only the life is real."""

    clock: ManualClock
    grace_s: float
    freezable: bool
    life: Lifecycle = field(default_factory=Lifecycle)
    idle_since: float = 0.0
    frozen_at: list[float] = field(default_factory=list)

    @property
    def state(self) -> State:
        return self.life.state

    def freeze(self) -> bool:
        assert self.state is State.IDLE
        if self.freezable:
            self.life.feed(Event.FROZE)
            self.frozen_at.append(self.clock.monotonic())
        return self.freezable


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(("call", "answer", "end", "tick")), st.floats(0.0, 3.0)), max_size=60
)


@given(STEPS, st.lists(st.tuples(st.floats(0.2, 6.4), st.booleans()), min_size=4, max_size=4))
def test_exactly_those_whose_grace_is_over_are_frozen(
    steps: list[tuple[int, str, float]], made: list[tuple[float, bool]]
) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        freezer = Freezer(clock)
        stubs = [Stub(clock, *each) for each in made]
        for stub in stubs:
            stub.life.feed(Event.PROVISIONED)
            stub.life.feed(Event.READY)
            freezer.rests(stub)
        for number, what, after_s in steps:
            clock.advance(after_s)
            stub = stubs[number]
            if what == "call" and stub.state in {State.IDLE, State.FROZEN}:
                stub.life.feed(Event.CALLED)
            elif what == "answer" and stub.state is State.BUSY:
                stub.life.feed(Event.ANSWERED)
                stub.idle_since = clock.monotonic()
                freezer.rests(stub)
            elif what == "end" and stub.state is not State.ENDING:
                stub.life.feed(Event.ENDED)
            elif what == "tick":
                next_s = freezer.freeze_due()
                idle = [each for each in stubs if each.state is State.IDLE and each.freezable]
                left = [each.idle_since + each.grace_s - clock.monotonic() for each in idle]
                assert all(each > 0 for each in left)
                assert next_s is None or next_s > 0
                assert not idle or (next_s is not None and next_s <= min(left))
        for stub in stubs:
            assert all(at > 0 for at in stub.frozen_at)
        freezer.close()

    asyncio.run(scenario())


@pytest.mark.root
async def test_storms_on_real_control_groups_lose_no_call(
    make_engine: MakeEngine, tmp_path_factory: pytest.TempPathFactory, clock: ManualClock
) -> None:
    """Instances are frozen as soon as they rest, while calls keep coming."""
    agent = AgentFactory.launch(tmp_path_factory.mktemp("agent"))
    await agent.attach()
    try:
        await agent.prepare("python3.11", interpreters.current())
        directory = tmp_path_factory.mktemp("code")
        directory.chmod(0o755)
        (directory / "app.py").write_text(
            "import threading, time\n"
            "def run_on():\n    while True: time.sleep(0.001)\n"
            "threading.Thread(target=run_on, daemon=True).start()\n"
            "def handler(event, context):\n    return event\n"
        )
        engine = make_engine(factory=agent, clock=clock)
        example = target("app.handler")
        made = replace(example, sandbox=replace(example.sandbox, code=directory))
        chance = random.Random(3)

        async def caller(first: int) -> None:
            for number in range(first, first + 60):
                assert result(await engine.invoke(made, call(number))) == number
                freeze_due(engine, clock, chance.choice((0.0, 7.0)))
                if chance.random() < 0.2:
                    await asyncio.sleep(0.001)

        async with asyncio.timeout(50), asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(caller(number * 100))
        freeze_due(engine, clock, 7.0)
        assert set(views(engine)) == {"frozen"}
        await engine.close(0)
        assert engine.snapshot() == ()
    finally:
        await agent.close()
