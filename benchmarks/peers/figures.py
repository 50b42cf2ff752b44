"""Figures out of samples: medians, and how much better Mayfly did in the same round. Pure.

The machine's speed drifts by a factor within minutes, so a peer is not held against Mayfly's median of the whole run:
each round measures both back to back, the ratio is taken within the round, and the spread over rounds is the noise.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Metric = Literal[
    "cold hello", "cold pandas", "latency at 1", "throughput at 16", "idle memory", "added hello", "added pandas"
]


@dataclass(frozen=True)
class Measure:
    """What a metric is to the reader."""

    metric: Metric
    title: str
    unit: Literal["ms", "/s", "MiB"]

    @property
    def more_is_better(self) -> bool:
        return self.unit == "/s"


MEASURES = (
    Measure("cold hello", "cold start, hello", "ms"),
    Measure("cold pandas", "cold start, pandas", "ms"),
    Measure("latency at 1", "warm latency at 1", "ms"),
    Measure("throughput at 16", "throughput at 16", "/s"),
    Measure("idle memory", "memory, one idle function", "MiB"),
    Measure("added hello", "added by an idle instance, hello", "MiB"),
    Measure("added pandas", "added by an idle instance, pandas", "MiB"),
)


@dataclass(frozen=True)
class Pair:
    """One round: the peer's figure, and Mayfly's, taken right before or after it."""

    peer: float
    mayfly: float


@dataclass(frozen=True)
class Figure:
    """Medians over rounds; `ahead` is how many times better Mayfly is, below 1 where it loses, with its range."""

    peer: float
    mayfly: float
    ahead: float
    least: float
    most: float
    rounds: int


def figure(measure: Measure, pairs: Sequence[Pair]) -> Figure:
    """The figure of one metric of one peer; `ValueError` without a pair or with one that is not above zero."""
    if not pairs or any(pair.peer <= 0 or pair.mayfly <= 0 for pair in pairs):
        raise ValueError(f"{measure.metric}: no figure of {list(pairs)}")
    ratios = sorted(_ahead(measure, pair) for pair in pairs)
    return Figure(
        peer=statistics.median(pair.peer for pair in pairs),
        mayfly=statistics.median(pair.mayfly for pair in pairs),
        ahead=statistics.median(ratios),
        least=ratios[0],
        most=ratios[-1],
        rounds=len(pairs),
    )


def added(before_mb: float, after_mb: float, instances: int) -> float | None:
    """MiB that each of some instances added; None when there are none, or when the noise is larger than they are."""
    if instances <= 0 or after_mb <= before_mb:
        return None
    return (after_mb - before_mb) / instances


def mayfly_first(round_number: int) -> bool:
    """Who begins takes turns, so that a steady drift of the machine cancels out."""
    return round_number % 2 == 0


def _ahead(measure: Measure, pair: Pair) -> float:
    return pair.mayfly / pair.peer if measure.more_is_better else pair.peer / pair.mayfly
