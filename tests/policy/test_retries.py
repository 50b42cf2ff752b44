"""Retries in phases: how many, and after how long."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.retries import GROWTHS, Growth, Phases, delay_s, total_s


@st.composite
def phases(draw: st.DrawFn) -> Phases:
    at_once, at_least, growing, at_most = (draw(st.integers(0, 12)) for _ in range(4))
    least = draw(st.integers(1, 50))
    return Phases(
        at_once + at_least + growing + at_most,
        at_once,
        at_least,
        at_most,
        float(least),
        float(least + draw(st.integers(0, 500))),
        draw(st.sampled_from(GROWTHS)),
    )


def delays(policy: Phases) -> list[float]:
    found: list[float] = []
    while (delay := delay_s(policy, len(found) + 1)) is not None:
        found.append(delay)
    return found


def test_by_default_there_are_three_retries_twenty_seconds_apart() -> None:
    assert delays(Phases()) == [20.0, 20.0, 20.0]


def test_the_phases_follow_one_another() -> None:
    policy = Phases(9, at_once=2, at_least=2, at_most=2, least_s=10, most_s=40, growth="linear")
    assert delays(policy) == [0, 0, 10, 10, 10, 25, 40, 40, 40]


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        ("linear", [8, 16, 24, 32]),
        ("arithmetic", [8, 12, 20, 32]),
        ("geometric", [8, 12.7, 20.16, 32]),
        ("exponential", [8, 11.43, 18.29, 32]),
    ],
)
def test_delays_grow_as_their_function_says(growth: Growth, expected: list[float]) -> None:
    policy = replace(Phases(4, least_s=8, most_s=32), growth=growth)
    assert delays(policy) == pytest.approx(expected, abs=0.01)


@given(phases())
def test_there_are_as_many_retries_as_the_policy_says_and_delays_never_shrink(policy: Phases) -> None:
    found = delays(policy)
    assert len(found) == policy.retries
    assert found == sorted(found)
    assert found[: policy.at_once] == [0.0] * policy.at_once
    assert all(policy.least_s <= one <= policy.most_s + 1e-9 for one in found[policy.at_once :])
    assert total_s(policy) == pytest.approx(sum(found))


def test_the_greatest_delay_is_none_that_was_rounded_up() -> None:
    policy = Phases(3, at_most=1, least_s=11.0, most_s=444.0, growth="geometric")
    assert delays(policy) == [11.0, 444.0, 444.0]


@given(st.sampled_from(GROWTHS), st.integers(2, 100), st.integers(1, 20), st.integers(0, 3580))
def test_growth_begins_at_the_least_and_ends_at_the_greatest(growth: Growth, count: int, least: int, more: int) -> None:
    policy = replace(Phases(count, least_s=least, most_s=least + more), growth=growth)
    found = delays(policy)
    assert (found[0], found[-1]) == pytest.approx((least, least + more))


@given(st.integers(3, 60), st.integers(1, 20), st.integers(1, 500))
def test_linear_grows_fastest_at_first_and_exponential_slowest(count: int, least: int, more: int) -> None:
    linear, arithmetic, exponential = (
        delays(replace(Phases(count, least_s=least, most_s=least + more), growth=growth))
        for growth in ("linear", "arithmetic", "exponential")
    )
    for at in range(count):
        assert linear[at] >= arithmetic[at] - 1e-9
        assert arithmetic[at] >= exponential[at] - 1e-9


def test_retries_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        delay_s(Phases(), 0)
