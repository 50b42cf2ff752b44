"""Token buckets in virtual time."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.rates import Bucket, Rate, full_at, level, take, wait_s

TEN = Rate(burst=10, per_s=2)
rates = st.builds(Rate, burst=st.floats(1, 1000), per_s=st.floats(0.01, 1000))


def test_a_burst_may_be_taken_at_once_and_then_one_at_a_time() -> None:
    bucket: Bucket | None = None
    for _ in range(10):
        assert wait_s(bucket, TEN, 5.0) == 0
        bucket = take(bucket, TEN, 5.0)
    assert wait_s(bucket, TEN, 5.0) == 0.5
    assert wait_s(bucket, TEN, 5.5) == 0


def test_what_is_not_used_is_not_saved_up() -> None:
    assert level(take(None, TEN, 0.0), TEN, 1e6) == 10


def test_what_was_taken_all_the_same_is_owed() -> None:
    bucket = Bucket(0.0, 0.0)
    assert wait_s(take(bucket, TEN, 0.0), TEN, 0.0) == 1.0


@given(rates, st.lists(st.floats(0, 5), max_size=200))
def test_no_more_is_taken_than_the_burst_and_the_rate_allow(rate: Rate, pauses: list[float]) -> None:
    bucket, now, taken = None, 0.0, 0
    for pause in pauses:
        now += pause
        if wait_s(bucket, rate, now) == 0:
            bucket = take(bucket, rate, now)
            taken += 1
        assert taken <= rate.burst + rate.per_s * now + 1e-6 * (1 + taken)


@given(rates, st.floats(-5, 1), st.floats(0, 1e4))
def test_after_the_time_that_it_says_there_is_one(rate: Rate, tokens: float, at: float) -> None:
    bucket = Bucket(tokens, at)
    later = at + wait_s(bucket, rate, at)
    assert level(bucket, rate, later) >= 1 - 1e-6 * max(1, later * rate.per_s)
    assert level(bucket, rate, full_at(bucket, rate)) >= rate.burst * (1 - 1e-6) - 1e-6 * at * rate.per_s
