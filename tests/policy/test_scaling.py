"""Scenarios and properties of the scaling decision."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.scaling import Demand, Reject, Start, Use, Wait, decide, uses

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
    accepted=st.booleans(),
    call_after_s=st.sampled_from([0.0, 0.0, 0.1]),
    scaling_after_s=st.sampled_from([0.0, 0.0, 0.3]),
    instances=numbers,
    most_instances=st.none() | numbers,
    coming=st.integers(-3, 3),
    standing_mb=st.integers(0, 500),
    turn=st.booleans(),
    places=st.integers(0, 3),
    memory_patience_s=st.floats(-1, 10),
    start_patience_s=st.floats(-1, 60),
    wake_mb=st.just(0) | st.integers(0, 500),
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


def test_a_frozen_instance_runs_again_only_where_memory_suffices() -> None:
    frozen = QUIET._replace(idle=1, wake_mb=120, free_mb=120)
    assert decide(frozen) == Use()
    assert decide(frozen._replace(free_mb=100, evictable_mb=20)) == Use(evict_mb=20)
    short = frozen._replace(free_mb=100, evictable_mb=19, memory_patience_s=4.0)
    assert decide(short) == Reject("memory", 8)
    assert decide(short._replace(places=1)) == Wait(4.0, "memory")
    assert decide(short._replace(wake_mb=0)) == Use()


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
    if isinstance(decision, Reject) and decision.scope in {"function", "account"}:
        assert not below


@given(demands)
def test_memory_is_never_promised_twice(demand: Demand) -> None:
    decision = decide(demand)
    if isinstance(decision, Start | Use):
        assert decision.evict_mb <= demand.evictable_mb
        need_mb = demand.need_mb if isinstance(decision, Start) else demand.wake_mb
        assert need_mb == 0 or demand.free_mb + decision.evict_mb >= need_mb


@given(demands)
def test_an_instance_is_used_only_if_there_is_one_and_started_only_if_there_is_none(demand: Demand) -> None:
    decision = decide(demand)
    assert isinstance(decision, Use) <= (demand.idle > 0)
    assert isinstance(decision, Start) <= (demand.idle == 0)
    assert isinstance(decision, Wait) <= (demand.idle == 0 or demand.wake_mb > max(0, demand.free_mb))


def test_calls_that_come_too_fast_are_refused_even_where_an_instance_is_idle() -> None:
    fast = QUIET._replace(idle=1, call_after_s=0.2, call_rate=50)
    assert decide(fast) == Reject("account-rate", 50, 0.2)
    assert decide(fast._replace(reserved=5)) == Reject("function-rate", 50, 0.2)
    assert decide(fast._replace(accepted=True)) == Use()


def test_a_function_that_grows_too_fast_is_refused_new_calls_and_accepted_ones_wait() -> None:
    fast = QUIET._replace(scaling_after_s=0.01, scaling_limit=1000)
    assert decide(fast) == Reject("scaling", 1000, 0.01)
    assert decide(fast._replace(accepted=True)) == Wait(0.01, "scaling")
    assert decide(fast._replace(idle=1)) == Use()


def test_a_target_has_no_more_instances_than_it_may_have() -> None:
    full = QUIET._replace(instances=3, most_instances=3)
    assert decide(full) == Reject("instances", 3)
    assert decide(full._replace(instances=2)) == Start()
    assert decide(full._replace(idle=1)) == Use()


def test_a_call_waits_for_an_instance_that_starts_ahead_of_calls_where_there_may_be_no_other() -> None:
    full = QUIET._replace(instances=3, most_instances=3, start_patience_s=60.0)
    assert decide(full) == Reject("instances", 3)
    assert decide(full._replace(coming=1)) == Wait(60.0, "instances")
    assert decide(full._replace(accepted=True)) == Wait(60.0, "instances")
    assert decide(full._replace(coming=1, start_patience_s=0.0)) == Reject("instances", 3)


def test_a_call_waits_for_memory_where_there_is_a_place_and_time() -> None:
    short = QUIET._replace(free_mb=0, memory_patience_s=4.0, places=1)
    assert decide(short) == Wait(4.0, "memory")
    assert decide(short._replace(places=0)) == Reject("memory", 8)
    assert decide(short._replace(places=0, accepted=True)) == Wait(4.0, "memory")
    assert decide(short._replace(memory_patience_s=0.0)) == Reject("memory", 8)


def test_a_call_does_not_wait_for_memory_that_can_never_be_free() -> None:
    large = QUIET._replace(free_mb=100, need_mb=900, standing_mb=200, memory_patience_s=4.0, places=1)
    assert decide(large) == Reject("memory", 1)
    assert decide(large._replace(standing_mb=124)) == Wait(4.0, "memory")


def test_a_call_waits_for_its_turn_to_start_an_instance() -> None:
    crowd = QUIET._replace(turn=False, most_starting=16, start_patience_s=60.0)
    assert decide(crowd) == Wait(60.0, "processors")
    assert decide(crowd._replace(start_patience_s=0.0)) == Reject("processors", 16)
    assert decide(crowd._replace(idle=1)) == Use()


@given(demands)
def test_waiting_is_bounded_and_only_what_was_accepted_waits_without_a_place(demand: Demand) -> None:
    decision = decide(demand)
    if isinstance(decision, Wait):
        assert decision.at_most_s > 0
        assert decision.lacking != "memory" or demand.accepted or demand.places > 0
        assert decision.lacking != "instances" or demand.accepted or demand.coming > 0


@given(demands, st.integers(1, 1000))
def test_more_memory_never_turns_a_call_away(demand: Demand, more_mb: int) -> None:
    demand = demand._replace(start_patience_s=1.0)
    if not isinstance(decide(demand), Reject):
        assert not isinstance(decide(demand._replace(free_mb=demand.free_mb + more_mb)), Reject)


@given(demands)
def test_the_plain_case_is_decided_as_any_other(demand: Demand) -> None:
    idle = demand._replace(idle=max(1, demand.idle), call_after_s=0.0)
    if idle.reserved is not None:
        calls, limit = idle.function_calls, idle.reserved
    else:
        calls, limit = idle.unreserved_calls, idle.unreserved_limit
    assert uses(calls, limit, idle.wake_mb, idle.free_mb) == (decide(idle) == Use())
