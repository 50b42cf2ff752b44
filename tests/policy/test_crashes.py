"""Code that ends its instances is started again ever later, up to a bound, and at once when it has answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import crashes
from mayfly.policy.crashes import NONE, Streak, left_s, noted, pause_s

counted = st.sampled_from(sorted(crashes.COUNTED))


def after(ended: int, now: float = 100.0) -> Streak:
    streak = NONE
    for number in range(ended):
        streak = noted(streak, f"instance-{number}", "exited", now)
    return streak


def test_the_first_ones_cost_nothing_and_each_further_one_twice_as_much_up_to_a_second() -> None:
    assert [round(pause_s(ended), 3) for ended in range(9)] == [0, 0, 0, 0, 0.1, 0.2, 0.4, 0.8, 1]


@given(ended=st.integers(0, 10**9))
def test_a_pause_grows_and_has_a_bound(ended: int) -> None:
    assert 0 <= pause_s(ended) <= pause_s(ended + 1) <= crashes.MOST_S


def test_the_pause_begins_when_the_last_instance_ended() -> None:
    streak = after(5, now=100.0)
    assert left_s(streak, waited_s=0.0, now=100.05) == pytest.approx(0.15)
    assert left_s(streak, waited_s=0.0, now=100.2) == pytest.approx(0.0)


@given(failure=st.sampled_from([None, "raised"]), ended=st.integers(0, 20))
def test_an_answer_ends_the_streak_and_so_does_an_exception_that_the_instance_survived(
    failure: str | None, ended: int
) -> None:
    assert noted(after(ended), "another", failure, 101.0) == NONE


@given(failure=st.sampled_from(["timeout", "init-timeout", "restore-timeout"]), ended=st.integers(0, 20))
def test_what_takes_too_long_changes_nothing(failure: str, ended: int) -> None:
    assert noted(after(ended), "another", failure, 101.0) == after(ended)


@given(failure=counted)
def test_calls_that_end_with_one_instance_count_once(failure: str) -> None:
    streak = noted(NONE, "one", failure, 1.0)
    assert noted(streak, "one", failure, 2.0) == streak
    assert noted(streak, "two", failure, 2.0).ended == 2


@given(
    ended=st.integers(0, 50),
    waited_s=st.floats(0, 1000),
    since_s=st.floats(0, 1000),
)
def test_no_call_waits_longer_than_it_has_patience(ended: int, waited_s: float, since_s: float) -> None:
    left = left_s(after(ended), waited_s, 100.0 + since_s)
    assert 0 <= left <= max(0.0, crashes.PATIENCE_S - waited_s)
    assert left <= crashes.MOST_S
