"""How much capacity there is to be, by how much of it is used: target tracking and step scaling. Pure.

Target tracking keeps the used part of a capacity near a target, as AWS Application Auto Scaling does it: out when the
last three minutes were all above the target, at once to where the last of them would have met it; in when the last
fifteen were all below nine tenths of it, to where the highest of them would have. A cooldown keeps a change from being
repeated before it can show; one that goes further out than the last is not held back by that.
"""

from collections.abc import Sequence
from math import ceil, inf
from typing import NamedTuple

OUT_READINGS = 3
IN_READINGS = 15
IN_BELOW = 0.9
_ROUNDING = 1e-9  # what 0.7 / 0.7 is more than 1


class Bounds(NamedTuple):
    """Between how much and how much capacity there may be."""

    least: int
    most: int

    def within(self, capacity: int) -> int:
        return max(self.least, min(self.most, capacity))


class Since(NamedTuple):
    """The last changes, Unix seconds."""

    out_at: float = -inf
    in_at: float = -inf
    out_to: int = 0  # what the last change out has led to


class Tracking(NamedTuple):
    """What a policy asks for."""

    target: float  # of the used part, above 0
    out_cooldown_s: float = 0.0
    in_cooldown_s: float = 0.0
    scales_in: bool = True


def track(readings: Sequence[float], capacity: int, bounds: Bounds, wanted: Tracking, since: Since, now: float) -> int:
    """The capacity that follows. `readings` are the used part of each of the last minutes (1: all of it), the latest
    last, since the capacity is what it is or longer; a gap in them is left out."""
    capacity = bounds.within(capacity)
    if not readings:
        return capacity
    last = readings[-OUT_READINGS:]
    if len(last) == OUT_READINGS and min(last) > wanted.target:
        further = bounds.within(max(capacity + 1, ceil(capacity * last[-1] / wanted.target - _ROUNDING)))
        if now - since.out_at >= wanted.out_cooldown_s or further > since.out_to:
            return further
        return capacity
    quiet = readings[-IN_READINGS:]
    if not wanted.scales_in or len(quiet) < IN_READINGS or max(quiet) >= wanted.target * IN_BELOW:
        return capacity
    if now - max(since.in_at, since.out_at) < wanted.in_cooldown_s:
        return capacity
    return bounds.within(min(capacity, ceil(capacity * max(quiet) / wanted.target - _ROUNDING)))


class Step(NamedTuple):
    """What follows where a metric is so far from its threshold."""

    lower: float  # included above the threshold, excluded below it, as AWS has it
    upper: float
    adjustment: int


class Steps(NamedTuple):
    """What a policy of steps asks for."""

    kind: str  # "ChangeInCapacity" | "PercentChangeInCapacity" | "ExactCapacity"
    steps: tuple[Step, ...]
    least_magnitude: int = 0  # of a change by per cent
    cooldown_s: float = 0.0


def step(breach: float, capacity: int, bounds: Bounds, wanted: Steps, since: Since, now: float) -> int:
    """The capacity that follows while an alarm lasts; `breach` is the metric less the alarm's threshold."""
    capacity = bounds.within(capacity)
    found = next((one for one in wanted.steps if _covers(one, breach)), None)
    if found is None:
        return capacity
    after = bounds.within(_adjusted(capacity, found.adjustment, wanted))
    if after > capacity:
        held_back = now - since.out_at < wanted.cooldown_s and after <= since.out_to
    else:
        held_back = now - max(since.in_at, since.out_at) < wanted.cooldown_s
    return capacity if held_back else after


def _covers(one: Step, breach: float) -> bool:
    if breach >= 0:
        return one.lower <= breach < one.upper
    return one.lower < breach <= one.upper


def _adjusted(capacity: int, adjustment: int, wanted: Steps) -> int:
    if wanted.kind == "ExactCapacity":
        return adjustment
    if wanted.kind == "ChangeInCapacity":
        return capacity + adjustment
    change = capacity * adjustment / 100
    # AWS's rounding: above 1 down, between 0 and 1 to 1, and likewise below 0.
    rounded = int(change) if abs(change) >= 1 else (1 if change > 0 else -1 if change < 0 else 0)
    if adjustment and abs(rounded) < wanted.least_magnitude:
        rounded = wanted.least_magnitude if adjustment > 0 else -wanted.least_magnitude
    return capacity + rounded
