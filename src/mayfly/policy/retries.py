"""Retries in phases, as delivery policies of topics describe them. Pure.

A policy says how many retries follow a failed first attempt, and splits them: at once, then at the least delay, then
with delays that grow from the least to the greatest, then at the greatest (Amazon SNS, "Delivery policy stages"). The
documentation draws how delays grow and gives no formulas; ours are drawn likewise: they begin and end at the same
delays, linear grows evenly, arithmetic by steps that grow evenly, geometric by a constant factor, and exponential
by steps that double.
"""

from dataclasses import dataclass
from typing import Literal

Growth = Literal["linear", "arithmetic", "geometric", "exponential"]
GROWTHS: tuple[Growth, ...] = ("linear", "arithmetic", "geometric", "exponential")


@dataclass(frozen=True, slots=True)
class Phases:
    """How a delivery is retried. The counts of phases add up to `retries` at most; what is left is the phase that
    grows."""

    retries: int = 3
    at_once: int = 0
    at_least: int = 0
    at_most: int = 0
    least_s: float = 20.0
    most_s: float = 20.0
    growth: Growth = "linear"

    @property
    def growing(self) -> int:
        """How many retries have delays that grow."""
        return self.retries - self.at_once - self.at_least - self.at_most


def delay_s(phases: Phases, retry: int) -> float | None:
    """How long to wait before retry `retry` (from 1); None: it was the last attempt."""
    if retry < 1:
        raise ValueError(f"retries are counted from 1, not {retry}")
    if retry > phases.retries:
        return None
    if retry <= phases.at_once:
        return 0.0
    if retry <= phases.at_once + phases.at_least:
        return phases.least_s
    step = retry - phases.at_once - phases.at_least
    if step > phases.growing:
        return phases.most_s
    return _grown(phases, step)


def total_s(phases: Phases) -> float:
    """What all delays add up to."""
    return sum(delay_s(phases, retry) or 0.0 for retry in range(1, phases.retries + 1))


def _grown(phases: Phases, step: int) -> float:
    """The delay before retry `step` (from 1) of those that grow."""
    if phases.growing == 1:
        return phases.least_s
    least, most = phases.least_s, phases.most_s
    last = phases.growing - 1
    done = step - 1
    if phases.growth == "geometric" and least > 0:
        return min(float(most), float(least * (most / least) ** (done / last)))  # a product may round up
    if phases.growth == "arithmetic":
        part = done * (done + 1) / (last * (last + 1))
    elif phases.growth == "exponential":
        part = (2.0 ** min(done, 1000) - 1) / (2.0 ** min(last, 1000) - 1)
    else:
        part = done / last
    return least + (most - least) * min(1.0, part)
