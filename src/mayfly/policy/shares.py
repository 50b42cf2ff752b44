"""Who gets the next places, of those who share them.

Places first, then turns. The one with the fewest places for its weight goes first, so that whoever has long work does
not end up with all of them; among those that are level, which is everybody where there are fewer places than sharers,
the one that had the fewest turns for its weight. Weights are kept by places where there are enough, else by turns.
Nobody starves: each turn brings its taker behind, and who waits without a place is ahead of all who have one.
"""

import heapq
from collections.abc import Iterable
from typing import NamedTuple

LEAST_WEIGHT, MOST_WEIGHT = 0.01, 100.0


class Share(NamedTuple):
    """One of those who share."""

    key: str
    running: int  # places it has
    turns: float  # it has had, each counted as one by its weight
    wants: int  # more places that it can use
    weight: float = 1.0


def allot(shares: Iterable[Share], places: int) -> dict[str, int]:
    """How many more places each gets, in the order of their first; those that get none are left out."""
    heap = [(share.running / share.weight, share.turns, share.key, 0, share) for share in shares if share.wants > 0]
    heapq.heapify(heap)
    given: dict[str, int] = {}
    while heap and places > 0:
        _, turns, key, got, share = heap[0]
        given[key] = got = got + 1
        places -= 1
        if got == share.wants:
            heapq.heappop(heap)
        else:
            step = 1.0 / share.weight
            heapq.heapreplace(heap, ((share.running + got) / share.weight, turns + step, key, got, share))
    return given


def served(level: float, turns: float, taken: float) -> tuple[float, float]:
    """The level, which is the turns that the one served last had had, and its turns, after it took some more.

    Who comes, or comes back, begins at the level: it has no claim to turns that it did not want.
    """
    return max(level, turns), max(level, turns) + taken
