"""Which calls are traced."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.sampling import RATE, decide

times = st.floats(0, 4e9, allow_nan=False)
draws = st.floats(0, 1, exclude_max=True)


@given(st.lists(st.tuples(times, draws), max_size=50))
def test_the_first_call_of_a_second_is_traced_and_of_the_others_those_that_chance_takes(
    calls: list[tuple[float, float]],
) -> None:
    second, firsts = -1, set[int]()
    for now, draw in sorted(calls):
        decided = decide(second, now, draw)
        first = int(now) not in firsts
        assert decided.yes is (first or draw < RATE)
        firsts.add(int(now))
        second = decided.second


@given(times, times, draws)
def test_a_clock_that_goes_back_gives_no_second_twice(now: float, earlier: float, draw: float) -> None:
    earlier = min(now, earlier)
    assert decide(int(now), earlier, draw).yes is (draw < RATE)
