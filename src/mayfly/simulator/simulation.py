"""All units of a trace through a policy, and the search for the price at which two policies take the same memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import ceil, sqrt
from typing import Any

from mayfly.policy.hazard import Hazard
from mayfly.policy.windows import Rule
from mayfly.simulator.replay import Tally, clairvoyant, replay
from mayfly.simulator.report import Result, summarize
from mayfly.simulator.trace import Trace, Unit

Advance = Callable[[int], None]  # called with how many more units were replayed
LEAST_PRICE, MOST_PRICE = 0.001, 100.0
PRICE_STEPS, SPAN_STEPS = 10, 12  # halvings of the interval
SAMPLE = 1000  # units at most on which a price is searched
BATCH = 64  # units between reports of progress


def run(rule: Rule[Any], trace: Trace, start_ms: float, advance: Advance = lambda _: None) -> Result:
    """The whole trace through one rule."""
    return summarize(rule.name, trace, _each(trace.units, partial(replay, rule, end_s=trace.end_s), advance), start_ms)


def foresight(trace: Trace, idle_gb_hours: float, start_ms: float) -> Result:
    """The fewest cold starts that anybody could have for that memory without prewarming, who knew every next call."""
    shortest, longest = 1.0, trace.end_s
    for _ in range(SPAN_STEPS):
        middle = sqrt(shortest * longest)
        if _gb_hours(trace.units, partial(clairvoyant, longest_s=middle)) > idle_gb_hours:
            longest = middle
        else:
            shortest = middle
    tallies = [clairvoyant(unit, shortest) for unit in trace.units]
    return summarize("foresight", trace, tallies, start_ms)


def matching(
    trace: Trace, reference: Rule[Any], rule: Hazard | None = None, advance: Advance = lambda _: None
) -> Hazard:
    """`rule` (the hazard policy as it is) with the price at which it takes as much memory as `reference`.

    The price is found on a sample of units, which are replayed some times over: `searched(trace)` in all.
    """
    units = _sampled(trace)
    target = _gb_hours(units, partial(replay, reference, end_s=trace.end_s))
    low, high = LEAST_PRICE, MOST_PRICE
    rule = rule or Hazard()
    for _ in range(PRICE_STEPS):
        rule = replace(rule, price=sqrt(low * high))
        if _gb_hours(units, partial(replay, rule, end_s=trace.end_s)) > target:
            low = rule.price
        else:
            high = rule.price
        advance(len(units))
    return replace(rule, price=float(f"{sqrt(low * high):.3g}"))


def searched(trace: Trace) -> int:
    """How many units `matching` reports as replayed."""
    return PRICE_STEPS * len(_sampled(trace))


def _sampled(trace: Trace) -> Sequence[Unit]:
    return trace.units[:: max(1, ceil(len(trace.units) / SAMPLE))]


def _each(units: Sequence[Unit], tally: Callable[[Unit], Tally], advance: Advance) -> list[Tally]:
    tallies = []
    for number, unit in enumerate(units, 1):
        tallies.append(tally(unit))
        if number % BATCH == 0:
            advance(BATCH)
    advance(len(units) % BATCH)
    return tallies


def _gb_hours(units: Sequence[Unit], tally: Callable[[Unit], Tally]) -> float:
    return sum(tally(unit).idle_s * unit.memory_mb for unit in units) / 1024 / 3600
