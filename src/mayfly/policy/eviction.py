"""Which idle instances to give up when memory is short.

The value of an idle instance is what it saves when it is called next, weighed by how soon that may be, per megabyte
that it holds: greedy-dual-size-frequency caching, applied to function instances by FaasCache (Fuerst and Sharma,
ASPLOS 2021), with the time since the last call in the place of the frequency.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

# An instance used so short a while ago belongs to a function that is at work.
RECENT_S = 5.0


class Candidate(NamedTuple):
    """One idle instance."""

    id: str
    memory_mb: int
    idle_s: float  # since its last call ended
    start_ms: float  # what its cold start took
    ahead: bool = False  # made for a call that was expected and has not come yet
    owner: str = ""  # its function


def value(candidate: Candidate) -> float:
    """Milliseconds of cold start saved, per second idle and megabyte held.

    A second is added to the idle time, so that instances that just fell idle compare by cost and size: of two that
    hold 128 MB and have been idle for 9 s, the one that took 800 ms to start is worth 0.625, one that took 10 ms 0.008.
    """
    return candidate.start_ms / ((candidate.idle_s + 1.0) * candidate.memory_mb)


class Parts(NamedTuple):
    """Megabytes by function."""

    working: Mapping[str, float]  # of instances that start or run calls
    held: Mapping[str, float]  # of these and of idle ones
    shares: Mapping[str, float]  # what it would have if all memory were shared fairly among those who want it


NOBODYS = Parts({}, {}, {})


def open_to(function: str, candidates: Sequence[Candidate], parts: Parts) -> list[Candidate]:
    """Those that may go for a call of `function`.

    A function that has its share of the memory already takes none that another used a moment ago, unless that one has
    more than its share: or one that floods would end the instances of all others between any two of their calls.
    """
    if parts.working.get(function, 0.0) < parts.shares.get(function, inf):
        return list(candidates)
    return [
        one
        for one in candidates
        if one.idle_s >= RECENT_S or one.owner == function or parts.held[one.owner] > parts.shares[one.owner]
    ]


def choose(candidates: Sequence[Candidate], need_mb: int, parts: Parts = NOBODYS) -> list[str] | None:
    """Ids of the least valuable instances that together hold `need_mb`, or None when all of them do not.

    Those made ahead of a call go first: a guess yields to what was used. Then those of functions that hold more than
    their share, as many as that is. No more than needed: one that a later, larger choice made superfluous is spared,
    the most valuable first.
    """
    chosen: list[Candidate] = []
    freed_mb = 0
    for candidate in _order(candidates, parts):
        if freed_mb >= need_mb:
            break
        chosen.append(candidate)
        freed_mb += candidate.memory_mb
    if freed_mb < need_mb:
        return None
    kept: list[str] = []
    for candidate in reversed(chosen):
        if freed_mb - candidate.memory_mb >= need_mb:
            freed_mb -= candidate.memory_mb
        else:
            kept.append(candidate.id)
    kept.reverse()
    return kept


def _order(candidates: Sequence[Candidate], parts: Parts) -> list[Candidate]:
    """Who goes before whom."""
    surplus = {name: parts.held[name] - share for name, share in parts.shares.items() if name in parts.held}
    rank: dict[str, int] = {}
    by_value = sorted(candidates, key=value)
    for candidate in by_value:
        beyond = surplus.get(candidate.owner, 0.0) > 0
        if beyond:
            surplus[candidate.owner] -= candidate.memory_mb
        rank[candidate.id] = 0 if candidate.ahead else 1 if beyond else 2
    return sorted(by_value, key=lambda each: rank[each.id])
