"""The replay, which takes whole stretches at once, against a naive one that takes every call by itself."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.hazard import Hazard
from mayfly.policy.hybrid import Hybrid
from mayfly.policy.windows import Decision, Fixed, Rule, Subject
from mayfly.simulator.replay import Tally, clairvoyant, replay
from mayfly.simulator.trace import Unit, stretches_of

DAYS = 1
END_S = DAYS * 86_400.0

RULES: list[Rule[Any]] = [
    Fixed(0.0),
    Fixed(20.0),
    Fixed(600.0),
    Hybrid(),
    Hybrid(range_s=600.0, standard_s=120.0),
    Hybrid(least_seen=6, head_share=0.3),
    Hazard(),
    Hazard(price=0.05, settle_s=90.0, memory=8.0),
    Hazard(price=8.0),
]


@st.composite
def units(draw: st.DrawFn) -> Unit:
    """Gaps of silence and bursts of minutes, so that patterns, long idle times and repetitions all come up."""
    counts: list[int] = [0] * draw(st.integers(0, 5))
    pattern = draw(st.lists(st.tuples(st.integers(0, 400), st.lists(st.integers(1, 9), max_size=6)), max_size=5))
    for silence, burst in pattern * draw(st.integers(1, 4)):
        counts += [*burst, *([0] * silence)]
    counts = [*counts[:1439], 1]
    return Unit("unit", tuple(stretches_of(counts)), draw(st.sampled_from([64.0, 128.0, 1000.0])), 100.0)


def naive(rule: Rule[Any], unit: Unit) -> Tally:
    """Every call at its moment, one second of idle time or one window at a time, with nothing clever."""
    moments = [s.start * 60 + number * s.step_s for s in unit.stretches for number in range(s.calls)]
    state = rule.start(Subject(memory_mb=unit.memory_mb))
    cold, idle_s, prewarms = 1, 0.0, 0
    for moment, following in itertools.pairwise(moments):
        gap_s = round(following - moment, 9)
        held_s, prewarmed, is_warm = wait(rule.decide(state), gap_s)
        idle_s += held_s
        prewarms += prewarmed
        cold += not is_warm
        state = rule.observe(state, gap_s)
    held_s, prewarmed, _ = wait(rule.decide(state), END_S - moments[-1])
    return Tally(len(moments), cold, idle_s + held_s, prewarms + prewarmed)


def wait(decision: Decision, idle_s: float) -> tuple[float, int, bool]:
    """How long an instance is held within `idle_s`, whether it is made anew, whether it is there at the end."""
    windows = [(0.0, decision.linger_s), (decision.prewarm_after_s, decision.prewarm_after_s + decision.keep_alive_s)]
    held_s = sum(max(0.0, min(idle_s, end) - begin) for begin, end in windows)
    anew = decision.prewarm_after_s > decision.linger_s and decision.keep_alive_s > 0
    there = any(begin <= idle_s <= end for begin, end in windows)
    return held_s, int(anew and idle_s >= decision.prewarm_after_s), there


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(unit=units())
def test_taking_stretches_at_once_changes_nothing(rule: Rule[Any], unit: Unit) -> None:
    fast, slow = replay(rule, unit, END_S), naive(rule, unit)
    assert fast[:2] == slow[:2]
    assert fast.prewarms == slow.prewarms
    assert fast.idle_s == pytest.approx(slow.idle_s)


@given(units(), st.sampled_from([0.0, 60.0, 600.0, 7200.0]))
def test_foresight_has_as_many_cold_starts_as_a_fixed_time_and_holds_less(unit: Unit, keep_alive_s: float) -> None:
    kept, foreseen = replay(Fixed(keep_alive_s), unit, END_S), clairvoyant(unit, keep_alive_s)
    assert foreseen.cold == kept.cold
    assert foreseen.idle_s <= kept.idle_s + 1e-6


def test_a_day_of_a_timer_told_by_the_minute() -> None:
    # Every 30 minutes, 48 calls: fixed keep-alive of 10 minutes holds 10 minutes a call and is always cold.
    timer = Unit("timer", tuple(stretches_of(([1] + [0] * 29) * 48)), 128.0, 100.0)
    assert replay(Fixed(600.0), timer, END_S) == Tally(48, 48, 48 * 600.0, 0)
    # The hybrid policy keeps it for 4 hours until it has seen two idle times; then 30 - 26.1 minutes a call, and after
    # the last one what is left of the day, which ends in the moment of a call that does not come.
    hybrid = replay(Hybrid(), timer, END_S)
    assert (hybrid.cold, hybrid.prewarms) == (1, 46)
    assert hybrid.idle_s == pytest.approx(2 * 1800 + 46 * 234)
    # Mayfly's keeps it for some minutes, misses the second call as well, and knows the rest.
    hazard = replay(Hazard(), timer, END_S)
    assert hazard.cold == 2
    assert hazard.idle_s < 48 * 240


def test_a_unit_called_a_million_times_is_replayed_like_any_other() -> None:
    busy = Unit("busy", tuple(stretches_of([10_000] * 1440)), 128.0, 1.0)
    for rule in RULES:
        tally = replay(rule, busy, END_S)
        assert tally.calls == 14_400_000
        if not isinstance(rule, Fixed) or rule.keep_alive_s:
            assert tally.cold == 1
            assert tally.idle_s == pytest.approx(END_S)
