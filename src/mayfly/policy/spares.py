"""How many spares a target is worth: sandboxes, forked and isolated ahead, that wait for their first frame. Pure.

A spare costs some megabytes and saves a start what its fork and its isolation take. What a target needs follows from
the starts that calls waited for: each adds one to its *heat*, of which half is gone after `HALF_LIFE_S`. Half of the
heat is kept as spares, so that a burst like the last one finds some of what it needs, and a trickle finds the one that
it uses. One stays for `LINGER_S`, because a function that was called now and then will be.
"""

from collections.abc import Sequence
from math import ceil, exp2, log2
from typing import NamedTuple

HALF_LIFE_S = 30.0
LINGER_S = 1800.0
MOST = 32  # of one target


class Demand(NamedTuple):
    """What is remembered of a target's starts."""

    heat: float  # at the time of the last start
    at: float  # when that was; monotonic seconds


class Want(NamedTuple):
    """What one target would have."""

    key: str
    spares: int
    at: float  # of its last start


def started(before: Demand | None, now: float) -> Demand:
    """A call waited for an instance to start."""
    return Demand(1.0 + (_heat(before, now) if before is not None else 0.0), now)


def wanted(demand: Demand, now: float) -> int:
    """How many spares the target is worth now."""
    if now - demand.at >= LINGER_S:
        return 0
    return min(MOST, max(1, ceil(_heat(demand, now) / 2)))


def changes_at(demand: Demand, now: float) -> float:
    """When `wanted` will be less than it is now, if nothing starts before; infinite when it is 0."""
    spares = wanted(demand, now)
    if spares == 0:
        return float("inf")
    if spares == 1:
        return demand.at + LINGER_S
    cools_at = demand.at + HALF_LIFE_S * log2(demand.heat / (2 * (spares - 1)))
    return min(cools_at, demand.at + LINGER_S)


def allot(wants: Sequence[Want], most: int) -> dict[str, int]:
    """How many each target gets when all together may have `most`: one each, the last to start first, then the next
    one each, until there is no more."""
    latest = sorted(wants, key=lambda want: want.at, reverse=True)
    given = {want.key: 0 for want in latest}
    left, turn = most, 0
    while left > 0:
        hungry = [want.key for want in latest if want.spares > turn]
        if not hungry:
            break
        for key in hungry[:left]:
            given[key] += 1
        left -= len(hungry)
        turn += 1
    return given


def _heat(demand: Demand, now: float) -> float:
    return demand.heat * exp2(-max(0.0, now - demand.at) / HALF_LIFE_S)
