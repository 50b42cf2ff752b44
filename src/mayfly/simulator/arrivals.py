"""When a function is called: arrival processes, each a number of calls for every minute of a trace.

Their mix follows the coefficients of variation of inter-arrival times that "Serverless in the Wild" gives (figure 6):
timers and about an eighth of the other functions are periodic, a good 40 % of applications vary more than a Poisson
process (sessions, heavy tails), the rest lies between. Human traffic swings with the day and the week about a constant
half.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from random import Random

from mayfly.simulator.distributions import TIMER, TIMER_PERIODS_MIN
from mayfly.simulator.trace import MINUTES_A_DAY

BUSY_A_DAY = 2 * MINUTES_A_DAY  # from this rate on, minutes are drawn instead of calls
RARE_A_DAY = 200  # up to this rate, people and their sessions dominate; above, machines do
# Cumulative shares of functions without timers, of kinds of arrivals; sessions have the rest.
RARE = {"periodic": 0.12, "regular": 0.20, "poisson": 0.30, "heavy": 0.40}
OFTEN = {"periodic": 0.15, "regular": 0.55, "poisson": 0.82, "heavy": 0.92}
RUN_IN = 120.0  # mean gaps for which a process has run when a trace begins
HUMAN = 0.6  # share of those whose traffic swings with the day
WEEKEND = 0.6


def counts(rng: Random, trigger: str, rate: float, days: int) -> list[int]:
    """Calls in every minute of `days` days of a function that is called about `rate` times a day; at least one."""
    minutes = [0] * (days * MINUTES_A_DAY)
    if trigger == TIMER:
        _fire(rng, minutes, rate)
    elif rate >= BUSY_A_DAY:
        _flood(rng, minutes, rate, days)
    else:
        kind = _kind(rng, rate)
        day = _Day(None if kind == "periodic" else rng, days)
        gaps = _gaps(rng, kind, rate)
        span = days * rate  # the trace's length in mean gaps
        moments = list(_moments(gaps, -RUN_IN * rng.random(), span))
        if not moments:
            # Functions that are not called are not in the data set, so this one is, and goes on from there.
            first = span * rng.random()
            moments = [first, *_moments(gaps, first, span)]
        for at in moments:
            minutes[day.minute(at / span)] += 1
    if not any(minutes):
        minutes[rng.randrange(len(minutes))] = 1
    return minutes


class _Day:
    """Maps even progress through a trace to minutes, so that busy hours get more of it."""

    def __init__(self, rng: Random | None, days: int) -> None:
        self._last = days * MINUTES_A_DAY - 1
        self.weights = [1.0] * (days * 24)
        if rng is not None and rng.random() < HUMAN:
            peak, swing = rng.gauss(14.0, 3.0), rng.uniform(0.4, 0.95)
            for hour in range(days * 24):
                wave = 1.0 + swing * math.cos((hour - peak) * math.pi / 12)
                self.weights[hour] = wave * (WEEKEND if hour // 24 % 7 >= 5 else 1.0)
        self._sums = list(accumulate(self.weights))

    def minute(self, progress: float) -> int:
        """The minute by which `progress` (0 to 1) of the trace's calls have come."""
        target = progress * self._sums[-1]
        hour = min(len(self._sums) - 1, bisect_right(self._sums, target))
        before = self._sums[hour] - self.weights[hour]
        return min(self._last, int((hour + (target - before) / self.weights[hour]) * 60))


def _fire(rng: Random, minutes: list[int], rate: float) -> None:
    """A timer: the usual period that is nearest to the rate, from a random phase; some at the full hour."""
    wanted = math.log(MINUTES_A_DAY / rate)
    period = min(TIMER_PERIODS_MIN, key=lambda one: abs(math.log(one) - wanted))
    first = rng.randrange(period) if rng.random() < 0.5 else 0
    for minute in range(min(first, len(minutes) - 1), len(minutes), period):
        minutes[minute] = 1


def _flood(rng: Random, minutes: list[int], rate: float, days: int) -> None:
    """Many calls a minute: Poisson about a level that swings with the day and wanders."""
    weights = _Day(rng, days).weights
    base = rate * days * 24 / sum(weights) / MINUTES_A_DAY
    wander, sigma = 0.0, rng.choice((0.05, 0.3, 0.8))
    for minute in range(len(minutes)):
        wander = 0.98 * wander + 0.2 * rng.gauss(0.0, sigma)
        minutes[minute] = poisson(rng, base * weights[minute // 60] * math.exp(wander - sigma * sigma / 2))


def _moments(gaps: Iterator[float], begin: float, span: float) -> Iterator[float]:
    """Calls between 0 and `span` of a process that began at `begin`."""
    for at in accumulate(gaps, initial=begin):
        if at >= span:
            return
        if at >= 0.0 and at != begin:
            yield at


def _kind(rng: Random, rate: float) -> str:
    share = rng.random()
    shares = RARE if rate <= RARE_A_DAY else OFTEN
    return next((kind for kind, most in shares.items() if share < most), "sessions")


def _gaps(rng: Random, kind: str, rate: float) -> Iterator[float]:
    """Gaps between calls in units of their mean, without end."""
    if kind == "periodic":
        jitter = rng.choice((0.0, 0.01, 0.05))
        while True:
            yield max(0.1, rng.gauss(1.0, jitter))
    elif kind == "regular":
        shape = rng.uniform(1.3, 10.0)
        while True:
            yield rng.gammavariate(shape, 1.0 / shape)
    elif kind == "poisson":
        while True:
            yield rng.expovariate(1.0)
    elif kind == "heavy":
        shape = rng.uniform(0.35, 0.8)
        scale = 1.0 / math.gamma(1.0 + 1.0 / shape)
        while True:
            yield rng.weibullvariate(scale, shape)
    else:
        yield from _sessions(rng, rate)


def _sessions(rng: Random, rate: float) -> Iterator[float]:
    """Somebody comes, calls several times at short intervals, and goes."""
    size = 1.0 + rng.lognormvariate(1.7, 1.0)  # mean calls a session
    within = min(0.3, rng.lognormvariate(-0.5, 1.2) * rate / MINUTES_A_DAY)  # mean gap, about half a minute
    between = max(0.1, size - (size - 1.0) * within)  # so that the mean of all gaps is 1
    while True:
        if rng.random() < 1.0 / size:
            yield rng.expovariate(1.0 / between)
        else:
            yield rng.expovariate(1.0 / within)


def poisson(rng: Random, mean: float) -> int:
    """A Poisson number: by multiplication when small (Knuth), by the normal approximation from 30 on."""
    if mean > 30.0:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, number = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number
