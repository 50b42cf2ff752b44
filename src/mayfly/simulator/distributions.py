"""The published figures of "Serverless in the Wild" (USENIX ATC 2020) as distributions to draw from.

Stated in the paper's text: 54 % of applications have one function and 95 % at most ten; 43 % have HTTP triggers only
and 13 % timers only, 64 % and 29 % at least one; 45 % are called at most once an hour and 81 % at most once a minute,
over eight orders of magnitude; average durations are log-normal and average memory is Burr with the parameters below.
What lies between such points, and the rarer combinations of triggers, is interpolated or read off its figures.
"""

import math
from bisect import bisect_right
from random import Random
from typing import NamedTuple

HTTP, TIMER, QUEUE, EVENT = "http", "timer", "queue", "event"
STORAGE, ORCHESTRATION, OTHERS = "storage", "orchestration", "others"

# Applications by the triggers that they use, in per cent.
SINGLE_TRIGGER: dict[tuple[str, ...], float] = {
    (HTTP,): 43.3,
    (TIMER,): 13.4,
    (QUEUE,): 9.5,
    (EVENT,): 3.0,
    (STORAGE,): 2.8,
    (OTHERS,): 2.5,
}
SEVERAL_TRIGGERS: dict[tuple[str, ...], float] = {
    (HTTP, TIMER): 4.6,
    (HTTP, QUEUE): 4.2,
    (TIMER, QUEUE): 2.6,
    (HTTP, OTHERS): 1.7,
    (HTTP, TIMER, QUEUE): 1.5,
    (HTTP, STORAGE): 1.1,
    (HTTP, ORCHESTRATION): 3.0,
    (HTTP, EVENT): 1.5,
    (TIMER, STORAGE): 1.5,
    (HTTP, TIMER, STORAGE): 1.5,
    (HTTP, TIMER, QUEUE, STORAGE): 2.0,
}
# In an application with several functions, how often each trigger comes again: HTTP has 55 % of functions, timers 16 %.
MORE_OF = {HTTP: 5.0, TIMER: 0.7, QUEUE: 1.5, EVENT: 0.5, STORAGE: 0.5, ORCHESTRATION: 8.0, OTHERS: 0.5}
ONE_FUNCTION = 0.54
FUNCTIONS_AN_APPLICATION = ((0.70, 2, 2), (0.80, 3, 3), (0.88, 4, 5), (0.95, 6, 10), (0.9996, 11, 60), (1.0, 100, 300))

# Quantiles of calls a day of an application, as decimal logarithms. Timers fire at most once a minute.
TIMER_RATES = ((0.0, -1.15), (0.12, 0.0), (0.45, 1.38), (1.0, 3.158))
OTHER_RATES = (
    (0.0, -1.15),
    (0.15, 0.0),
    (0.45, 1.38),
    (0.78, 3.158),
    (0.95, 4.4),
    (0.99, 5.6),
    (0.999, 6.8),
    (1.0, 7.8),
)
TIMER_PERIODS_MIN = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440, 2880, 10_080)

DURATION_LOG_MEAN, DURATION_SIGMA = -0.38, 2.36  # of seconds
MEMORY_C, MEMORY_K, MEMORY_SCALE_MB = 11.652, 0.221, 107.083
MOST_MEMORY_MB = 1536.0  # what Azure's consumption plan allows


class Application(NamedTuple):
    """An application before its calls: each function's trigger and how many calls a day it should get."""

    functions: tuple[tuple[str, float], ...]
    memory_mb: float


def application(rng: Random) -> Application:
    """Draw one application."""
    size = _size(rng)
    triggers = _triggers(rng, size)
    rates = TIMER_RATES if set(triggers) == {TIMER} else OTHER_RATES
    rate = 10.0 ** interpolate(rates, rng.random())
    weights = [rng.lognormvariate(0.0, 1.5) for _ in range(size)]
    total = sum(weights)
    functions = tuple((trigger, rate * weight / total) for trigger, weight in zip(triggers, weights, strict=True))
    return Application(functions, memory_mb(rng))


def duration_s(rng: Random) -> float:
    """An average duration of a function; longer than 15 minutes is not allowed to run."""
    return min(900.0, rng.lognormvariate(DURATION_LOG_MEAN, DURATION_SIGMA))


def memory_mb(rng: Random) -> float:
    """The average memory of an application: the inverse of Burr's distribution function."""
    missing: float = (1.0 - rng.random()) ** (-1.0 / MEMORY_K) - 1.0
    return min(MOST_MEMORY_MB, MEMORY_SCALE_MB * math.pow(max(missing, 1e-9), 1.0 / MEMORY_C))


def interpolate(quantiles: tuple[tuple[float, float], ...], share: float) -> float:
    """The value at `share` (0 to 1) of a distribution given by some of its quantiles."""
    index = min(len(quantiles) - 1, max(1, bisect_right(quantiles, (share, math.inf))))
    (left, low), (right, high) = quantiles[index - 1], quantiles[index]
    return low + (high - low) * (share - left) / (right - left)


def _size(rng: Random) -> int:
    share = rng.random()
    if share < ONE_FUNCTION:
        return 1
    for upper, low, high in FUNCTIONS_AN_APPLICATION:
        if share <= upper:
            return rng.randint(low, high)
    return 1


def _triggers(rng: Random, size: int) -> list[str]:
    single = sum(SINGLE_TRIGGER.values()) / 100
    # Applications with one function have one kind of trigger, so the others carry all combinations.
    kinds = SINGLE_TRIGGER
    if size > 1 and rng.random() * (1 - ONE_FUNCTION) >= single - ONE_FUNCTION:
        kinds = {kind: weight for kind, weight in SEVERAL_TRIGGERS.items() if len(kind) <= size}
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    return [*kind, *rng.choices(kind, [MORE_OF[trigger] for trigger in kind], k=size - len(kind))]
