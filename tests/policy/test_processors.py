"""A processor goes with 1,769 MB; starting, and answering shortly, take as much as there is."""

import pytest

from mayfly.policy import processors, queueing
from mayfly.policy.queueing import Pace


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


def test_who_answers_shortly_keeps_it_until_a_call_is_not_short() -> None:
    pace = queueing.UNKNOWN
    for _ in range(processors.SHORT_CALLS - 1):
        pace = queueing.noted(pace, 50.0)
    assert processors.allowed(0.07, pace) == 0.07
    pace = queueing.noted(pace, 50.0)
    assert processors.allowed(0.07, pace) == 1.0
    pace = queueing.noted(pace, 90_000.0)
    assert processors.allowed(0.07, pace) == 0.07


def test_of_who_is_lent_the_last_call_that_was_seen_decides() -> None:
    assert processors.allowed_lent(0.07, queueing.UNKNOWN) == 0.07
    assert processors.allowed_lent(0.07, Pace(short=1)) == 1.0
