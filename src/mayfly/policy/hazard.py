"""Hold an instance exactly while the next call is likely enough: Mayfly's own keep-alive.

At every moment of an idle time there is a hazard: the rate at which a call comes now, given that none came so far. To
hold an instance for a moment costs memory, and saves a cold start with the hazard's probability. So holding is worth it
where hazard × (what a cold start takes) exceeds price × memory, and the best decision is the two windows over which
that is true on balance. With f the share of idle times that end in an interval and S the share that lasts beyond it,
an interval's gain is f - price × (its length) × S, and the best windows are a beginning and a run of highest gain.

Idle times are counted in bins that widen with the idle time, from a minute to two weeks, so that a burst, an hourly
timer and a nightly job are one and the same case, and old observations fade. Before there are any, a prior speaks: the
idle times of an unknown function are spread evenly over the orders of magnitude, so the hazard falls the longer nobody
calls. What was seen speaks for its neighbourhood too, with a weight that counts less the more was seen: a function that
came back after 40 minutes once may come back after 35. A worked number: at price 0.4 a 128 MB function that starts in
100 ms and is called about once an hour is held while more than 0.7 % of its remaining idle times end within the minute.

A single price for all functions has the fewest cold starts for the memory. But that prefers functions that are called
often, and users judge their own by the share of their calls that was cold: with `fairness` the price rises with how
often a function falls idle, and with how many calls it has for each time it does, up to `company`. Beyond that few of
its calls can be cold whatever is done. docs/discussion/keep-alive.md has the measurements behind the defaults.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise, repeat
from math import ceil, log
from operator import sub, truediv
from typing import NamedTuple

from mayfly.policy.intervals import prefix_and_run
from mayfly.policy.windows import Decision, Subject, warm

NORMAL_MB, NORMAL_START_MS, HOUR_S = 128.0, 100.0, 3600.0
FADED = 0.05  # a bin with less weight than this is forgotten


class Learnt(NamedTuple):
    """What the policy knows of a function; msgspec stores it as it stands, a timer's in about 120 bytes."""

    subject: Subject
    decision: Decision  # the latest one
    bins: tuple[int, ...] = ()  # rising
    weights: tuple[float, ...] = ()  # of each of `bins`: how many idle times ended in it, old ones counting less
    total: float = 0.0  # the sum of `weights`
    elapsed_s: float = 0.0  # the sum of the idle times behind them, faded alike
    calls: float = 0.0  # that found an instance idle for however short a time, faded alike
    due: float = 0.0  # the decision is made anew after so many more observations, or after a cold start


@dataclass(frozen=True)
class Hazard:
    """The policy's parameters."""

    price: float = 0.4  # cold starts of 100 ms that 128 MB held for an hour must save
    fairness: float = 0.9  # 0: every idle time counts the same; 1: every function's share of its own does
    company: float = 4.0  # up to so many calls for each idle time, one that ends in a cold start counts less; 1: never
    settle_s: float = 60.0  # an instance is always kept for this long; shorter idle times are not even looked at
    longest_s: float = 14 * 86_400.0  # longer idle times count as this long
    ratio: float = 1.05  # of a bin's width to the one before
    prior: float = 1.0  # for how many observations the prior counts
    kinship: float = 2.0  # for how many observations it counts that idle times near those seen are likely
    reach: int = 12  # how near, in bins; falling linearly
    memory: float = 100.0  # observations after which all weights are halved
    refresh: float = 0.1  # the decision is made anew when so large a part of the observations is new
    toll: float = 0.05  # what making an instance anew for the second window costs, in cold starts
    lead_s: float = 2.0  # how much before a bin the second window begins

    def __post_init__(self) -> None:
        if not self.price > 0 or not self.settle_s > 0 or not self.longest_s > self.settle_s or not self.ratio > 1:
            raise ValueError(f"price and settle_s must be above 0, longest_s above settle_s, ratio above 1: {self}")
        if not self.company >= 1 or not self.kinship >= 0 or not 0 <= self.reach < len(self._widths):
            raise ValueError(f"company must be 1 or more, kinship 0 or more, reach less than there are bins: {self}")

    @property
    def name(self) -> str:
        return f"hazard {self.price:g}"

    @property
    def shape(self) -> str:
        """What `Learnt.bins` depend on: a state is of use only to a policy of the same shape."""
        return f"hazard {self.settle_s:g} {self.ratio:g} {self.longest_s:g}"

    @cached_property
    def edges(self) -> tuple[float, ...]:
        """Where bins begin and end, in seconds."""
        size = ceil(log(self.longest_s / self.settle_s) / log(self.ratio))
        return tuple(self.settle_s * self.ratio**index for index in range(size + 1))

    def start(self, subject: Subject) -> Learnt:
        return self.about(Learnt(subject, Decision(0.0, self.settle_s, "settling")), subject)

    def about(self, state: Learnt, subject: Subject) -> Learnt:
        if not subject.memory_mb > 0 or not subject.start_ms > 0:
            raise ValueError(f"memory_mb and start_ms must be above 0: {subject}")
        told = state._replace(subject=subject)
        return told._replace(decision=self._best(told))

    def observe(self, state: Learnt, idle_s: float, count: int = 1) -> Learnt:
        if idle_s <= self.settle_s:
            return state._replace(calls=state.calls + count)
        for _ in range(count):
            state = self._learn(state, idle_s)
        return state

    def decide(self, state: Learnt) -> Decision:
        return state.decision

    def steady(self, state: Learnt, idle_s: float) -> bool:
        return idle_s <= self.settle_s

    def _learn(self, state: Learnt, idle_s: float) -> Learnt:
        where = min(len(self._widths) - 1, int(log(idle_s / self.settle_s) / self._log_ratio))
        bins, weights = state.bins, state.weights
        index = bisect_left(bins, where)
        if index < len(bins) and bins[index] == where:
            weights = (*weights[:index], weights[index] + 1.0, *weights[index + 1 :])
        else:
            bins = (*bins[:index], where, *bins[index:])
            weights = (*weights[:index], 1.0, *weights[index:])
        elapsed_s = state.elapsed_s + min(idle_s, self.longest_s)
        total, calls, due = state.total + 1.0, state.calls + 1.0, state.due - 1.0
        learnt = Learnt(state.subject, state.decision, bins, weights, total, elapsed_s, calls, due)
        if learnt.total > self.memory:
            learnt = _halved(learnt)
        if learnt.due <= 0 or not warm(state.decision, idle_s):
            learnt = learnt._replace(decision=self._best(learnt), due=max(1.0, self.refresh * learnt.total))
        return learnt

    def _best(self, state: Learnt) -> Decision:
        ends = self._ends(state)
        observations = sum(ends)
        cut, low, high = prefix_and_run(self._gains(state, ends, observations), self.toll * observations)
        edges = self.edges
        begin_s, end_s = edges[low] - self.lead_s, edges[high]
        if low == high:
            return Decision(0.0, edges[cut], "likely soon" if cut else "settling")
        if begin_s <= edges[cut]:
            return Decision(0.0, end_s, "likely soon")
        return Decision(begin_s, end_s - begin_s, "expected later", edges[cut])

    def _ends(self, state: Learnt) -> list[float]:
        """How many idle times are believed to end in each bin: seen, like those seen, and supposed of anyone."""
        size = len(self._widths)
        ends = [self.prior / size] * size
        if not state.total:
            return ends
        row = [0.0] * size
        for where, weight in zip(state.bins, state.weights, strict=True):
            row[where] = weight
            ends[where] += weight
        share = self.kinship / state.total
        return [end + share * near for end, near in zip(ends, spread(row, self.reach), strict=True)]

    def _gains(self, state: Learnt, ends: list[float], observations: float) -> list[float]:
        """What holding an instance over each bin gains, in cold starts times `observations`."""
        price = self._price(state)
        lasting = accumulate(ends, sub, initial=observations)  # those that have not ended when a bin begins
        # An idle time that ends within the bin holds the instance for half of it on average.
        return [
            end - price * width * (left - end / 2)
            for end, width, left in zip(ends, self._widths, lasting, strict=False)
        ]

    def _price(self, state: Learnt) -> float:
        """What holding this function's instance for a second costs, in its cold starts."""
        subject = state.subject
        an_hour = (state.total + 1.0) / (state.elapsed_s / HOUR_S + 1.0)  # idle times an hour; one before any is known
        company = min(self.company, max(1.0, (state.calls + 1.0) / (state.total + 1.0)))
        value = subject.start_ms / NORMAL_START_MS / company
        rate: float = an_hour**self.fairness
        return self.price * rate * subject.memory_mb / NORMAL_MB / value / HOUR_S

    @cached_property
    def _widths(self) -> tuple[float, ...]:
        return tuple(after - before for before, after in pairwise(self.edges))

    @cached_property
    def _log_ratio(self) -> float:
        return log(self.ratio)


def _halved(state: Learnt) -> Learnt:
    """The same with every weight halved, and what has faded left out."""
    kept = [(where, weight / 2) for where, weight in zip(state.bins, state.weights, strict=True) if weight / 2 >= FADED]
    return state._replace(
        bins=tuple(where for where, _ in kept),
        weights=tuple(weight for _, weight in kept),
        total=sum(weight for _, weight in kept),
        elapsed_s=state.elapsed_s / 2,
        calls=state.calls / 2,
    )


def spread(row: list[float], reach: int) -> list[float]:
    """Every value shared out among the places up to `reach` from its own, falling linearly; the sum stays.

    Two boxes, one after the other, make such a triangle. What would fall off an end stays at it.
    """
    wide = _boxed(_boxed(row, reach), reach)
    kept = wide[reach : reach + len(row)]
    kept[0] += sum(wide[:reach])
    kept[-1] += sum(wide[reach + len(row) :])
    return kept


def _boxed(row: list[float], reach: int) -> list[float]:
    """Every value shared out evenly among its own place and the `reach` that follow; so much longer than `row`."""
    size = reach + 1
    sums = list(accumulate(row))
    before, upto = [0.0] * size + sums, sums + [sums[-1]] * reach
    return list(map(truediv, map(sub, upto, before), repeat(size)))
