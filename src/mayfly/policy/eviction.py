"""Which idle instances to give up when memory is short.

The value of an idle instance is what it saves when it is called next, weighed by how soon that may be, per megabyte
that it holds: greedy-dual-size-frequency caching, applied to function instances by FaasCache (Fuerst and Sharma,
ASPLOS 2021), with the time since the last call in the place of the frequency.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


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


def choose(
    candidates: Sequence[Candidate], need_mb: int, surplus_mb: Mapping[str, float] | None = None
) -> list[str] | None:
    """Ids of the least valuable instances that together hold `need_mb`, or None when all of them do not.

    Those made ahead of a call go first: a guess yields to what was used. Then those of functions that hold more than
    their share, by `surplus_mb`, until that is gone.
    No more than needed: one that a later, larger choice made superfluous is spared, the most valuable first.
    """
    chosen: list[Candidate] = []
    freed_mb = 0
    for candidate in _order(candidates, surplus_mb or {}):
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


def _order(candidates: Sequence[Candidate], surplus_mb: Mapping[str, float]) -> list[Candidate]:
    """Who goes before whom."""
    left = dict(surplus_mb)
    rank: dict[str, int] = {}
    by_value = sorted(candidates, key=value)
    for candidate in by_value:
        beyond = left.get(candidate.owner, 0.0) >= candidate.memory_mb
        if beyond:
            left[candidate.owner] -= candidate.memory_mb
        rank[candidate.id] = 0 if candidate.ahead else 1 if beyond else 2
    return sorted(by_value, key=lambda each: rank[each.id])
