"""How many requests pass."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.http.throttles import Bucket, bucket


def test_a_bucket_holds_a_burst_and_fills_at_its_rate() -> None:
    found = Bucket(2.0, 3)
    assert [found.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [found.take(10.5), found.take(10.5)] == [True, False]
    assert [found.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_settings_without_limits_need_no_bucket() -> None:
    assert bucket({"DetailedMetricsEnabled": True}) is None
    found = bucket({"ThrottlingBurstLimit": 0, "ThrottlingRateLimit": 0.0})
    assert found is not None
    assert not found.take(1.0)


@given(
    st.floats(0.1, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 0.5), max_size=60),
)
def test_never_more_pass_than_rate_and_burst_allow(rate: float, burst: int, steps: list[float]) -> None:
    found, now, passed = Bucket(rate, burst), 0.0, 0
    for step in steps:
        now += step
        passed += found.take(now)
        assert passed <= burst + rate * now + 1e-6
