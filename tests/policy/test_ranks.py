"""The order of waiting tasks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.ranks import LEAST, MOST, POINT_S, rank

priorities = st.integers(LEAST, MOST)
moments = st.floats(1.6e9, 2.0e9)


@given(priorities, priorities, moments)
def test_of_tasks_accepted_together_the_higher_priority_goes_first(one: int, other: int, at: float) -> None:
    assert (rank(one, at) > rank(other, at)) == (one > other)


@given(priorities, moments, priorities)
def test_whatever_comes_later_than_its_priority_is_worth_stays_behind(low: int, at: float, high: int) -> None:
    later = at + (max(0, high - low) + 1) * POINT_S
    assert rank(high, later) <= rank(low, at)


@given(priorities, moments, st.floats(0, 1e6))
def test_of_equal_priorities_the_older_is_never_behind(priority: int, at: float, later_s: float) -> None:
    assert rank(priority, at) >= rank(priority, at + later_s)


@pytest.mark.parametrize("priority", [LEAST - 1, MOST + 1])
def test_a_priority_out_of_bounds_is_refused(priority: int) -> None:
    with pytest.raises(ValueError, match="between -100 and 100"):
        rank(priority, 0.0)
