"""The turns of an alias that shares its calls between two versions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions.canary import Canary, shared

STARTS = st.integers(0, 2**64 - 1)
WEIGHTS = st.floats(0, 1)


@given(WEIGHTS, STARTS, st.integers(1, 3000))
def test_the_share_is_exact_to_a_few_calls_after_any_number_of_them(weight: float, start: int, calls: int) -> None:
    canary = Canary(weight, start)
    seconds = sum(canary.second() for _ in range(calls))
    assert abs(seconds - calls * weight) <= 2 + math.log2(calls + 1)


@given(WEIGHTS, STARTS, st.integers(0, 2000), st.integers(100, 1000))
def test_the_share_holds_in_every_stretch_of_calls(weight: float, start: int, skipped: int, calls: int) -> None:
    canary = Canary(weight, start)
    for _ in range(skipped):
        canary.second()
    seconds = sum(canary.second() for _ in range(calls))
    assert abs(seconds - calls * weight) <= 2 + math.log2(calls + 1)


@given(STARTS)
def test_nothing_and_everything_are_exactly_that(start: int) -> None:
    none, all_ = Canary(0.0, start), Canary(1.0, start)
    assert not any(none.second() for _ in range(1000))
    assert all(all_.second() for _ in range(1000))


@given(STARTS)
def test_clients_that_alternate_both_see_both_versions(start: int) -> None:
    canary = Canary(0.5, start)
    turns = [canary.second() for _ in range(400)]
    for mine in (turns[::2], turns[1::2]):
        assert 0.35 < sum(mine) / len(mine) < 0.65


@given(WEIGHTS, STARTS)
def test_the_same_start_gives_the_same_turns(weight: float, start: int) -> None:
    one, two = Canary(weight, start), Canary(weight, start)
    assert [one.second() for _ in range(50)] == [two.second() for _ in range(50)]


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Canary(weight, 0)


@given(st.integers(0, 1000), WEIGHTS)
def test_instances_are_shared_without_one_too_many(instances: int, weight: float) -> None:
    first, second = shared(instances, weight)
    assert min(first, second) >= 0
    assert first + second == instances
    assert abs(second - instances * weight) <= 0.5 + 1e-9
