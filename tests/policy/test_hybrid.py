"""The hybrid histogram policy: the paper's cases told as stories, and what holds for every history."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.hybrid import Hybrid, Seen
from mayfly.policy.windows import Decision, Subject, idle_cost_s, warm

MINUTE_S, HOUR_S = 60.0, 3600.0
rule = Hybrid()
histories = st.lists(st.tuples(st.floats(0, 30_000), st.integers(1, 30)), max_size=25)


def after(*idle_times: float, policy: Hybrid = rule) -> Seen:
    state = policy.start(Subject())
    for idle_s in idle_times:
        state = policy.observe(state, idle_s)
    return state


def test_an_unknown_function_is_kept_for_the_whole_range() -> None:
    assert rule.decide(after()) == Decision(0.0, 4 * HOUR_S, "standard")
    assert rule.decide(after(90.0)).reason == "standard"


def test_a_timer_is_given_up_after_its_call_and_made_anew_just_before_the_next() -> None:
    # A call every half hour falls into the bin from 29 to 30 minutes: 10 % before its start, 10 % after its end.
    decision = rule.decide(after(*[30 * MINUTE_S] * 5))
    assert decision.reason == "histogram"
    assert decision.prewarm_after_s == 29 * MINUTE_S * 0.9
    assert round(decision.end_s) == 33 * MINUTE_S
    assert warm(decision, 30 * MINUTE_S)


def test_bursts_keep_the_instance_from_the_call_on() -> None:
    decision = rule.decide(after(*[5.0] * 20, *[20 * MINUTE_S] * 3))
    assert decision.prewarm_after_s == 0
    assert round(decision.keep_alive_s) == 22 * MINUTE_S


def test_idle_times_all_over_the_range_show_no_pattern() -> None:
    decision = rule.decide(after(*[minute * MINUTE_S for minute in range(1, 241, 2)]))
    assert decision == Decision(0.0, 4 * HOUR_S, "standard")


def test_a_nightly_job_is_forecast_from_its_last_few_nights() -> None:
    day = 24 * HOUR_S
    decision = rule.decide(after(*[day] * 3, 7 * day, day))
    assert decision.reason == "forecast"
    assert round(decision.prewarm_after_s) == round(0.85 * day)
    assert round(decision.end_s) == round(1.15 * day)


def test_a_job_that_becomes_hourly_is_no_longer_forecast() -> None:
    state = after(*[24 * HOUR_S] * 3)
    for _ in range(3):
        state = rule.observe(state, HOUR_S)
    assert rule.decide(state).reason == "histogram"


def test_a_burst_amid_long_idle_times_leaves_an_instance_for_a_minute() -> None:
    state = after(*[5 * HOUR_S] * 4, 0.0, 0.0, 0.0)
    assert rule.decide(state) == Decision(0.0, rule.width_s, "forecast")


@given(histories)
def test_a_decision_is_sensible_whatever_was_seen(history: list[tuple[float, int]]) -> None:
    state = rule.start(Subject())
    for idle_s, count in history:
        state = rule.observe(state, idle_s, count)
    decision = rule.decide(state)
    assert decision.prewarm_after_s >= 0
    assert decision.keep_alive_s > 0
    assert decision.linger_s == 0
    assert len(state.recent) <= rule.forecast_from


@given(histories)
def test_a_batch_is_the_same_as_one_by_one(history: list[tuple[float, int]]) -> None:
    batched = one_by_one = rule.start(Subject())
    for idle_s, count in history:
        batched = rule.observe(batched, idle_s, count)
        for _ in range(count):
            one_by_one = rule.observe(one_by_one, idle_s)
    assert batched == one_by_one


@given(histories, st.floats(0, 60), st.integers(1, 200))
def test_while_steady_every_call_is_warm_and_the_instance_held(
    history: list[tuple[float, int]], idle_s: float, calls: int
) -> None:
    state = rule.start(Subject())
    for past_s, count in history:
        state = rule.observe(state, past_s, count)
    if not rule.steady(state, idle_s):
        return
    for _ in range(calls):
        decision = rule.decide(state)
        assert warm(decision, idle_s)
        assert idle_cost_s(decision, idle_s) == idle_s
        state = rule.observe(state, idle_s)


@given(histories)
def test_the_state_survives_being_stored_and_is_small(history: list[tuple[float, int]]) -> None:
    state = rule.start(Subject())
    for idle_s, count in history:
        state = rule.observe(state, idle_s, count)
    stored = msgspec.msgpack.encode(state)
    assert msgspec.msgpack.decode(stored, type=Seen) == state
    assert len(stored) < 300
