"""What a policy did over a whole trace, in the figures of the paper and in money."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from mayfly.policy import pricing
from mayfly.simulator.replay import Tally
from mayfly.simulator.trace import Trace

# AWS Lambda's list prices for x86 in us-east-1: what it takes to keep memory ready (provisioned concurrency), and what
# it bills for a start, as compute.
IDLE_GB_S = Decimal("0.0000041667")
COMPUTE_GB_S = Decimal("0.0000166667")


class Result(NamedTuple):
    """One policy's figures."""

    policy: str
    units: int
    calls: int
    cold_starts: int
    cold_percent_median: float  # of the units' percentages of cold calls
    cold_percent_p75: float
    cold_percent_mean: float
    always_cold_percent: float  # units of which no call was warm, those with one call included
    prewarms: int
    idle_hours: float  # of instances, whatever their size: the paper's wasted memory time
    idle_gb_hours: float
    cost_usd: float  # of idle memory and of starts, prewarmed ones included; calls themselves cost the same always


def summarize(policy: str, trace: Trace, tallies: Sequence[Tally], start_ms: float) -> Result:
    """The figures of `tallies`, one for each unit of `trace`, in its order; a start takes `start_ms`."""
    percents = sorted(100.0 * tally.cold / tally.calls for tally in tallies)
    idle_gb_s, start_gb_s = 0.0, Decimal(0)
    billed = pricing.billed_ms(start_ms)
    for unit, tally in zip(trace.units, tallies, strict=True):
        idle_gb_s += tally.idle_s * unit.memory_mb / 1024
        start_gb_s += pricing.usage_of(billed, round(unit.memory_mb)).gb_seconds * (tally.cold + tally.prewarms)
    return Result(
        policy=policy,
        units=len(percents),
        calls=sum(tally.calls for tally in tallies),
        cold_starts=sum(tally.cold for tally in tallies),
        cold_percent_median=quantile(percents, 0.5),
        cold_percent_p75=quantile(percents, 0.75),
        cold_percent_mean=sum(percents) / len(percents) if percents else 0.0,
        always_cold_percent=100.0 * sum(percent == 100.0 for percent in percents) / len(percents) if percents else 0.0,
        prewarms=sum(tally.prewarms for tally in tallies),
        idle_hours=sum(tally.idle_s for tally in tallies) / 3600,
        idle_gb_hours=idle_gb_s / 3600,
        cost_usd=float(Decimal(idle_gb_s) * IDLE_GB_S + start_gb_s * COMPUTE_GB_S),
    )


def quantile(rising: Sequence[float], share: float) -> float:
    """The value at `share` (0 to 1) of sorted values, interpolated between neighbours; 0 when there are none."""
    if not rising:
        return 0.0
    at = (len(rising) - 1) * share
    low = int(at)
    high = min(low + 1, len(rising) - 1)
    return rising[low] + (rising[high] - rising[low]) * (at - low)
