"""How many batches of a source are worked on at once."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.pollers import MOST, MOST_AHEAD, Bounds, Pollers, Seen, ahead, begin, bounds, step

BUSY = Seen(1.0, busy=True, throttles=0, failing=False, mean_s=0.1)
IDLE = BUSY._replace(busy=False)


def test_a_queue_is_worked_on_in_five_batches_at_first_and_in_five_more_each_second() -> None:
    now = begin(bounds())
    assert now.allowed == 5
    for expected in (10, 15, 20):
        now = step(now, BUSY, bounds())
        assert now.allowed == expected


def test_after_five_minutes_of_a_long_queue_there_are_as_many_batches_as_there_may_be() -> None:
    now = begin(bounds())
    for _ in range(300):
        now = step(now, BUSY, bounds())
    assert now.allowed == MOST


def test_an_idle_queue_comes_back_to_what_it_began_with() -> None:
    now = Pollers(100.0)
    for _ in range(30):
        now = step(now, IDLE, bounds())
    assert now.allowed == 5


def test_throttles_halve_what_is_allowed_down_to_one_batch() -> None:
    now = Pollers(40.0)
    for expected in (20, 10, 5, 2.5, 1.25, 1, 1):
        now = step(now, BUSY._replace(throttles=3), bounds())
        assert now.allowed == expected


def test_a_function_that_fails_on_everything_is_given_less_and_less() -> None:
    assert step(Pollers(40.0), BUSY._replace(failing=True), bounds()).allowed == 20


def test_what_was_throttled_recovers_when_nothing_is_throttled_any_more() -> None:
    assert step(Pollers(1.0), IDLE, bounds()).allowed == 5


def test_nothing_is_added_while_batches_take_much_longer_than_they_did() -> None:
    now = step(Pollers(20.0), BUSY._replace(mean_s=0.1), bounds())
    crowded = step(now, BUSY._replace(mean_s=1.0), bounds())
    assert crowded.allowed == now.allowed


def test_a_function_that_became_slower_for_good_grows_again_after_a_while() -> None:
    now = step(Pollers(20.0), BUSY._replace(mean_s=0.1), bounds())
    for _ in range(60):
        now = step(now, BUSY._replace(mean_s=1.0), bounds())
    assert now.allowed > 25


def test_a_maximum_of_two_is_never_passed() -> None:
    now = begin(bounds(max_concurrency=2))
    for _ in range(10):
        assert now.allowed == 2
        now = step(now, BUSY, bounds(max_concurrency=2))


def test_provisioned_pollers_are_there_from_the_start_and_come_three_times_as_fast() -> None:
    limits = bounds(pollers=(2, 4))
    assert begin(limits).allowed == 20
    assert step(begin(limits), BUSY, limits).allowed > 36
    assert step(Pollers(39.0), BUSY, limits).allowed == 40
    assert step(Pollers(20.0), IDLE, limits).allowed == 20


@given(
    allowed=st.floats(1, MOST),
    best_s=st.none() | st.floats(0.001, 900),
    elapsed_s=st.floats(0, 10),
    busy=st.booleans(),
    throttles=st.integers(0, 100),
    failing=st.booleans(),
    mean_s=st.none() | st.floats(0.001, 900),
    least=st.integers(1, 50),
    more=st.integers(0, 1000),
)
def test_there_is_always_room_for_one_batch_and_never_for_more_than_may_be(
    allowed: float,
    best_s: float | None,
    elapsed_s: float,
    busy: bool,
    throttles: int,
    failing: bool,
    mean_s: float | None,
    least: int,
    more: int,
) -> None:
    limits = Bounds(least, least + more)
    after = step(Pollers(min(allowed, limits.most), best_s), Seen(elapsed_s, busy, throttles, failing, mean_s), limits)
    assert 1 <= after.allowed <= limits.most
    assert after.best_s is None or mean_s is None or after.best_s <= max(mean_s, best_s or 0)


def test_short_batches_are_read_ahead_and_long_ones_are_not() -> None:
    assert ahead(5.0, None) == 0
    assert ahead(5.0, 0.2) == 0
    assert ahead(5.0, 0.05) == 5
    assert ahead(5.0, 0.01) == 25
    assert ahead(1250.0, 0.0) == MOST_AHEAD
