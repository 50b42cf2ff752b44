"""Scenarios and properties of the scaling decision."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.scaling import Demand, Reject, Start, Use, Wait, decide

QUIET = Demand(
    idle=0,
    function_calls=0,
    reserved=None,
    unreserved_calls=0,
    unreserved_limit=1000,
    need_mb=128,
    free_mb=1024,
    evictable_mb=0,
    budget_mb=1024,
)
numbers = st.integers(0, 50)
demands = st.builds(
    Demand,
    idle=numbers,
    function_calls=numbers,
    reserved=st.none() | numbers,
    unreserved_calls=numbers,
    unreserved_limit=numbers,
    need_mb=st.integers(1, 500),
    free_mb=st.integers(-500, 1000),
    evictable_mb=st.integers(0, 1000),
    budget_mb=st.integers(0, 1000),
    start_after_s=st.sampled_from([0.0, 0.0, 1.5]),
)


def test_a_first_call_starts_an_instance() -> None:
    assert decide(QUIET) == Start()


def test_an_idle_instance_is_used() -> None:
    assert decide(QUIET._replace(idle=1)) == Use()


def test_an_idle_instance_needs_no_free_memory() -> None:
    assert decide(QUIET._replace(idle=1, free_mb=0)) == Use()


def test_a_full_account_rejects_functions_without_a_reservation_only() -> None:
    full = QUIET._replace(unreserved_calls=1000)
    assert decide(full) == Reject("account", 1000)
    assert decide(full._replace(reserved=5, function_calls=4)) == Start()
    assert decide(full._replace(reserved=5, function_calls=5)) == Reject("function", 5)


def test_a_limit_that_was_lowered_holds_although_instances_are_idle() -> None:
    assert decide(QUIET._replace(idle=3, reserved=2, function_calls=2)) == Reject("function", 2)


def test_short_memory_is_taken_from_idle_instances_of_others() -> None:
    assert decide(QUIET._replace(free_mb=100, evictable_mb=28)) == Start(evict_mb=28)
    assert decide(QUIET._replace(free_mb=100, evictable_mb=27)) == Reject("memory", 8)


def test_after_a_failed_start_calls_wait_but_idle_instances_are_still_used() -> None:
    troubled = QUIET._replace(start_after_s=0.4)
    assert decide(troubled) == Wait(0.4)
    assert decide(troubled._replace(idle=1)) == Use()


@given(demands)
def test_a_call_is_taken_only_below_its_limit(demand: Demand) -> None:
    below = (
        demand.function_calls < demand.reserved
        if demand.reserved is not None
        else demand.unreserved_calls < demand.unreserved_limit
    )
    decision = decide(demand)
    assert below or isinstance(decision, Reject)
    if isinstance(decision, Reject) and decision.scope != "memory":
        assert not below


@given(demands)
def test_memory_is_never_promised_twice(demand: Demand) -> None:
    decision = decide(demand)
    if isinstance(decision, Start):
        assert decision.evict_mb <= demand.evictable_mb
        assert demand.free_mb + decision.evict_mb >= demand.need_mb


@given(demands)
def test_an_instance_is_used_only_if_there_is_one_and_started_only_if_there_is_none(demand: Demand) -> None:
    decision = decide(demand)
    assert isinstance(decision, Use) <= (demand.idle > 0)
    assert isinstance(decision, Start | Wait) <= (demand.idle == 0)


@given(demands, st.integers(1, 1000))
def test_more_memory_never_turns_a_call_away(demand: Demand, more_mb: int) -> None:
    if not isinstance(decide(demand), Reject):
        assert not isinstance(decide(demand._replace(free_mb=demand.free_mb + more_mb)), Reject)
