"""The grace before an idle instance is frozen."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.freezing import FIRST_S, MOST_S, WORTH_S, held_mb, next_grace_s

gaps = st.floats(0.0, 100.0)


def replay(idle_times: list[float]) -> list[float]:
    """How long each freeze lasted of an instance that is called after these times of rest."""
    grace_s, lasted = FIRST_S, []
    for idle_s in idle_times:
        if idle_s > grace_s:
            lasted.append(idle_s - grace_s)
            grace_s = next_grace_s(grace_s, lasted[-1])
    return lasted


@given(st.lists(gaps, max_size=200))
def test_the_grace_keeps_within_its_bounds(idle_times: list[float]) -> None:
    grace_s = FIRST_S
    for idle_s in idle_times:
        grace_s = next_grace_s(grace_s, idle_s)
        assert FIRST_S <= grace_s <= MOST_S


@given(st.lists(gaps | st.floats(0.0, 8.0), max_size=300))
def test_however_calls_come_an_instance_is_not_thrashed(idle_times: list[float]) -> None:
    """One that was not worth it doubles the grace, five times at most, unless one that was halved it before."""
    lasted = replay(idle_times)
    worth = sum(seconds >= WORTH_S for seconds in lasted)
    behind_the_longest_grace = sum(idle_times) / MOST_S
    assert len(lasted) - worth <= 5 + worth + behind_the_longest_grace
    assert worth <= sum(idle_times) / WORTH_S


@given(st.floats(0.001, MOST_S / 2))
def test_calls_at_even_gaps_within_the_longest_grace_soon_meet_no_freeze(gap_s: float) -> None:
    lasted = replay([gap_s] * 1000)
    assert sum(seconds < WORTH_S for seconds in lasted) <= 6
    assert all(seconds >= WORTH_S for seconds in lasted[6:])


def test_an_instance_that_is_called_now_and_then_is_frozen_as_soon_as_a_new_one() -> None:
    assert replay([60.0] * 3) == [60.0 - FIRST_S] * 3


def test_the_grace_of_a_function_that_was_busy_goes_back_when_it_no_longer_is() -> None:
    grace_s = MOST_S
    for _ in range(5):
        grace_s = next_grace_s(grace_s, 30.0)
    assert grace_s == FIRST_S


@given(st.integers(1, 10_240), st.integers(0, 20 << 30))
def test_a_frozen_instance_counts_with_the_most_it_had_and_never_with_more_than_it_may_have(
    limit_mb: int, peak_bytes: int
) -> None:
    held = held_mb(limit_mb, peak_bytes)
    assert 1 <= held <= limit_mb
    assert held == limit_mb or (peak_bytes > 0 and held << 20 >= peak_bytes)


def test_an_instance_of_which_no_peak_is_known_counts_in_full() -> None:
    assert (held_mb(128, 0), held_mb(128, 1), held_mb(128, 5 << 20), held_mb(128, (5 << 20) + 1)) == (128, 1, 5, 6)
