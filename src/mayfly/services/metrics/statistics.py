"""Statistics of points: their names, and points put together by period. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final, NamedTuple

from mayfly.policy.quantiles import Sketch, merge, quantile
from mayfly.services.metrics import faults
from mayfly.services.metrics.model import Point

SIMPLE: Final = MappingProxyType(
    {"SampleCount": "samples", "Sum": "total", "Average": "average", "Minimum": "minimum", "Maximum": "maximum"}
)
_PERCENTILE = re.compile(r"p(100|\d{1,2}(?:\.\d{1,10})?)")
_TRIMMED = re.compile(r"(tm|wm|tc|ts|pr|TM|WM|TC|TS|PR)[\d.(]|IQM")


class Period(NamedTuple):
    """What was measured in one period."""

    at: int
    samples: float
    total: float
    minimum: float
    maximum: float
    sketch: Sketch | None

    @property
    def average(self) -> float:
        return self.total / self.samples if self.samples else 0.0

    def value(self, statistic: str) -> float | None:
        """A statistic that `check` let pass; None where a percentile is not known."""
        if statistic in SIMPLE:
            return float(getattr(self, SIMPLE[statistic]))
        if self.sketch is None:
            return None
        found = quantile(self.sketch, float(statistic[1:]) / 100)
        # The sketch is off by a per cent; the extremes are known exactly.
        return None if found is None else min(max(found, self.minimum), self.maximum)


def check(statistic: str) -> str:
    """The statistic, if it is one; `ServiceError` says why not."""
    if statistic in SIMPLE or _PERCENTILE.fullmatch(statistic):
        return statistic
    if _TRIMMED.match(statistic):
        raise faults.invalid(
            f"Mayfly does not implement the statistic {statistic}; it has SampleCount, Average, Sum, Minimum, Maximum "
            "and percentiles."
        )
    raise faults.invalid(f"The value {statistic} for parameter ExtendedStatistics is not supported.")


def check_period(period_s: int) -> int:
    """The period in seconds: 1, 5, 10, 20, 30 or a multiple of 60; `ServiceError` otherwise."""
    if period_s in (1, 5, 10, 20, 30) or (period_s > 0 and period_s % 60 == 0):
        return period_s
    raise faults.invalid("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")


def by_period(points: Iterable[Point], since: int, period_s: int) -> list[Period]:
    """Points put together by period, from `since` on, in order; periods without points are left out."""
    sums: defaultdict[int, list[Point]] = defaultdict(list)
    for point in points:
        sums[(point.at - since) // period_s].append(point)
    return [_joined(since + index * period_s, sums[index]) for index in sorted(sums)]


def _joined(at: int, points: list[Point]) -> Period:
    sketch: Sketch | None = {}
    for point in points:
        if point.sketch is None:
            sketch = None
            break
        assert sketch is not None
        merge(sketch, point.sketch)
    return Period(
        at,
        sum(point.samples for point in points),
        sum(point.total for point in points),
        min(point.minimum for point in points),
        max(point.maximum for point in points),
        sketch,
    )
