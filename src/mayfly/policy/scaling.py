"""Whether a call gets an idle instance, a new one, a place in the queue, or a refusal.

A pure function over a small snapshot; the engine takes the snapshot and carries the decision out before anything else
runs on its loop, and the simulator replays traces through the same function. *Concurrency* is the number of calls
accepted and not yet ended, whether they run, wait for their instance to start, or wait for one to fall idle; idle
instances do not count. This is how AWS Lambda defines it.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Scope = Literal["function", "account", "memory"]


class Demand(NamedTuple):
    """What is known at the moment of a call. A tuple, because one is made for every call."""

    idle: int  # idle instances of the target
    function_calls: int  # calls of the function under way
    reserved: int | None  # the function's own limit
    unreserved_calls: int  # calls under way of all functions that have no limit of their own
    unreserved_limit: int  # what the account leaves them
    need_mb: int  # memory of one more instance
    free_mb: int  # budget less what living instances hold; below zero after the budget shrank
    evictable_mb: int  # memory of idle instances of other targets
    budget_mb: int
    start_after_s: float = 0.0  # starting failed a moment ago: how long until it may be tried again


@dataclass(frozen=True, slots=True)
class Use:
    """Hand the call to the most recently used idle instance: the others age out, and its caches are the warmest."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start an instance for the call."""

    evict_mb: int = 0  # memory to take from idle instances of other targets first


@dataclass(frozen=True, slots=True)
class Wait:
    """Queue the call: until an instance of its target falls idle, at most for `at_most_s`, then decide again."""

    at_most_s: float


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse the call."""

    scope: Scope
    limit: int  # concurrent instances that the scope allows


Decision = Use | Start | Wait | Reject

_USE = Use()
_START = Start()


def decide(demand: Demand) -> Decision:
    """What to do with one call.

    1. A limit on concurrency is reached: reject, even if an instance is idle (the limit was lowered).
    2. An instance is idle: use it.
    3. The last start failed moments ago: wait, so that a machine in trouble is not asked in a tight loop.
    4. Memory suffices, possibly after evicting: start.
    5. Otherwise reject.
    """
    if demand.reserved is not None:
        if demand.function_calls >= demand.reserved:
            return Reject("function", demand.reserved)
    elif demand.unreserved_calls >= demand.unreserved_limit:
        return Reject("account", demand.unreserved_limit)
    if demand.idle:
        return _USE
    if demand.start_after_s > 0:
        return Wait(demand.start_after_s)
    short_mb = demand.need_mb - demand.free_mb
    if short_mb <= 0:
        return _START
    if short_mb <= demand.evictable_mb:
        return Start(evict_mb=short_mb)
    return Reject("memory", demand.budget_mb // demand.need_mb)
