"""Keep-alive told as a story on a clock that stands still."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.policy.keepalive import Idle, Sweep, fixed, sweep


def idle(name: str, since: float) -> Idle:
    return Idle(name, "target", since, memory_mb=128, position=0)


def test_instances_are_dropped_one_by_one_as_they_fall_due(clock: ManualClock) -> None:
    policy = fixed(300)
    first = idle("first", clock.monotonic())
    clock.advance(100)
    second = idle("second", clock.monotonic())

    clock.advance(199)
    assert sweep([first, second], policy, clock.monotonic()) == Sweep([], 300)
    clock.advance(1)
    assert sweep([first, second], policy, clock.monotonic()) == Sweep(["first"], 400)
    clock.advance(100)
    assert sweep([second], policy, clock.monotonic()) == Sweep(["second"], None)
    assert sweep([], policy, clock.monotonic()) == Sweep([], None)


def test_a_call_in_between_starts_the_time_again(clock: ManualClock) -> None:
    clock.advance(299)
    used_again = idle("only", clock.monotonic())
    clock.advance(1)
    assert sweep([used_again], fixed(300), clock.monotonic()) == Sweep([], 599)


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        fixed(-1)


@given(st.lists(st.floats(0, 1e6)), st.floats(0, 1e6), st.floats(0, 1e6))
def test_after_the_announced_moment_at_least_one_more_is_dropped(since: list[float], keep_s: float, now: float) -> None:
    instances = [idle(str(number), moment) for number, moment in enumerate(since)]
    found = sweep(instances, fixed(keep_s), now)
    assert (found.next_at is None) == (len(found.drop) == len(instances))
    if found.next_at is not None:
        assert found.next_at > now
        assert len(sweep(instances, fixed(keep_s), found.next_at).drop) > len(found.drop)


def test_an_instance_that_expires_is_dropped_then_whatever_the_policy_says() -> None:
    expiring = idle("old", 0.0)._replace(expires_at=50.0)
    assert sweep([expiring], fixed(300), 49.0) == Sweep([], 50.0)
    assert sweep([expiring], fixed(300), 50.0) == Sweep(["old"], None)
