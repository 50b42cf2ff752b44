"""How many batches of one source are worked on at once. Pure: the runner of a mapping asks once in a while.

AWS's figures for queues ("Configuring scaling behavior for SQS event source mappings"): five batches at first, up to
300 more a minute while there is more to read, at most 1,250; provisioned pollers work on ten batches each and come
three times as fast. What AWS has no need of, because its machines are not this one: while batches take much longer
than they used to, more of them at once would only make each of them slower, so that nothing is added.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

FIRST: Final = 5
MOST: Final = 1250
GROWTH_PER_S: Final = 300 / 60
PROVISIONED_GROWTH_PER_S: Final = 1000 / 60
BATCHES_PER_POLLER: Final = 10
CROWDED: Final = 3.0  # times as long as they took at best
AHEAD_S: Final = 0.05
MOST_AHEAD: Final = 50
_DRIFT: Final = 0.02  # by how much of the difference the best is brought up to what is seen, each time


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between how many and how many batches."""

    least: int = FIRST
    most: int = MOST
    growth_per_s: float = GROWTH_PER_S


# Where the source itself says how many batches there may be: one for each lane of a shard.
UNSCALED: Final = Bounds(MOST, MOST)


class Pollers(NamedTuple):
    """How things stand."""

    allowed: float
    best_s: float | None = None  # that a batch takes where nothing crowds it


class Seen(NamedTuple):
    """What happened since the last time."""

    elapsed_s: float
    busy: bool  # there was more to read than might be worked on
    throttles: int  # calls that were refused because of a limit
    failing: bool  # batches ended, and the function failed on all of them
    mean_s: float | None  # that a batch took; None: none ended


def bounds(max_concurrency: int | None = None, pollers: tuple[int, int] | None = None) -> Bounds:
    """Those of a mapping's settings: ScalingConfig, or ProvisionedPollerConfig."""
    if pollers is not None:
        least, most = (count * BATCHES_PER_POLLER for count in pollers)
        return Bounds(least, most, PROVISIONED_GROWTH_PER_S)
    if max_concurrency is not None:
        return Bounds(min(FIRST, max_concurrency), max_concurrency)
    return Bounds()


def begin(limits: Bounds) -> Pollers:
    return Pollers(float(limits.least))


def step(before: Pollers, seen: Seen, limits: Bounds) -> Pollers:
    """How many from now on. Throttled or in vain, half as many, down to one; idle, as at first."""
    best_s = _best(before.best_s, seen.mean_s)
    allowed = before.allowed
    if limits == UNSCALED:
        return Pollers(allowed, best_s)
    if seen.throttles or seen.failing:
        allowed = max(1.0, allowed / 2)
    elif allowed < limits.least:
        allowed = min(float(limits.least), allowed + limits.growth_per_s * seen.elapsed_s)
    elif seen.busy:
        if best_s is None or seen.mean_s is None or seen.mean_s <= CROWDED * best_s:
            allowed += limits.growth_per_s * seen.elapsed_s
    else:
        allowed = max(float(limits.least), allowed - limits.growth_per_s * seen.elapsed_s)
    return Pollers(min(allowed, float(limits.most)), best_s)


def ahead(allowed: float, mean_s: float | None) -> int:
    """How many batches to read before there is room for them: what is done within `AHEAD_S`, because reading many at
    once costs little more than reading one. None where batches take so long that what was read would wait."""
    if mean_s is None or mean_s > AHEAD_S:
        return 0
    return min(MOST_AHEAD, int(allowed * AHEAD_S / max(mean_s, 0.001)))


def _best(before: float | None, mean_s: float | None) -> float | None:
    """The shortest mean, forgotten slowly, so that a function that became slower is not held against itself."""
    if mean_s is None or before is None:
        return before if mean_s is None else mean_s
    return mean_s if mean_s < before else before + _DRIFT * (mean_s - before)
