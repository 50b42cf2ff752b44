"""Instances kept and made by what each function's calls have shown, told as days of a clock that tests move."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

from mayfly.clock import ManualClock, SystemClock
from mayfly.engine.api import Target
from mayfly.engine.engine import LocalEngine
from mayfly.policy.hazard import Hazard
from mayfly.policy.windows import Decision, Subject

from .conftest import MakeEngine, Meeting, Recorder, call, target
from .test_pools import meet, states
from .test_provisioned import instances, until
from .test_under_stress import storm

HOURLY = Decision(1000.0, 100.0, "said so", linger_s=60.0)
LASTING = {"idle", "busy"}


@dataclass
class Always:
    """A rule that decides the same at all times, and remembers what it was told."""

    decision: Decision
    seen: list[float] = field(default_factory=list)
    subjects: list[Subject] = field(default_factory=list)
    name: str = "always"

    def start(self, subject: Subject) -> int:
        self.subjects.append(subject)
        return 0

    def about(self, state: int, subject: Subject) -> int:
        self.subjects.append(subject)
        return state

    def observe(self, state: int, idle_s: float, count: int = 1) -> int:
        self.seen += [idle_s] * count
        return state + count

    def decide(self, state: int) -> Decision:
        return self.decision

    def steady(self, state: int, idle_s: float) -> bool:
        return False


class OnceLearnt(Always):
    """Instances are kept as it says, and for a moment only once something was learnt."""

    def decide(self, state: int) -> Decision:
        return Decision(0.0, 0.01, "for a moment") if state else self.decision


class BySize(Always):
    """Small instances are kept for an hour, large ones not at all."""

    def start(self, subject: Subject) -> int:
        return int(subject.memory_mb)

    def decide(self, state: int) -> Decision:
        return Decision(0.0, 3600.0 if state <= 128 else 0.0, "by size")


async def pass_time(engine: LocalEngine, clock: ManualClock, seconds: float) -> None:
    """Let time pass as the engine would see it: it looks at its instances whenever it said that it would."""
    end = clock.monotonic() + seconds
    while (at := engine.sweep()) is not None and at <= end:
        clock.advance(max(0.0, at - clock.monotonic()))
        engine.sweep()
        await until(lambda: set(states(engine)) <= LASTING)
    clock.advance(end - clock.monotonic())
    await until(lambda: set(states(engine)) <= LASTING)


async def cold(engine: LocalEngine, made: Target) -> bool:
    return (await engine.invoke(made, call())).cold


async def test_a_timers_function_gets_an_instance_just_ahead_of_its_calls(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    rule = Hazard(price=2.0, kinship=0.0)
    engine = make_engine(rule=rule, settle_s=rule.settle_s)
    made = target("functions.count")
    assert await cold(engine, made)
    await pass_time(engine, clock, 1200)
    assert await cold(engine, made)  # nobody knew
    for _ in range(5):
        await pass_time(engine, clock, 1100)
        assert states(engine) == []
        await pass_time(engine, clock, 90)
        assert states(engine) == ["idle"]
        await pass_time(engine, clock, 10)
        assert not await cold(engine, made)
    await pass_time(engine, clock, 1300)
    assert states(engine) == []  # the call did not come, and is waited for no longer
    await pass_time(engine, clock, 100_000)
    assert engine.counters().cold_starts == 2 + 5 + 1


async def test_a_function_without_a_pattern_is_kept_for_as_long_as_the_rule_says(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    rule = Hazard()
    engine = make_engine(rule=rule, settle_s=rule.settle_s)
    made = target("functions.count")
    state = rule.start(Subject(128, 100.0))
    chance = random.Random(1)
    await cold(engine, made)
    for _ in range(20):
        idle_s = round(chance.expovariate(1 / 900))
        await pass_time(engine, clock, idle_s)
        await cold(engine, made)
        state = rule.observe(state, idle_s)
    decision = rule.decide(state)
    assert decision.prewarm_after_s == 0
    await pass_time(engine, clock, decision.end_s - 1)
    assert states(engine) == ["idle"]
    await pass_time(engine, clock, 2)
    assert states(engine) == []


async def test_a_call_that_comes_earlier_puts_the_expected_one_off(make_engine: MakeEngine, clock: ManualClock) -> None:
    engine = make_engine(rule=Always(HOURLY))
    made = target("functions.count")
    await cold(engine, made)
    await pass_time(engine, clock, 500)
    assert await cold(engine, made)
    await pass_time(engine, clock, 999)  # the first plan was for 500 s ago
    assert engine.counters().cold_starts == 2
    await pass_time(engine, clock, 2)
    assert states(engine) == ["idle"]
    await pass_time(engine, clock, 98)
    assert states(engine) == ["idle"]
    await pass_time(engine, clock, 2)
    assert states(engine) == []


async def test_calls_that_overlap_or_follow_closely_are_only_counted(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting
) -> None:
    rule = Always(Decision(0.0, 3600.0, "for an hour"))
    engine = make_engine(rule=rule, settle_s=60.0)
    made = target("functions.meet")
    await meet(engine, meeting, made, 3)
    await pass_time(engine, clock, 60)
    await engine.invoke(made, meeting.call())
    assert rule.seen == []
    await pass_time(engine, clock, 61)
    await engine.invoke(made, meeting.call())
    assert rule.seen == [0.0] * 4 + [61.0]


async def test_instances_beyond_the_first_go_sooner(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting
) -> None:
    engine = make_engine(rule=Always(Decision(0.0, 3600.0, "for an hour")))
    await meet(engine, meeting, target("functions.meet"), 3)
    await pass_time(engine, clock, 59)
    assert states(engine) == ["idle"] * 3
    await pass_time(engine, clock, 2)
    assert states(engine) == ["idle"]


async def test_one_that_is_no_longer_the_first_is_given_up_by_the_engine_itself(
    make_engine: MakeEngine, clock: ManualClock, recorder: Recorder, meeting: Meeting, tmp_path: Path
) -> None:
    engine = make_engine(rule=Always(Decision(0.0, 3600.0, "for an hour")))
    made = target("functions.meet")
    long = asyncio.create_task(engine.invoke(made, meeting.call()))
    await meeting.all_here()
    (tmp_path / "brief").mkdir()
    brief = Meeting(tmp_path / "brief")
    brief.end()
    first = (await engine.invoke(made, brief.call())).instance
    clock.advance(61)
    meeting.end()
    await long
    await recorder.wait_for(lambda: recorder.of("terminated") == [(first, "idle for too long")])


async def test_what_is_learnt_from_a_call_holds_for_an_instance_that_was_kept_for_longer_before(
    make_engine: MakeEngine, clock: ManualClock, recorder: Recorder
) -> None:
    engine = make_engine(rule=OnceLearnt(Decision(0.0, 3600.0, "for an hour")), settle_s=1.0)
    for _ in range(3):
        await engine.invoke(target("functions.count"), call())
    clock.advance(100)
    assert not await cold(engine, target("functions.count"))
    clock.advance(1)
    await recorder.wait_for(lambda: [reason for _, reason in recorder.of("terminated")] == ["idle for too long"])


async def test_none_is_kept_until_what_it_was_given_expires(make_engine: MakeEngine, clock: ManualClock) -> None:
    engine = make_engine(rule=Always(Decision(0.0, 86_400.0, "for a day")), max_age_s=7200.0)
    await cold(engine, target("functions.count"))
    await pass_time(engine, clock, 7199)
    assert states(engine) == ["idle"]
    await pass_time(engine, clock, 2)
    assert states(engine) == []


async def test_one_made_ahead_of_a_call_goes_first_when_memory_is_short(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    engine = make_engine(rule=Always(HOURLY), memory_mb=256)
    expected, used = target("functions.count"), target("functions.echo")
    await cold(engine, expected)
    await pass_time(engine, clock, 990)
    await cold(engine, used)
    await pass_time(engine, clock, 20)
    assert states(engine) == ["idle", "idle"]

    assert await cold(engine, target("functions.count", key="another"))
    assert engine.counters().evictions == 1
    assert not await cold(engine, used)


async def test_nothing_is_given_up_for_a_call_that_is_only_expected(
    make_engine: MakeEngine, clock: ManualClock
) -> None:
    engine = make_engine(rule=Always(HOURLY), memory_mb=128)
    await cold(engine, target("functions.count"))
    await pass_time(engine, clock, 990)
    used = target("functions.echo")
    await cold(engine, used)
    await pass_time(engine, clock, 20)
    assert not await cold(engine, used)
    assert engine.counters().evictions == 0
    assert engine.counters().cold_starts == 2


async def test_new_code_inherits_the_habit_of_its_function(make_engine: MakeEngine, clock: ManualClock) -> None:
    rule = Hazard()
    engine = make_engine(rule=rule, settle_s=rule.settle_s)
    before = target("functions.count", key="1", function="f")
    for _ in range(4):
        await cold(engine, before)
        await pass_time(engine, clock, 1200)
    engine.retire("1")
    after = target("functions.echo", key="2", function="f", memory_mb=256)
    assert await cold(engine, after)
    await pass_time(engine, clock, 1190)
    assert states(engine, "2") == ["idle"]
    assert not await cold(engine, after)


async def test_a_retired_target_is_expected_no_more(make_engine: MakeEngine, clock: ManualClock) -> None:
    engine = make_engine(rule=Always(HOURLY))
    await cold(engine, target("functions.count"))
    await pass_time(engine, clock, 500)
    engine.retire("functions.count")
    await pass_time(engine, clock, 1000)
    assert engine.counters().cold_starts == 1


async def test_a_target_retired_during_its_call_is_expected_no_more(
    make_engine: MakeEngine, clock: ManualClock, meeting: Meeting
) -> None:
    engine = make_engine(rule=Always(HOURLY))
    made = target("functions.meet")
    running = asyncio.create_task(engine.invoke(made, meeting.call()))
    await meeting.all_here()
    engine.retire(made.key)
    meeting.end()
    await running
    await pass_time(engine, clock, 2000)
    assert engine.counters().cold_starts == 1


async def test_a_closed_engine_makes_no_instance(make_engine: MakeEngine, clock: ManualClock) -> None:
    engine = make_engine(rule=Always(HOURLY))
    await cold(engine, target("functions.count"))
    await pass_time(engine, clock, 500)
    await engine.close(0)
    clock.advance(550)
    assert engine.sweep() is None
    assert engine.counters().cold_starts == 1


async def test_provisioned_targets_need_no_instance_ahead(make_engine: MakeEngine, clock: ManualClock) -> None:
    engine = make_engine(rule=Always(HOURLY))
    made = target("functions.count")
    engine.provision(made, 1)
    await until(lambda: states(engine) == ["idle"])
    assert not await cold(engine, made)
    await pass_time(engine, clock, 1050)
    assert engine.counters().cold_starts == 1


async def test_an_instance_ahead_that_cannot_be_initialized_is_not_tried_again(
    make_engine: MakeEngine, clock: ManualClock, recorder: Recorder
) -> None:
    engine = make_engine(rule=Always(HOURLY))
    assert (await engine.invoke(target("broken.handler"), call())).failure is not None
    await pass_time(engine, clock, 3000)
    # Two instances for the call, whose init is repeated, and one ahead.
    assert [reason for _, reason in recorder.of("terminated")] == ["init failed"] * 3
    assert [(kind, phase) for (_, kind, _), phase in zip(recorder.of("initialized"), recorder.phases, strict=True)] == [
        ("init-raised", "init"),
        ("init-raised", "invoke"),
        ("init-raised", "init"),
    ]
    assert states(engine) == []


async def test_what_starting_took_is_told_to_the_rule(make_engine: MakeEngine) -> None:
    rule = Always(HOURLY)
    engine = make_engine(rule=rule, clock=Leaping())
    await cold(engine, target("functions.count"))
    assert rule.subjects[0] == Subject(128, 100.0)
    assert rule.subjects[-1].start_ms > 1000


class Leaping(ManualClock):
    """A clock by which everything takes long."""

    def monotonic(self) -> float:
        self.advance(1.0)
        return super().monotonic()


async def test_the_engine_makes_instances_ahead_by_itself(make_engine: MakeEngine) -> None:
    rule = Always(Decision(0.05, 3600.0, "soon again"))
    engine = make_engine(rule=rule, clock=SystemClock())
    made = target("functions.count")
    first = (await engine.invoke(made, call())).instance
    await until(lambda: states(engine) == ["idle"] and first not in instances(engine))
    assert not await cold(engine, made)


async def test_the_engine_looks_earlier_when_one_is_due_before_those_it_waits_for(
    make_engine: MakeEngine, recorder: Recorder
) -> None:
    engine = make_engine(rule=BySize(HOURLY), clock=SystemClock())
    kept = (await engine.invoke(target("functions.count"), call())).instance
    given_up = (await engine.invoke(target("functions.echo", memory_mb=512), call())).instance
    await recorder.wait_for(lambda: recorder.of("terminated") == [(given_up, "idle for too long")])
    assert instances(engine) == {kept}


async def test_a_storm_of_calls_and_guesses_leaves_nothing_behind(make_engine: MakeEngine, recorder: Recorder) -> None:
    rule = Always(Decision(0.01, 0.03, "soon again"))
    engine = make_engine(rule=rule, clock=SystemClock(), memory_mb=12 * 128, account_concurrency=12)
    await storm(engine, recorder, seed=3)
    assert rule.seen
