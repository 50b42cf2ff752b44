"""A processor goes with 1,769 MB; starting, and answering shortly, take as much as there is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import processors, queueing
from mayfly.policy.processors import Grant


@pytest.mark.parametrize(
    ("memory_mb", "share"), [(128, 0.0724), (884, 0.4997), (1769, 1.0), (3538, 2.0), (10_240, 5.788), (20_000, 6.0)]
)
def test_processors_go_with_memory_as_on_aws(memory_mb: int, share: float) -> None:
    assert processors.share(memory_mb) == pytest.approx(share, rel=0.001)


def test_an_instance_that_runs_several_calls_has_what_its_author_chose() -> None:
    assert processors.share(8192, 4.0) == 2.0


def test_the_owner_of_the_machine_may_give_everybody_more() -> None:
    assert processors.share(128, least=1.0) == 1.0
    assert processors.share(3538, least=1.0) == 2.0


def test_who_starts_has_a_whole_processor_at_least() -> None:
    assert processors.at_start(0.07) == 1.0
    assert processors.at_start(2.0) == 2.0


def after(*calls_us: float, grant: Grant = processors.NONE) -> Grant:
    """The grant after calls of these lengths."""
    for took_us in calls_us:
        grant = processors.noted(grant, took_us)
    return grant


SHORTLY = after(*[50.0] * processors.SHORT_CALLS)


def test_who_answers_shortly_has_it_again() -> None:
    assert processors.allowed(0.07, after(*[50.0] * (processors.SHORT_CALLS - 1))) == 0.07
    assert processors.allowed(0.07, SHORTLY) == 1.0


@pytest.mark.parametrize("long_us", [10_001.0, 90_000.0, math.inf])
def test_one_long_call_takes_it_away(long_us: float) -> None:
    lost = after(long_us, grant=SHORTLY)
    assert processors.allowed(0.07, lost) == 0.07
    assert processors.allowed(0.07, after(*[50.0] * processors.SHORT_CALLS, grant=lost)) == 1.0


def test_a_call_now_and_then_that_a_busy_machine_made_longer_does_not() -> None:
    grant = SHORTLY
    for _ in range(100):
        grant = after(*[400.0] * 9, 9_000.0, grant=grant)
        assert grant.whole


@given(st.lists(st.floats(0, 1e6), max_size=200))
def test_calls_that_are_not_short_on_average_do(before: list[float]) -> None:
    assert not after(*before, *[5_000.0] * 30).whole


@given(st.lists(st.one_of(st.floats(0, 1e6), st.just(math.inf)), max_size=200))
def test_it_is_never_held_after_a_long_call_and_always_after_short_ones(before: list[float]) -> None:
    assert not after(*before, queueing.LONG_US + 1).whole
    assert after(*before, *[queueing.SHORT_US] * (processors.SHORT_CALLS + 30)).whole


def test_of_who_is_lent_one_short_call_is_enough() -> None:
    assert processors.allowed_lent(0.07, processors.NONE) == 0.07
    assert processors.allowed_lent(0.07, after(50.0)) == 1.0
    assert processors.allowed_lent(0.07, after(*[3_000.0], grant=SHORTLY)) == 1.0
    assert processors.allowed_lent(0.07, after(3_000.0)) == 0.07
