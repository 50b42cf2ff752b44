"""What a decision means: when a call is warm, and how long an instance was held for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.keepalive import Idle, Sweep, sweep
from mayfly.policy.windows import Decision, Fixed, Subject, idle_cost_s, keep_alive, warm

seconds = st.integers(0, 5000).map(float)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    linger, gap, keep = draw(seconds), draw(seconds), draw(seconds)
    return Decision(linger + gap, keep, "drawn", linger)


def test_an_instance_lingers_goes_and_is_there_again_before_the_next_call() -> None:
    decision = Decision(prewarm_after_s=3500, keep_alive_s=200, reason="expected later", linger_s=60)
    assert [warm(decision, idle_s) for idle_s in (0, 60, 61, 3499, 3500, 3700, 3701)] == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
    ]
    assert [idle_cost_s(decision, idle_s) for idle_s in (30, 60, 3000, 3600, 9000)] == [30, 60, 60, 160, 260]
    assert decision.end_s == 3700


@given(decisions(), st.floats(0, 20_000))
def test_an_instance_is_held_at_most_as_long_as_nobody_calls_and_no_longer_than_decided(
    decision: Decision, idle_s: float
) -> None:
    held_s = idle_cost_s(decision, idle_s)
    assert 0 <= held_s <= idle_s
    assert held_s <= decision.linger_s + decision.keep_alive_s
    assert idle_cost_s(decision, idle_s + 1) >= held_s


@given(decisions(), st.integers(0, 15_000))
def test_a_moment_costs_exactly_when_a_call_at_its_end_would_be_warm(decision: Decision, idle_s: int) -> None:
    costs = idle_cost_s(decision, idle_s + 1.0) - idle_cost_s(decision, idle_s + 0.0)
    assert costs in (0, 1)
    assert (costs == 1) == warm(decision, idle_s + 0.5)


def test_the_engines_sweep_drops_an_instance_at_the_end_of_its_first_window() -> None:
    decisions = {
        "timer": Decision(prewarm_after_s=3500, keep_alive_s=200, reason="expected later", linger_s=60),
        "site": Decision(prewarm_after_s=0, keep_alive_s=900, reason="likely soon"),
        "done": Decision(prewarm_after_s=0, keep_alive_s=0, reason="settling", linger_s=5),
    }
    idle = [
        Idle("t", "timer", idle_since=0, memory_mb=128, position=0),
        Idle("s", "site", idle_since=0, memory_mb=128, position=0),
        Idle("extra", "site", idle_since=0, memory_mb=128, position=1),
        Idle("d", "done", idle_since=0, memory_mb=128, position=0),
    ]
    policy = keep_alive(decisions.__getitem__)
    assert sweep(idle, policy, now=0) == Sweep([], 5)
    assert sweep(idle, policy, now=60) == Sweep(["t", "extra", "d"], 900)


def test_a_fixed_time_learns_nothing() -> None:
    rule = Fixed(600.0)
    state = rule.observe(rule.start(Subject()), 5000.0, 3)
    assert rule.decide(state) == Decision(0.0, 600.0, "fixed")
    assert rule.steady(state, 600.0)
    assert not rule.steady(state, 600.1)
    assert rule.name == "fixed 10 min"


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Fixed(-1.0).start(Subject())
