"""Whether a call gets an idle instance, a new one, a place in the queue, or a refusal.

A pure function over a small snapshot; the engine takes the snapshot and carries the decision out before anything else
runs on its loop, and the simulator replays traces through the same function. *Concurrency* is the number of calls
accepted and not yet ended, whether they run, wait for their instance to start, or wait for one to fall idle; idle
instances do not count. This is how AWS Lambda defines it.

A limit that somebody set is answered at once, as AWS does it: whoever calls too much is told so. A shortage of the
machine itself, which AWS hides from its customers, is waited out for a while instead.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

# Whose limit: of the function (calls at a time, calls a second, instances started a second, instances of one target),
# of the account (calls at a time, calls a second), of the machine (memory, its turn among those who start instances).
Scope = Literal[
    "function", "function-rate", "scaling", "instances", "fleet", "account", "account-rate", "memory", "processors"
]
# What a call waits for.
Shortage = Literal["start", "room", "instances", "scaling", "memory", "processors"]


class Demand(NamedTuple):
    """What is known at the moment of a call. A tuple: one is made for every call that `uses` does not cover."""

    idle: int  # instances of the target that are idle, or run calls and have room for another
    function_calls: int  # calls of the function under way
    reserved: int | None  # the function's own limit
    unreserved_calls: int  # calls under way of all functions that have no limit of their own
    unreserved_limit: int  # what the account leaves them
    need_mb: int  # memory of one more instance
    free_mb: int  # budget less what living instances hold; below zero after the budget shrank
    evictable_mb: int  # memory of idle instances of other targets
    budget_mb: int
    start_after_s: float = 0.0  # starting failed a moment ago: how long until it may be tried again
    room_to_come: int = 0  # calls for which instances that start will have room, beyond those who wait for it
    accepted: bool = False  # decided about before, and waiting since
    call_after_s: float = 0.0  # calls came too fast: how long until the next may
    call_rate: int = 0  # calls a second that the limit which says so allows
    scaling_after_s: float = 0.0  # the function's instances were started too fast: how long until the next may be
    scaling_limit: int = 0  # how many may be started at once
    instances: int = 0  # of the target, that live or start
    most_instances: int | None = None  # of the target
    fleet: float | None = None  # processors for all instances of its fleet, where it is these that bound its own
    coming: int = 0  # instances of the target that start for no call yet, beyond the calls that wait
    standing_mb: int = 0  # of instances that are provisioned: held whatever happens
    turn: bool = True  # the processors have room for one more start, and nobody waits who comes first
    most_starting: int = 0  # instances that may be started at the same time
    places: int = 0  # in the queue for memory, for this function
    memory_patience_s: float = 0.0  # how much longer the call may wait for memory
    start_patience_s: float = 0.0  # how much longer for its turn
    wake_mb: int = 0  # memory that the idle instance which is next needs beyond what it holds, because it is frozen


@dataclass(frozen=True, slots=True)
class Use:
    """Hand the call to the most recently used idle instance: the others age out, and its caches are the warmest."""

    evict_mb: int = 0  # memory to take from other idle instances first, because it is frozen


@dataclass(frozen=True, slots=True)
class Start:
    """Start an instance for the call."""

    evict_mb: int = 0  # memory to take from idle instances of other targets first


@dataclass(frozen=True, slots=True)
class Wait:
    """Queue the call: until an instance of its target falls idle, at most for `at_most_s`, then decide again."""

    at_most_s: float
    lacking: Shortage = "start"


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse the call."""

    scope: Scope
    limit: int  # what the scope allows
    retry_after_s: float | None = None  # when it is of use to try again, where that is known


Decision = Use | Start | Wait | Reject

_USE = Use()
_START = Start()


def decide(demand: Demand) -> Decision:
    """What to do with one call.

    1. A limit on concurrency, or on calls a second, is reached: reject, even if an instance is idle (limits may be
       lowered).
    2. An instance is idle, or runs calls and has room for another: use it; if it is frozen, when memory suffices for
       it, as for one that starts. If one starts and will have room: wait for it.
    3. The last start failed moments ago: wait, so that a machine in trouble is not asked in a tight loop.
    4. The function may not have one more instance, or not so soon: reject; but a call that was accepted waits, and so
       does one for which an instance starts that is made ahead of calls.
    5. Memory suffices, possibly after evicting, and it is this call's turn: start.
    6. Otherwise wait, if there is a place to wait and any use in it, else reject.
    """
    if (refused := _beyond_limits(demand)) is not None:
        return refused
    if demand.idle:
        return _wake(demand) if demand.wake_mb else _USE
    if demand.room_to_come > 0:
        return Wait(math.inf, "room")
    if demand.start_after_s > 0:
        return Wait(demand.start_after_s)
    if demand.most_instances is not None and demand.instances >= demand.most_instances:
        if (demand.accepted or demand.coming > 0) and demand.start_patience_s > 0:
            return Wait(demand.start_patience_s, "instances")
        if demand.fleet is not None:
            return Reject("fleet", int(demand.fleet))
        return Reject("instances", demand.most_instances)
    if demand.scaling_after_s > 0:
        if demand.accepted:
            return Wait(demand.scaling_after_s, "scaling")
        return Reject("scaling", demand.scaling_limit, demand.scaling_after_s)
    short_mb = demand.need_mb - demand.free_mb
    if short_mb > demand.evictable_mb:
        return _without_memory(demand)
    if not demand.turn:
        if demand.start_patience_s > 0:
            return Wait(demand.start_patience_s, "processors")
        return Reject("processors", demand.most_starting)
    return _START if short_mb <= 0 else Start(evict_mb=short_mb)


def uses(calls: int, limit: int, wake_mb: int, free_mb: int) -> bool:
    """Whether `decide` says `Use()` by these alone, where the rate of calls is not limited and an instance is idle.

    So it is for nearly all calls, and nothing else need be looked up then. `calls` are under way of those that count
    against `limit`: the function's own, else what the account leaves.
    """
    return calls < limit and (wake_mb <= 0 or wake_mb <= free_mb)


def _wake(demand: Demand) -> Decision:
    short_mb = demand.wake_mb - demand.free_mb
    if short_mb <= 0:
        return _USE
    return Use(evict_mb=short_mb) if short_mb <= demand.evictable_mb else _without_memory(demand)


def _beyond_limits(demand: Demand) -> Reject | None:
    own = demand.reserved is not None
    if demand.reserved is not None:
        if demand.function_calls >= demand.reserved:
            return Reject("function", demand.reserved)
    elif demand.unreserved_calls >= demand.unreserved_limit:
        return Reject("account", demand.unreserved_limit)
    if demand.call_after_s > 0 and not demand.accepted:
        return Reject("function-rate" if own else "account-rate", demand.call_rate, demand.call_after_s)
    return None


def _without_memory(demand: Demand) -> Wait | Reject:
    """Waiting is of use only where other instances will end, and needs a place unless the call has one already."""
    fits = demand.need_mb <= demand.budget_mb - demand.standing_mb
    if fits and demand.memory_patience_s > 0 and (demand.accepted or demand.places > 0):
        return Wait(demand.memory_patience_s, "memory")
    return Reject("memory", demand.budget_mb // demand.need_mb)
