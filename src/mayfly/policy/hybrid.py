"""The hybrid histogram policy of Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020), section 4.

A function's idle times are counted in bins of a minute over four hours. If the histogram has a shape, the function is
given up after a call until just before the 5th percentile, then kept until just after the 99th. If it has none yet, or
its bins are equally full, the function is kept for the whole range. If most idle times exceed the range, the paper
forecasts with ARIMA; here the median of the last few idle times takes its place (docs/discussion/keep-alive.md has the
comparison): at a handful of values a day, there is nothing else for a model to fit.
"""

from statistics import median
from typing import NamedTuple

from mayfly.policy.histogram import Histogram, add, head, tail, variation
from mayfly.policy.windows import Decision, Subject


class Seen(NamedTuple):
    """What the policy knows of a function."""

    histogram: Histogram = Histogram()
    recent: tuple[float, ...] = ()  # the last few idle times, only of functions that exceeded the range


class Hybrid(NamedTuple):
    """The policy's parameters; the defaults are the paper's."""

    range_s: float = 4 * 3600.0
    width_s: float = 60.0
    head_share: float = 0.05
    tail_share: float = 0.99
    margin: float = 0.10
    least_variation: float = 2.0
    least_seen: int = 2  # idle times before the histogram is believed; the paper gives no number
    standard_s: float | None = None  # keep-alive without a usable histogram; None: the range
    forecast_margin: float = 0.15
    forecast_from: int = 5  # how many idle times the forecast looks back

    @property
    def name(self) -> str:
        return f"hybrid {self.range_s / 3600:g} h"

    @property
    def size(self) -> int:
        """The number of bins."""
        return round(self.range_s / self.width_s)

    def start(self, subject: Subject) -> Seen:
        return Seen()

    def about(self, state: Seen, subject: Subject) -> Seen:
        return state

    def observe(self, state: Seen, idle_s: float, count: int = 1) -> Seen:
        histogram = add(state.histogram, idle_s, self.width_s, self.size, count)
        recent = state.recent
        if histogram.beyond:
            last = min(count, self.forecast_from)
            recent = (*recent, *([idle_s] * last))[-self.forecast_from :]
        return Seen(histogram, recent)

    def decide(self, state: Seen) -> Decision:
        histogram = state.histogram
        seen = histogram.within + histogram.beyond
        if seen >= self.least_seen:
            if 2 * histogram.beyond > seen:
                return self._forecast(state.recent)
            if variation(histogram, self.size) >= self.least_variation:
                return self._window(histogram)
        return Decision(0.0, self.range_s if self.standard_s is None else self.standard_s, "standard")

    def steady(self, state: Seen, idle_s: float) -> bool:
        # More calls within the first bin leave the 5th percentile there once it is there. While functions have too
        # few idle times, or too many beyond the range, a batch could cross from one case to another.
        if idle_s > self.width_s or 2 * state.histogram.beyond >= state.histogram.within:
            return False
        bins = state.histogram.bins
        return bool(bins) and bins[0] == 0 and head(state.histogram, self.head_share) == 0

    def _window(self, histogram: Histogram) -> Decision:
        prewarm_s = head(histogram, self.head_share) * self.width_s * (1 - self.margin)
        end_s = (tail(histogram, self.tail_share) + 1) * self.width_s * (1 + self.margin)
        return Decision(prewarm_s, end_s - prewarm_s, "histogram")

    def _forecast(self, recent: tuple[float, ...]) -> Decision:
        expected_s = median(recent)
        lasts_s = max(self.width_s, expected_s * 2 * self.forecast_margin)  # a burst may have been the latest
        return Decision(expected_s * (1 - self.forecast_margin), lasts_s, "forecast")
