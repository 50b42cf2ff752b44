"""Sending calls ahead to busy instances: only where every observed call was short, and never many."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.queueing import (
    BEFORE_START_US,
    BESIDE_IDLE_US,
    ENOUGH,
    FORGOTTEN,
    LONG_US,
    MOST,
    MOST_WANTED,
    SHORT_US,
    STUCK_S,
    UNKNOWN,
    Pace,
    goes_ahead,
    noted,
)

SHORT = st.floats(0, SHORT_US)
ANY = st.floats(0, 1e9)


def after(calls: list[float]) -> Pace:
    pace = UNKNOWN
    for took_us in calls:
        pace = noted(pace, took_us)
    return pace


@given(st.lists(ANY, max_size=50), st.floats(SHORT_US, 1e9, exclude_min=True), st.lists(SHORT, max_size=ENOUGH - 1))
def test_one_call_that_is_not_short_keeps_the_next_ones_from_waiting_behind_each_other(
    before: list[float], slow: float, since: list[float]
) -> None:
    assert not goes_ahead(after([*before, slow, *since]), 1, 0.0, idle=False)


@given(st.lists(SHORT, min_size=ENOUGH, max_size=ENOUGH + 20), st.integers(1, 20), st.booleans())
def test_what_waits_is_bounded_by_what_was_observed(calls: list[float], queued: int, idle: bool) -> None:
    pace = after(calls)
    if goes_ahead(pace, queued, 0.0, idle=idle):
        assert queued < MOST
        assert queued * pace.typical_us <= (BESIDE_IDLE_US if idle else BEFORE_START_US)
        assert not goes_ahead(pace, queued, STUCK_S * 1.01, idle=idle)
        assert goes_ahead(pace, max(1, queued - 1), 0.0, idle=idle)


@given(st.lists(st.sampled_from([10.0, SHORT_US * 2, LONG_US * 2]), max_size=300))
def test_each_long_call_has_four_times_as_many_short_ones_asked_for(calls: list[float]) -> None:
    pace = UNKNOWN
    for took_us in calls:
        before, pace = pace, noted(pace, took_us)
        if took_us > LONG_US:
            assert pace.wanted == min(before.wanted * 4, MOST_WANTED)
        else:
            assert pace.wanted in (before.wanted, before.wanted // 2)
        assert ENOUGH <= pace.wanted <= MOST_WANTED


def test_a_function_with_long_calls_now_and_then_has_next_to_none_wait_behind_them() -> None:
    pace, behind = UNKNOWN, 0
    for number in range(100_000):
        long = number % 100 == 99
        behind += long and goes_ahead(pace, 1, 0.0, idle=False)
        pace = noted(pace, 1_000_000.0 if long else 20.0)
    assert behind <= 1


def test_long_calls_are_forgotten_after_many_short_ones() -> None:
    pace = noted(UNKNOWN, LONG_US * 2)
    assert pace.wanted == 4 * ENOUGH
    for _ in range(3 * FORGOTTEN * pace.wanted):
        pace = noted(pace, 10.0)
    assert pace.wanted == ENOUGH


@given(st.lists(SHORT, min_size=1, max_size=60))
def test_what_is_typical_lies_between_what_was_seen(calls: list[float]) -> None:
    assert min(calls) * 0.999 - 1e-9 <= after(calls).typical_us <= max(calls) * 1.001 + 1e-9


def test_calls_of_some_microseconds_wait_for_each_other_rather_than_wake_an_idle_instance() -> None:
    pace = after([10.0] * ENOUGH)
    assert [goes_ahead(pace, queued, 0.001, idle=True) for queued in (1, 7, 8)] == [True, True, False]


def test_calls_of_a_fifth_of_a_millisecond_wait_only_where_nobody_is_idle() -> None:
    pace = after([200.0] * ENOUGH)
    assert not goes_ahead(pace, 1, 0.001, idle=True)
    assert [goes_ahead(pace, queued, 0.001, idle=False) for queued in (1, 5, 6)] == [True, True, False]
