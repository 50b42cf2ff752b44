"""Retries told as stories, and the bounds of every delay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.retry import GiveUp, Retry, after_failure, after_throttle, backoff

fractions = st.floats(0, 1)


def test_a_failing_function_is_tried_after_one_minute_and_after_two_more() -> None:
    assert after_failure(1, age_s=0) == Retry(60)
    assert after_failure(2, age_s=60) == Retry(120)
    assert after_failure(3, age_s=180) == GiveUp("retries-exhausted")


def test_no_retries_at_all_can_be_asked_for() -> None:
    assert after_failure(1, age_s=0, max_retries=0) == GiveUp("retries-exhausted")


def test_an_event_that_will_be_too_old_is_given_up() -> None:
    assert after_failure(1, age_s=1, max_age_s=60) == GiveUp("too-old")
    assert after_failure(1, age_s=0, max_age_s=60) == Retry(60)


def test_a_throttled_event_is_tried_more_and_more_rarely_for_six_hours() -> None:
    age_s = 0.0
    delays: list[float] = []
    while isinstance(decision := after_throttle(len(delays) + 1, age_s), Retry):
        delays.append(decision.delay_s)
        age_s += decision.delay_s

    assert decision == GiveUp("too-old")
    assert delays[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert age_s == 6 * 3600


@given(st.integers(1, 10**9), st.floats(0, 21_599), fractions)
def test_a_throttled_event_is_never_retried_at_once_or_after_its_end(throttles: int, age_s: float, j: float) -> None:
    decision = after_throttle(throttles, age_s, jitter=j)
    assert isinstance(decision, Retry)
    assert 0.5 <= decision.delay_s <= 300
    assert age_s + decision.delay_s <= 21_600 + 1e-6


@given(st.integers(1, 10**9), st.floats(0.001, 10), st.floats(10, 1000), fractions, fractions)
def test_backoff_lies_between_its_spread_and_its_most(
    attempt: int, first_s: float, most_s: float, jitter: float, spread: float
) -> None:
    delay_s = backoff(attempt, first_s, most_s, jitter, spread)
    full_s = backoff(attempt, first_s, most_s)
    assert full_s <= most_s
    assert full_s * (1 - spread) * (1 - 1e-9) <= delay_s <= full_s
    assert backoff(attempt + 1, first_s, most_s) >= full_s


@pytest.mark.parametrize(("attempt", "jitter"), [(0, 1.0), (1, 1.1), (1, -0.1)])
def test_senseless_arguments_are_refused(attempt: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="not"):
        backoff(attempt, 1, 10, jitter)
