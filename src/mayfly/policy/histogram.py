"""A histogram of a function's idle times in bins of equal width, up to a range: compact, immutable, serialisable.

Only bins that were hit are stored, in order. A timer has one or two, a busy web function about thirty, none more than
range / width (240 bins of a minute).
"""

from bisect import bisect_left
from math import ceil, sqrt
from typing import NamedTuple


class Histogram(NamedTuple):
    """How often idle times fell into which bin. Bin `i` holds those above `i` and up to `i + 1` widths."""

    bins: tuple[int, ...] = ()  # rising
    counts: tuple[int, ...] = ()  # of each of `bins`, at least 1
    within: int = 0  # the sum of `counts`
    squares: int = 0  # the sum of their squares
    beyond: int = 0  # idle times longer than the range


def add(histogram: Histogram, idle_s: float, width_s: float, size: int, count: int = 1) -> Histogram:
    """`histogram` of `size` bins with `count` more idle times of `idle_s`."""
    where = max(0, ceil(idle_s / width_s) - 1)
    bins, counts, within, squares, beyond = histogram
    if where >= size:
        return Histogram(bins, counts, within, squares, beyond + count)
    index = bisect_left(bins, where)
    if index < len(bins) and bins[index] == where:
        old = counts[index]
        counts = (*counts[:index], old + count, *counts[index + 1 :])
    else:
        old = 0
        bins = (*bins[:index], where, *bins[index:])
        counts = (*counts[:index], count, *counts[index:])
    return Histogram(bins, counts, within + count, squares + count * (2 * old + count), beyond)


def head(histogram: Histogram, share: float) -> int:
    """The bin in which, counted from the shortest idle times, `share` of those within the range is reached."""
    target = share * histogram.within
    seen = 0
    for where, count in zip(histogram.bins, histogram.counts, strict=True):
        seen += count
        if seen >= target:
            return where
    raise ValueError("the histogram is empty")


def tail(histogram: Histogram, share: float) -> int:
    """The same as `head`, found from the other end, which is nearer when `share` is close to 1."""
    target = share * histogram.within
    seen = histogram.within
    for where, count in zip(reversed(histogram.bins), reversed(histogram.counts), strict=True):
        seen -= count
        if seen < target:
            return where
    raise ValueError("the histogram is empty")


def variation(histogram: Histogram, size: int) -> float:
    """The coefficient of variation of the counts of all `size` bins: 0 when all are equal, √(size - 1) if one has all.

    The paper updates mean and variance by Welford's method. These are sums of integers, so the plain formula is exact.
    """
    if not histogram.within:
        return 0.0
    mean = histogram.within / size
    return sqrt(max(0.0, histogram.squares / size - mean * mean)) / mean
