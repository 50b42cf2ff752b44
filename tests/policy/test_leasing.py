"""Another lease is asked for at once, or after a pause that is short beside what it saves."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.leasing import IDLE_S, PAUSE_S, SHORT_S, average_s, patience_s, worth_asking

SECONDS = st.floats(0, 100)
COUNTS = st.integers(0, 1000)


@given(SECONDS, COUNTS, COUNTS)
def test_whoever_was_never_refused_asks_at_once(took_s: float, waiting: int, busy: int) -> None:
    assert patience_s(took_s=took_s, waiting=waiting, busy=busy, refused_s=math.inf) == 0


@given(st.floats(SHORT_S, 100, exclude_min=True), COUNTS, COUNTS, SECONDS)
def test_where_calls_take_long_nobody_waits_for_their_end(took_s: float, waiting: int, busy: int, ago: float) -> None:
    assert patience_s(took_s=took_s, waiting=waiting, busy=busy, refused_s=ago) == 0


@given(SECONDS, COUNTS, COUNTS, SECONDS)
def test_no_more_calls_wait_than_there_are_busy_leases(took_s: float, waiting: int, busy: int, ago: float) -> None:
    assert waiting <= busy or patience_s(took_s=took_s, waiting=waiting, busy=busy, refused_s=ago) == 0


@given(SECONDS, COUNTS, COUNTS, SECONDS)
def test_the_pause_ends_in_time(took_s: float, waiting: int, busy: int, ago: float) -> None:
    assert 0 <= patience_s(took_s=took_s, waiting=waiting, busy=busy, refused_s=ago) <= max(0.0, PAUSE_S - ago)


def test_short_calls_wait_for_one_another_right_after_a_refusal() -> None:
    assert patience_s(took_s=0.001, waiting=2, busy=4, refused_s=0.0) == PAUSE_S


@given(st.floats(0, 10), st.floats(0, 10))
def test_the_average_lies_between_what_was_and_what_is(before: float, took: float) -> None:
    assert average_s(math.inf, took) == took
    assert min(before, took) - 1e-9 <= average_s(before, took) <= max(before, took) + 1e-9


def test_a_lease_is_asked_for_where_it_would_still_be_there() -> None:
    assert worth_asking(IDLE_S)
    assert not worth_asking(IDLE_S * 1.01)
    assert not worth_asking(math.inf)
