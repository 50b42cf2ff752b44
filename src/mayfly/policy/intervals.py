"""Which parts of a row of gains and losses are worth having: a beginning, and one later run. Pure arithmetic."""

from collections.abc import Sequence
from typing import NamedTuple


class Choice(NamedTuple):
    """`[0:cut]` and `[low:high]`; either may be empty, and `cut <= low` when the second is not."""

    cut: int
    low: int
    high: int


def prefix_and_run(gains: Sequence[float], toll: float) -> Choice:
    """The beginning and the later run whose gains sum to most, where a run that is not empty costs `toll` (≥ 0) too.

    One pass from the end, with the best run behind every cut at hand: the maximum-subarray algorithm, backwards.
    """
    before = sum(gains)  # gains of [0:at]
    best, low, high = 0.0, 0, 0  # the best run within [at:]
    here, here_end = 0.0, 0  # the best run that starts at `at`
    most, cut, run = 0.0, 0, (0, 0)
    for at in range(len(gains), -1, -1):
        if best > toll:
            if before + best - toll > most:
                most, cut, run = before + best - toll, at, (low, high)
        elif before > most:
            most, cut, run = before, at, (at, at)
        if not at:
            break
        gain = gains[at - 1]
        before -= gain
        if here <= 0.0:
            here, here_end = 0.0, at
        here += gain
        if here > best:
            best, low, high = here, at - 1, here_end
    return Choice(cut, *run)
