"""Whose waiting call gets the next instance, and whose memory is beyond its share, when there is not enough for all.

Two things are short at different times: memory, and the processors, which making instances takes. Both are shared by
*dominant resource fairness* (Ghodsi et al., NSDI 2011): what a function has of the machine at a moment is the larger of
its part of the memory and its part of the starts under way. That is added up over time, old use counting less, and the
function that has had the least is next. So one that floods the machine gets what the others leave, one that is always
about to start instances which never become ready pays with its part of the starts, and one whose instances are large
waits longer but not for ever.

The one that is next is waited for: others do not overtake it because theirs are smaller, or a large instance would
never start. If it gives up waiting, what it was waited for counts as if it had had it.

How memory ought to be shared between functions that want more than there is, *max-min fair*, says `shares`.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

# After so long, what a function had counts half. Long beside the time that an instance takes to start, so that turns
# even out; short beside the patience of people.
HALF_LIFE_S = 10.0
# By how much a function must have had more than another to begin to end instances for it that still have calls to run,
# so that two that want everything take turns instead of ending each other's instances after every call.
SLICE_S = 0.5


class Had(NamedTuple):
    """What a function has had, in seconds of the whole machine, up to a moment."""

    used_s: float = 0.0
    at: float = 0.0


def had(before: Had, share: float, now: float) -> Had:
    """`before`, and then `share` (0 to 1) of the machine until `now`."""
    passed_s = max(0.0, now - before.at)
    return Had(before.used_s * 0.5 ** (passed_s / HALF_LIFE_S) + share * passed_s, now)


def dominant(memory_mb: float, budget_mb: float, starting: float, most_starting: float) -> float:
    """A function's part of the machine at a moment."""
    memory = memory_mb / budget_mb if budget_mb > 0 else 0.0
    starts = starting / most_starting if most_starting > 0 else 0.0
    return max(memory, starts)


class Claim(NamedTuple):
    """One function of which calls wait for an instance."""

    function: str
    used_s: float  # what it has had
    since: float  # when the call that would be next was accepted
    starting: int  # instances under way
    weight: float = 1.0  # of two that have had the same, one with twice the weight is owed as much again


def turn(claims: Iterable[Claim], starting: int, most_starting: int) -> Claim | None:
    """Whose turn it is to start an instance; None when nobody may now.

    A function may take three quarters of the starts that may be under way at once, never all of them: its instances may
    be slow to become ready, and the others are not to wait for that.
    """
    if starting >= most_starting:
        return None
    able = [claim for claim in claims if claim.starting < most_for_one(most_starting)]
    return min(able, key=lambda claim: (claim.used_s / claim.weight, claim.since, claim.function), default=None)


def gives_way(mine_s: float, theirs_s: float, *, begun: bool = False) -> bool:
    """Whether a function that had `mine_s` ends an instance for one that had `theirs_s` and waits for memory.

    `begun`: instances have ended for it already, and were not enough.
    """
    return mine_s > theirs_s + (0.0 if begun else SLICE_S)


def tenant_gives_way(mine: int, theirs: int, my_since: float, their_since: float, now: float) -> bool:
    """Whether a tenant of a function, with `mine` instances at work, ends one of them for another tenant of it, whose
    call waits for memory since `their_since`.

    As long as that one still has fewer afterwards, at once; for its only one more, when it has waited for longer than
    the first call of `mine` that waits, and for long enough to be worth the start of an instance.
    """
    if theirs + 1 < mine:
        return True
    return theirs < mine and their_since < my_since and now - their_since >= SLICE_S


def most_for_one(most_starting: int) -> int:
    """How many starts of one function may be under way at once."""
    return max(1, most_starting * 3 // 4)


def shares(wanted: Mapping[str, float], budget: float, weights: Mapping[str, float] | None = None) -> dict[str, float]:
    """`budget` shared max-min fairly: nobody gets more than wanted, and who gets less gets as much as anybody.

    With weights (> 0, 1 where none is given), as much by its weight.
    """
    result: dict[str, float] = {}
    weight = {name: (weights or {}).get(name, 1.0) for name in wanted}
    left, weighing = max(0.0, budget), sum(weight.values())
    for name in sorted(wanted, key=lambda name: wanted[name] / weight[name]):
        result[name] = min(wanted[name], left * weight[name] / weighing)
        left -= result[name]
        weighing -= weight[name]
    return result
