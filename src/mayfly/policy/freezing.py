"""When an idle instance is frozen: after a grace that it has earned by how its calls came.

Freezing and thawing cost some 50 us of a processor together, and a frozen instance answers some 15 us later. That is
nothing for one that then rests for a second, and too much for one that is called a hundred times in that second. So a
freeze that did not last doubles the instance's grace, and one that did halves it: where calls come at even gaps, each
shorter than the longest grace, the instance is soon not frozen between them at all.

What is frozen allocates nothing, so it counts with the memory that it can have at most, which is the most it ever had,
and not with what it may use. So a thousand idle instances of 128 MB are a few gigabytes, as they are to the machine.
"""

import math

FIRST_S = 0.2  # the grace of a new instance, and the shortest
MOST_S = 6.4
WORTH_S = 1.0  # a freeze that lasted so long was worth it


def next_grace_s(grace_s: float, frozen_s: float) -> float:
    """The grace of an instance that was frozen after `grace_s` and called `frozen_s` later.

    Called every 300 ms, an instance is frozen once, for 100 ms; its grace is then 400 ms, and it is not frozen again
    until calls cease.
    """
    if frozen_s < WORTH_S:
        return min(grace_s * 2, MOST_S)
    return max(grace_s / 2, FIRST_S)


def held_mb(limit_mb: int, peak_bytes: int) -> int:
    """What a frozen instance counts with, in whole megabytes: at least 1, and its limit where the peak is not known."""
    if peak_bytes <= 0:
        return limit_mb
    return min(limit_mb, math.ceil(peak_bytes / (1 << 20)))
