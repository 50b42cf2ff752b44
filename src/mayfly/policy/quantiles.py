"""A mergeable sketch of a distribution: counts of values in buckets whose width is proportional to the value.

Each bucket spans a factor of `GROWTH`, so a quantile is off by at most 1 % of itself, whatever the values are, and the
sketch of a merge is the merge of the sketches. (The idea is that of "DDSketch", VLDB 2019.) A sketch is a dict from
bucket to count; negative values have buckets of their own and zero has bucket 0. Used for percentiles of metrics.
"""

import math
from collections.abc import Mapping

ACCURACY = 0.01  # of a quantile, relative
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
SMALLEST = 1e-9  # values nearer to zero count as zero
MAX_BUCKETS = 4096  # beyond, the smallest magnitudes are joined
_LOG = math.log(GROWTH)
_SHIFT = 1 - math.floor(math.log(SMALLEST) / _LOG)  # makes the bucket of SMALLEST the first positive one

Sketch = dict[int, float]


def bucket(value: float) -> int:
    """The bucket of a finite value: 0 for zero, negative for what is below it."""
    size = abs(value)
    if size < SMALLEST:
        return 0
    index = math.ceil(math.log(size) / _LOG) + _SHIFT
    return index if value > 0 else -index


def value_of(index: int) -> float:
    """The value that stands for a bucket: at most 1 % from every value in it."""
    if index == 0:
        return 0.0
    size = 2 * math.exp((abs(index) - _SHIFT) * _LOG) / (1 + GROWTH)
    return size if index > 0 else -size


def merge(into: Sketch, other: Mapping[int, float]) -> None:
    """Add `other` to `into`, in place."""
    for index, count in other.items():
        into[index] = into.get(index, 0.0) + count
    if len(into) > MAX_BUCKETS:
        _shrink(into)


def quantile(sketch: Mapping[int, float], fraction: float) -> float | None:
    """The value below which `fraction` (0 to 1) of the values lie; None for an empty sketch."""
    total = sum(sketch.values())
    if total <= 0:
        return None
    rank = fraction * total
    seen = 0.0
    index = 0
    for index in sorted(sketch):
        seen += sketch[index]
        if seen >= rank and seen > 0:
            break
    return value_of(index)


def _shrink(sketch: Sketch) -> None:
    """Join the buckets nearest to zero until `MAX_BUCKETS` are left: the tails are what percentiles are asked for."""
    excess = sorted(sketch, key=abs)[: len(sketch) - MAX_BUCKETS + 1]
    joined = sum(sketch.pop(index) for index in excess)
    sketch[excess[-1]] = joined
