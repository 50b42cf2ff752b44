"""How many spares a target is worth, from its recent starts."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import spares
from mayfly.policy.spares import Demand, Want

times = st.lists(st.floats(0.0, 10_000.0), min_size=1, max_size=60).map(sorted)


def after(starts: list[float]) -> Demand:
    demand = None
    for at in starts:
        demand = spares.started(demand, at)
    assert demand is not None
    return demand


def test_one_start_is_worth_one_spare_for_half_an_hour() -> None:
    demand = after([100.0])
    assert [spares.wanted(demand, at) for at in (100.0, 1899.9, 1900.0)] == [1, 1, 0]


def test_a_burst_is_worth_half_of_its_size_and_fades() -> None:
    demand = after([0.0] * 40)
    assert [spares.wanted(demand, at) for at in (0.0, 30.0, 60.0, 90.0, 300.0)] == [20, 10, 5, 3, 1]


def test_no_target_is_worth_more_than_a_limit() -> None:
    assert spares.wanted(after([0.0] * 1000), 0.0) == spares.MOST


def test_a_start_every_few_minutes_keeps_one() -> None:
    assert spares.wanted(after([float(at) for at in range(0, 7200, 240)]), 7200.0) == 1


@given(times, st.floats(0.0, 4000.0))
def test_what_a_target_is_worth_never_grows_by_itself(starts: list[float], later: float) -> None:
    demand = after(starts)
    now = demand.at + later
    assert spares.wanted(demand, now) <= spares.wanted(demand, demand.at)


@given(times, st.floats(0.0, 4000.0))
def test_what_a_target_is_worth_stays_until_it_is_said_to_change(starts: list[float], later: float) -> None:
    demand = after(starts)
    now = demand.at + later
    worth, changes_at = spares.wanted(demand, now), spares.changes_at(demand, now)
    if worth == 0:
        assert changes_at == float("inf")
        return
    assert changes_at >= now - 0.001
    assert spares.wanted(demand, max(now, changes_at - 0.001)) == worth
    assert spares.wanted(demand, changes_at + 0.001) < worth


wants = st.lists(st.tuples(st.integers(0, 40), st.floats(0.0, 100.0)), max_size=12).map(
    lambda pairs: [Want(f"t{number}", worth, at) for number, (worth, at) in enumerate(pairs)]
)


@given(wants, st.integers(0, 100))
def test_what_is_given_is_wanted_and_there(asked: list[Want], most: int) -> None:
    given_ = spares.allot(asked, most)
    assert sum(given_.values()) == min(most, sum(want.spares for want in asked))
    assert all(given_[want.key] <= want.spares for want in asked)


@given(wants, st.integers(0, 100))
def test_nobody_has_two_more_than_another_who_wants_more(asked: list[Want], most: int) -> None:
    given_ = spares.allot(asked, most)
    unsatisfied = [given_[want.key] for want in asked if given_[want.key] < want.spares]
    assert not unsatisfied or max(given_.values()) <= min(unsatisfied) + 1


def test_the_last_to_start_comes_first() -> None:
    asked = [Want("old", 1, 1.0), Want("new", 3, 3.0), Want("middle", 2, 2.0)]
    assert spares.allot(asked, 2) == {"new": 1, "middle": 1, "old": 0}
    assert spares.allot(asked, 4) == {"new": 2, "middle": 1, "old": 1}
