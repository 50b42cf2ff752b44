"""Keep-alive by hazard: functions told as stories, and what holds for every history."""

from math import log

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.hazard import Hazard, Learnt, spread
from mayfly.policy.windows import Subject, idle_cost_s, warm

MINUTE_S, HOUR_S = 60.0, 3600.0
rule = Hazard()
histories = st.lists(st.floats(0, 3e6), max_size=60)


def after(idle_times: list[float], policy: Hazard = rule, subject: Subject | None = None) -> Learnt:
    state = policy.start(subject or Subject())
    for idle_s in idle_times:
        state = policy.observe(state, idle_s)
    return state


def misses(idle_times: list[float], state: Learnt) -> list[bool]:
    """Which of these calls are cold, the policy learning from each."""
    cold = []
    for idle_s in idle_times:
        cold.append(not warm(rule.decide(state), idle_s))
        state = rule.observe(state, idle_s)
    return cold


def test_an_unknown_function_is_kept_for_some_minutes() -> None:
    decision = rule.decide(after([]))
    assert decision.prewarm_after_s == 0
    assert 2 * MINUTE_S < decision.end_s < HOUR_S


def test_an_hourly_timer_is_met_with_a_few_minutes_of_memory_an_hour() -> None:
    assert misses([HOUR_S] * 10, after([])) == [True] + [False] * 9
    decision = rule.decide(after([HOUR_S] * 10))
    assert decision.reason == "expected later"
    assert idle_cost_s(decision, HOUR_S) < 6 * MINUTE_S


def test_a_nightly_job_is_expected_like_any_other() -> None:
    assert misses([24 * HOUR_S] * 5, after([])) == [True] + [False] * 4
    assert idle_cost_s(rule.decide(after([24 * HOUR_S] * 5)), 24 * HOUR_S) < 2 * HOUR_S


def test_bursts_a_fixed_time_apart_get_both_windows() -> None:
    bursts = [2 * MINUTE_S] * 4 + [3 * HOUR_S]
    decision = rule.decide(after(bursts * 6))
    assert 2 * MINUTE_S <= decision.linger_s < 10 * MINUTE_S
    assert warm(decision, 3 * HOUR_S)
    assert not warm(decision, HOUR_S)


def test_a_new_period_is_learnt_and_the_old_one_fades() -> None:
    state = after([30 * MINUTE_S] * 200)
    later = after([30 * MINUTE_S] * 200 + [90 * MINUTE_S] * 12)
    assert not warm(rule.decide(state), 90 * MINUTE_S)
    assert warm(rule.decide(later), 90 * MINUTE_S)
    forgotten = after([30 * MINUTE_S] * 200 + [90 * MINUTE_S] * 600)
    assert not warm(rule.decide(forgotten), 30 * MINUTE_S)


def test_a_large_function_that_comes_at_random_and_rarely_is_not_waited_for() -> None:
    # Without memory, every 40 hours on average: the quantiles of that distribution, shuffled.
    rare = [-40 * HOUR_S * log(1 - (0.5 + 17 * number % 50) / 50) for number in range(50)]
    assert idle_cost_s(rule.decide(after(rare, subject=Subject(memory_mb=1024))), 1e6) <= 2 * HOUR_S


def test_a_small_function_is_held_when_the_price_is_less_than_its_share_of_cold_calls() -> None:
    rare = [-40 * HOUR_S * log(1 - (0.5 + 17 * number % 50) / 50) for number in range(50)]
    own, total = after(rare), after(rare, Hazard(fairness=0.0))
    assert idle_cost_s(rule.decide(own), 40 * HOUR_S) == 40 * HOUR_S
    assert idle_cost_s(rule.decide(total), 40 * HOUR_S) <= 2 * HOUR_S


def test_a_time_seen_once_speaks_for_those_near_it() -> None:
    once = after([40 * MINUTE_S], Hazard(price=2.0))
    alone = after([40 * MINUTE_S], Hazard(price=2.0, kinship=0.0))
    assert warm(rule.decide(once), 48 * MINUTE_S)
    assert not warm(rule.decide(alone), 48 * MINUTE_S)


def test_a_cold_start_counts_less_when_many_calls_follow_it() -> None:
    idle_times = [MINUTE_S * (1 + number * 7 % 45) for number in range(60)]
    lone, crowd, throng = after(idle_times), after([]), after([])
    for idle_s in idle_times:
        crowd = rule.observe(rule.observe(crowd, idle_s), 1.0, 3)
        throng = rule.observe(rule.observe(throng, idle_s), 1.0, 1000)
    held = [idle_cost_s(rule.decide(state), HOUR_S) for state in (lone, crowd, throng)]
    assert held[0] > held[1]
    assert held[1] == pytest.approx(held[2], rel=0.1)


@pytest.mark.parametrize(
    ("cheap", "dear"),
    [
        (Subject(memory_mb=128), Subject(memory_mb=1024)),
        (Subject(start_ms=1000), Subject(start_ms=20)),
    ],
)
def test_memory_shortens_and_slow_starts_lengthen_what_is_kept(cheap: Subject, dear: Subject) -> None:
    idle_times = [MINUTE_S * (1 + number * 7 % 45) for number in range(60)]
    kept = rule.decide(after(idle_times, subject=cheap))
    dropped = rule.decide(after(idle_times, subject=dear))
    assert idle_cost_s(kept, HOUR_S) > idle_cost_s(dropped, HOUR_S)


@given(histories)
def test_a_decision_is_sensible_whatever_was_seen(history: list[float]) -> None:
    decision = rule.decide(after(history))
    assert decision.linger_s >= 0
    assert decision.prewarm_after_s == 0 or decision.linger_s < decision.prewarm_after_s
    assert decision.keep_alive_s >= 0
    assert decision.end_s <= rule.edges[-1]
    assert warm(decision, rule.settle_s)


def test_the_higher_the_price_the_shorter_an_unknown_function_is_kept() -> None:
    held = [Hazard(price=price).start(Subject()).decision.end_s for price in (0.01, 0.1, 1.0, 10.0)]
    assert held == sorted(set(held), reverse=True)
    assert held[-1] == rule.settle_s


@given(histories, st.integers(0, 60), st.integers(1, 5))
def test_idle_times_up_to_a_minute_are_held_and_only_counted(history: list[float], idle_s: int, count: int) -> None:
    state = after(history)
    assert rule.steady(state, idle_s)
    assert rule.observe(state, idle_s, count) == state._replace(calls=state.calls + count)
    assert idle_cost_s(rule.decide(state), idle_s) == idle_s


@given(histories, st.floats(60.1, 1e6), st.integers(1, 20))
def test_a_batch_is_the_same_as_one_by_one(history: list[float], idle_s: float, count: int) -> None:
    assert rule.observe(after(history), idle_s, count) == after([*history, *[idle_s] * count])


@given(histories)
def test_the_state_survives_being_stored_and_its_sum_is_kept(history: list[float]) -> None:
    state = after(history)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=Learnt) == state
    assert state.total == pytest.approx(sum(state.weights))
    assert list(state.bins) == sorted(set(state.bins))


def test_a_timer_takes_little_to_remember() -> None:
    assert len(msgspec.msgpack.encode(after([HOUR_S] * 50))) < 160
    busy = after([60.5 * 1.013**number for number in range(500)])
    assert len(msgspec.msgpack.encode(busy)) < 2500


def test_observations_fade_so_that_their_number_is_bounded() -> None:
    state = after([5 * MINUTE_S] * 5000)
    assert rule.memory / 2 <= state.total <= rule.memory


def test_parameters_without_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="price"):
        Hazard(price=0)
    with pytest.raises(ValueError, match="ratio"):
        Hazard(ratio=1.0)
    with pytest.raises(ValueError, match="start_ms"):
        rule.start(Subject(start_ms=0))


def test_names_say_the_price() -> None:
    assert Hazard(price=0.25).name == "hazard 0.25"


@given(histories)
def test_it_does_not_matter_when_a_start_was_measured(history: list[float]) -> None:
    measured = Subject(256.0, 900.0)
    later = rule.about(after(history), measured)
    assert rule.decide(later) == rule.decide(rule.about(after(history, subject=measured), measured))
    assert later.weights == after(history).weights


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.integers(0, 30))
def test_what_is_spread_keeps_its_sum_and_its_place(row: list[float], reach: int) -> None:
    result = spread(row, reach)
    assert len(result) == len(row)
    assert sum(result) == pytest.approx(sum(row), abs=1e-6)
    assert min(result) > -1e-9
    if not reach:
        assert result == pytest.approx(row, abs=1e-6)


def test_what_is_spread_falls_linearly_on_both_sides() -> None:
    row = [0.0] * 11
    row[5] = 9.0
    assert spread(row, 2) == pytest.approx([0, 0, 0, 1, 2, 3, 2, 1, 0, 0, 0])
