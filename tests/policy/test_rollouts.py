"""Rollouts in virtual time: in which steps a version takes over, and what takes it back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.rollouts import (
    Arrived,
    GoBack,
    Limits,
    Observed,
    Shape,
    Shift,
    Stay,
    at_least,
    decide,
    judge,
    parse,
    steps,
)

NOTHING = Observed()
NO_LIMITS = Limits()


def told(shape: Shape, limits: Limits = NO_LIMITS, every_s: float = 30.0) -> list[tuple[float, float]]:
    """When which share was given to a version with which nothing is wrong, looked at every `every_s`."""
    share, now = 0.0, 0.0
    found: list[tuple[float, float]] = []
    for _ in range(1000):
        decision = decide(shape, limits, share, now, Observed(1000, 0, 10.0), ())
        if isinstance(decision, Arrived):
            return found
        if isinstance(decision, Shift):
            share = decision.share
            found.append((now, round(share, 6)))
            continue
        assert isinstance(decision, Stay)
        assert decision.until_s > now
        now = min(decision.until_s, now + every_s)
    raise AssertionError("never arrived")


def test_a_canary_waits_once() -> None:
    assert told(parse("canary", "10%/5m")) == [(0.0, 0.1), (300.0, 1.0)]


def test_a_linear_rollout_takes_equal_steps() -> None:
    assert told(parse("linear", "25%/1m")) == [(0.0, 0.25), (60.0, 0.5), (120.0, 0.75), (180.0, 1.0)]
    assert [round(step.share, 3) for step in steps(parse("linear", "30%/1m"))] == [0.3, 0.6, 0.9, 1.0]
    assert len(steps(parse("linear", "10%/1m"))) == 10


def test_all_at_once_is_one_step() -> None:
    assert told(Shape("all-at-once")) == [(0.0, 1.0)]


def test_a_look_that_comes_late_takes_one_step_at_a_time() -> None:
    shape = parse("linear", "25%/1m")
    assert decide(shape, NO_LIMITS, 0.25, 10_000.0, NOTHING, ()) == Shift(0.5, 10_060.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_an_alarm_takes_it_back_at_any_step(share: float) -> None:
    decision = decide(parse("canary", "10%/5m"), NO_LIMITS, share, 20.0, NOTHING, ("b", "a"))
    assert decision == GoBack("alarm", "One or more alarms have been activated: a, b")


def test_one_error_in_ten_may_be_chance_while_a_step_lasts_and_is_too_much_at_its_end() -> None:
    shape, limits, seen = parse("canary", "10%/5m"), Limits(max_errors=0.01), Observed(10, 1, 5.0)
    assert decide(shape, limits, 0.1, 20.0, seen, ()) == Stay(300.0)
    decision = decide(shape, limits, 0.1, 300.0, seen, ())
    assert decision == GoBack("errors", "1 of 10 calls of the new version failed (10.00%); 1.00% may.")


def test_many_errors_take_it_back_at_once() -> None:
    shape, limits = parse("canary", "10%/5m"), Limits(max_errors=0.01)
    assert isinstance(decide(shape, limits, 0.1, 2.0, Observed(10, 3, 5.0), ()), GoBack)
    assert isinstance(decide(shape, Limits(max_errors=0.0), 0.1, 2.0, Observed(1000, 1, 5.0), ()), GoBack)


def test_errors_within_the_limit_are_let_through() -> None:
    shape, limits = parse("canary", "10%/5m"), Limits(max_errors=0.01)
    assert decide(shape, limits, 0.1, 300.0, Observed(100, 1, 5.0), ()) == Shift(1.0, 300.0)


def test_a_slow_version_is_taken_back_once_there_were_calls_enough() -> None:
    shape, limits = parse("canary", "10%/5m"), Limits(max_latency_ms=100.0)
    assert decide(shape, limits, 0.1, 2.0, Observed(5, 0, 900.0), ()) == Stay(300.0)
    found = decide(shape, limits, 0.1, 2.0, Observed(20, 0, 900.0), ())
    assert isinstance(found, GoBack)
    assert found.cause == "latency"
    assert isinstance(decide(shape, limits, 0.1, 300.0, Observed(5, 0, 900.0), ()), GoBack)


def test_the_last_step_is_looked_at_once_more() -> None:
    bad = Observed(100, 50, 5.0)
    assert isinstance(decide(Shape("all-at-once"), Limits(max_errors=0.1), 1.0, 0.0, bad, ()), GoBack)
    assert decide(Shape("all-at-once"), NO_LIMITS, 1.0, 0.0, bad, ()) == Arrived()


@pytest.mark.parametrize("text", ["", "10", "10%", "0%/5m", "100%/5m", "10%/0m", "10%/5", "10%/3000m", "-1%/5m"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"step|not a part"):
        parse("canary", text)


@given(st.integers(1, 400), st.floats(0.001, 0.999), st.data())
def test_the_tail_is_the_binomial_one(calls: int, rate: float, data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, calls))
    exact = math.fsum(math.comb(calls, k) * rate**k * (1 - rate) ** (calls - k) for k in range(errors, calls + 1))
    assert at_least(errors, calls, rate) == pytest.approx(exact, rel=1e-6, abs=1e-9)


@given(st.integers(0, 5000), st.integers(0, 5000), st.floats(0, 1))
def test_what_is_thrown_out_early_would_be_thrown_out_at_the_end(calls: int, errors: int, limit: float) -> None:
    seen, limits = Observed(calls, min(errors, calls), None), Limits(max_errors=limit)
    if judge(limits, seen, final=False) is not None:
        assert judge(limits, seen, final=True) is not None


@given(st.floats(0.5, 99.5), st.floats(1, 1000))
def test_every_rollout_arrives_and_shares_only_rise(percent: float, every_s: float) -> None:
    for kind in ("canary", "linear"):
        shares = [share for _, share in told(Shape(kind, percent, every_s), every_s=every_s)]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
