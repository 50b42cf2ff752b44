"""Target tracking and step scaling, as stories in virtual minutes and as properties."""

from math import ceil, inf

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.tracking import Bounds, Since, Step, Steps, Tracking, step, track

BOUNDS = Bounds(1, 100)
SEVENTY = Tracking(0.7)
parts = st.lists(st.floats(0, 1), max_size=20)


def test_three_minutes_above_the_target_scale_out_to_where_the_last_would_have_met_it() -> None:
    assert track([1.0, 1.0], 10, BOUNDS, SEVENTY, Since(), 0) == 10
    assert track([0.9, 0.8, 1.0], 10, BOUNDS, SEVENTY, Since(), 0) == 15  # 10 / 0.7
    assert track([1.0, 0.7, 1.0], 10, BOUNDS, SEVENTY, Since(), 0) == 10
    assert track([0.71] * 3, 1, BOUNDS, SEVENTY, Since(), 0) == 2
    assert track([1.0] * 3, 90, BOUNDS, SEVENTY, Since(), 0) == 100


def test_fifteen_minutes_below_nine_tenths_of_it_scale_in_to_the_highest_of_them() -> None:
    assert track([0.1] * 14, 10, BOUNDS, SEVENTY, Since(), 0) == 10
    assert track([0.1] * 14 + [0.35], 10, BOUNDS, SEVENTY, Since(), 0) == 5
    assert track([0.64] * 15, 10, BOUNDS, SEVENTY, Since(), 0) == 10
    assert track([0.0] * 15, 10, BOUNDS, SEVENTY, Since(), 0) == 1
    assert track([0.0] * 15, 10, BOUNDS, Tracking(0.7, scales_in=False), Since(), 0) == 10


def test_a_cooldown_holds_back_what_is_not_further_out_than_the_last_change() -> None:
    wanted = Tracking(0.5, out_cooldown_s=300, in_cooldown_s=300)
    since = Since(out_at=1000, out_to=20)
    assert track([0.8] * 3, 10, BOUNDS, wanted, since, 1100) == 10  # 16 are on their way
    assert track([1.0] * 3, 15, BOUNDS, wanted, since, 1100) == 30
    assert track([0.8] * 3, 10, BOUNDS, wanted, since, 1300) == 16
    assert track([0.0] * 15, 10, BOUNDS, wanted, since, 1100) == 10
    assert track([0.0] * 15, 10, BOUNDS, wanted, since, 1300) == 1


@given(parts, st.integers(0, 200), st.integers(0, 50), st.integers(0, 100), st.floats(0.1, 0.9))
def test_the_capacity_stays_between_its_bounds_and_moves_towards_the_target(
    readings: list[float], capacity: int, least: int, more: int, target: float
) -> None:
    bounds = Bounds(least, least + more)
    after = track(readings, capacity, bounds, Tracking(target), Since(), 0)
    assert bounds.least <= after <= bounds.most
    before = bounds.within(capacity)
    if after > before:
        assert min(readings[-3:]) > target
        assert after <= ceil(before * readings[-1] / target) + 1
    if after < before:
        assert max(readings[-15:]) < target


STEPS = Steps("ChangeInCapacity", (Step(0, 10, 1), Step(10, inf, 5), Step(-inf, 0, -1)), cooldown_s=60)


def test_how_far_beyond_the_threshold_says_which_step_is_taken() -> None:
    assert step(0.0, 10, BOUNDS, STEPS, Since(), 0) == 11
    assert step(9.9, 10, BOUNDS, STEPS, Since(), 0) == 11
    assert step(10.0, 10, BOUNDS, STEPS, Since(), 0) == 15
    assert step(-3.0, 10, BOUNDS, STEPS, Since(), 0) == 9
    assert step(5.0, 10, BOUNDS, Steps("ExactCapacity", (Step(0, inf, 40),)), Since(), 0) == 40
    assert step(-5.0, 10, BOUNDS, Steps("ExactCapacity", (Step(0, inf, 40),)), Since(), 0) == 10


def test_a_step_by_per_cent_is_rounded_as_aws_does_and_as_large_as_the_least_magnitude() -> None:
    def after(capacity: int, percent: int, least: int = 0) -> int:
        wanted = Steps("PercentChangeInCapacity", (Step(-inf, inf, percent),), least)
        return step(1.0, capacity, BOUNDS, wanted, Since(), 0)

    assert (after(10, 25), after(10, 1), after(10, -1), after(10, -25)) == (12, 11, 9, 8)
    assert (after(10, 1, 3), after(10, -1, 3)) == (13, 7)


def test_steps_cool_down_unless_a_larger_one_is_due() -> None:
    since = Since(out_at=100, out_to=11)
    assert step(5.0, 10, BOUNDS, STEPS, since, 130) == 10
    assert step(50.0, 11, BOUNDS, STEPS, since, 130) == 16
    assert step(-5.0, 11, BOUNDS, STEPS, since, 130) == 11
    assert step(-5.0, 11, BOUNDS, STEPS, since, 160) == 10
