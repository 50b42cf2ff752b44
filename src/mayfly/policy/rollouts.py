"""How a new version takes over the calls of an alias: in which steps, and when it is taken back. Pure.

A *shape* says which part of the calls goes to the new version for how long (AWS CodeDeploy's canary, linear and all at
once). Between the steps a rollout is *looked at*: alarms, and what the calls of the new version came to. Errors are
judged twice. While a step lasts, more errors than the limit allows go back at once if they could hardly be chance: were
the true rate the limit, so many would be seen in one of a hundred rollouts (an exact binomial tail). When a step ends,
the rate itself decides, whatever the number of calls. So a canary with 1 % allowed is not thrown out by one failure in
its first ten calls, nor let through with two in a hundred.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

SIGNIFICANCE: Final = 0.01
LEAST_FOR_LATENCY: Final = 20  # calls before a percentile means something while a step lasts
_SHAPE = re.compile(r"(?P<percent>\d+(?:\.\d+)?)%/(?P<every>\d+(?:\.\d+)?)(?P<unit>s|m|h)")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}

Kind = Literal["canary", "linear", "all-at-once"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How the calls are shifted."""

    kind: Kind
    percent: float = 100.0  # of the calls: the first step's, or each step's
    every_s: float = 0.0  # how long the first step lasts, or each one


@dataclass(frozen=True, slots=True)
class Step:
    """`share` of the calls (0 to 1) goes to the new version from `at_s` on, seconds after the shifting began."""

    share: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a new version may do worse; None: nobody looks at it."""

    max_errors: float | None = None  # failed calls as a part of all, 0 to 1
    max_latency_ms: float | None = None  # of the 95th percentile of durations


@dataclass(frozen=True, slots=True)
class Observed:
    """What the calls of the new version came to since it got any."""

    calls: int = 0
    errors: int = 0
    latency_ms: float | None = None  # the 95th percentile of durations; None: there were no calls


@dataclass(frozen=True, slots=True)
class Shift:
    """From now on `share` of the calls goes to the new version; look again at `until_s`, if not before."""

    share: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Stay:
    """Nothing changes before `until_s`, seconds after the shifting began."""

    until_s: float


@dataclass(frozen=True, slots=True)
class Arrived:
    """All calls go to the new version, and it did well."""


@dataclass(frozen=True, slots=True)
class GoBack:
    """All calls go to the old version again."""

    cause: Literal["alarm", "errors", "latency"]
    reason: str


Decision = Shift | Stay | Arrived | GoBack


def parse(kind: Kind, text: str) -> Shape:
    """The shape that `10%/5m` means; ValueError."""
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a part and a time such as 10%/5m")
    return checked(Shape(kind, float(match["percent"]), float(match["every"]) * _UNITS[match["unit"]]))


def checked(shape: Shape) -> Shape:
    """`shape`; ValueError when it cannot be carried out."""
    if shape.kind == "all-at-once":
        return shape
    if not 0 < shape.percent < 100:
        raise ValueError(f"a step shifts more than 0 % of the calls and less than 100 %, not {shape.percent:g} %")
    if not 0 < shape.every_s <= 2880 * 60:
        raise ValueError(f"a step lasts up to 2,880 minutes, not {shape.every_s:g} s")
    return shape


def steps(shape: Shape) -> tuple[Step, ...]:
    """All steps in order; the last one gives the new version all calls."""
    if shape.kind == "all-at-once":
        return (Step(1.0, 0.0),)
    if shape.kind == "canary":
        return (Step(shape.percent / 100, 0.0), Step(1.0, shape.every_s))
    count = math.ceil(100 / shape.percent - 1e-9)
    return tuple(Step(min(1.0, (at + 1) * shape.percent / 100), at * shape.every_s) for at in range(count))


def decide(
    shape: Shape, limits: Limits, share: float, elapsed_s: float, seen: Observed, alarms: Sequence[str]
) -> Decision:
    """What is to be done with a new version that has `share` of the calls, `elapsed_s` after the shifting began.

    `alarms` are those in the state ALARM; with one of them nothing begins. A look that comes late (the platform
    was down) takes one step at a time all the same: nobody has seen the new version with more calls than it had.
    """
    plan = steps(shape)
    taken = sum(1 for step in plan if step.share <= share)
    due = taken < len(plan) and elapsed_s >= plan[taken].at_s
    if alarms:
        return GoBack("alarm", f"One or more alarms have been activated: {', '.join(sorted(alarms))}")
    if taken and (verdict := judge(limits, seen, final=due or taken == len(plan))) is not None:
        return verdict
    if taken == len(plan):
        return Arrived()
    if due:
        following = plan[taken + 1].at_s - plan[taken].at_s if taken + 1 < len(plan) else 0.0
        return Shift(plan[taken].share, elapsed_s + following)
    return Stay(plan[taken].at_s)


def judge(limits: Limits, seen: Observed, *, final: bool) -> GoBack | None:
    """Whether the calls were too bad. `final`: a step ends, so the figures count as they are."""
    if limits.max_errors is not None and seen.calls and seen.errors > limits.max_errors * seen.calls:
        certain = at_least(seen.errors, seen.calls, limits.max_errors) < SIGNIFICANCE
        if final or certain:
            rate = seen.errors / seen.calls
            return GoBack(
                "errors",
                f"{seen.errors} of {seen.calls} calls of the new version failed ({rate:.2%}); "
                f"{limits.max_errors:.2%} may.",
            )
    slow = limits.max_latency_ms is not None and seen.latency_ms is not None and seen.latency_ms > limits.max_latency_ms
    if slow and (final or seen.calls >= LEAST_FOR_LATENCY):
        return GoBack(
            "latency",
            f"The slowest twentieth of {seen.calls} calls of the new version took {seen.latency_ms:,.0f} ms or more; "
            f"{limits.max_latency_ms:,.0f} ms may be.",
        )
    return None


def at_least(errors: int, calls: int, rate: float) -> float:
    """The probability of so many errors or more in so many calls, each of which fails with probability `rate`."""
    if errors <= 0 or rate >= 1.0:
        return 1.0
    if rate <= 0.0:
        return 0.0
    if errors > calls * rate:
        return _tail(errors, calls, rate)
    return 1.0 - _tail(calls - errors + 1, calls, 1 - rate)


def _tail(errors: int, calls: int, rate: float) -> float:
    """`at_least` beyond the mean, where terms only fall: the sum ends when they no longer matter."""
    log = math.lgamma(calls + 1) - math.lgamma(errors + 1) - math.lgamma(calls - errors + 1)
    term = math.exp(log + errors * math.log(rate) + (calls - errors) * math.log1p(-rate))
    total, odds = 0.0, rate / (1 - rate)
    for at in range(errors, calls + 1):
        total += term
        if term < total * 1e-12:
            break
        term *= (calls - at) / (at + 1) * odds
    return min(1.0, total)
