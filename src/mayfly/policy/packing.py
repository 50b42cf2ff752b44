"""Which of several instances gets a call, where each can run several at a time.

The fullest one that has room: the others then empty out, fall idle, and are frozen or ended when demand falls, instead
of all being kept half full. Pure; `engine.sharing` carries it out.
"""

from collections.abc import Iterable, Sequence


def fullest(loads: Iterable[tuple[int, int]]) -> int | None:
    """The index of the one to use, from (calls that it runs, calls that it can run); None when none has room."""
    best, most = None, -1
    for index, (load, capacity) in enumerate(loads):
        if most < load < capacity:
            best, most = index, load
    return best


def places_to_come(starting: Sequence[int], waiting: int) -> int:
    """How many more calls may wait for instances that start, each with so many places that nobody was promised yet.

    Below zero when fewer will come than wait already, because an instance failed, or can run fewer than was thought.
    """
    return sum(starting) - waiting
