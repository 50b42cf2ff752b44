"""When a template is worth making, and which are worth their memory when there is not enough for all. Pure.

A template saves each later start the time of the imports that are not the function's own, or of all of init. It costs a
process, some megabytes, and as much work as one start.
"""

from collections.abc import Iterable
from math import exp2
from typing import NamedTuple

# What a fork from a template with packages costs more than one from the interpreter's; below it nothing is won.
LEAST_SAVED_US = 3_000
# Starts count half after so long: long beside a keep-alive, which is when starts are far apart.
HALF_LIFE_S = 3600.0
# A target that loses its template so often, one soon after the other, gets no other for a while.
MOST_LOSSES = 3
# One that was there for so long was not lost for how it was made; and how long that while is.
LASTING_S = 600.0
# How much more one that was dropped must be worth than those that would go for it, so that two do not take turns.
BETTER = 1.5


class Loaded(NamedTuple):
    """One module that an init imported."""

    name: str
    own_us: int  # without what it imported


def worth_it(imports: Iterable[Loaded], handler: str) -> bool:
    """Whether the modules outside of the handler's own package took long enough."""
    return saved_us(imports, handler) >= LEAST_SAVED_US


def saved_us(imports: Iterable[Loaded], handler: str) -> int:
    """What a template with those modules saves an instance."""
    own = handler.replace("/", ".").split(".")[0]
    return sum(max(0, one.own_us) for one in imports if one.name.split(".")[0] != own)


def pays(saved_ms: float, made_ms: float) -> bool:
    """Whether starts had better wait until their template is made, which takes `made_ms`, than go without it.

    One that waits from the beginning loses what the making takes beyond the imports, which it would run itself. That
    must be less than the processor's time that is saved: of 450 ms of imports and 480 ms of making, 30 ms against 450.
    """
    return made_ms - saved_ms < saved_ms


def losses(before: int, lasted_s: float) -> int:
    """How many times a target has lost its template in a row, now that it lost one which had been there for so long."""
    return 1 if lasted_s >= LASTING_S else before + 1


def tries_again(losses: int, since_s: float) -> bool:
    """Whether a template that was lost so long ago is worth making again."""
    return losses < MOST_LOSSES or since_s >= LASTING_S


class Starts(NamedTuple):
    """What is remembered of a target's starts."""

    heat: float  # at the time of the last one
    at: float  # when that was; monotonic seconds


class Held(NamedTuple):
    """One template, or one that there could be."""

    key: str
    memory_mb: float
    saved_ms: float  # of each start
    starts: Starts


def started(before: Starts | None, now: float) -> Starts:
    """An instance started that a template makes fast."""
    return Starts(1.0 + (_heat(before, now) if before is not None else 0.0), now)


def value(held: Held, now: float) -> float:
    """Milliseconds of starts saved, by megabyte.

    Of two templates that were used equally often, one that saves 500 ms and holds 100 MB is worth as much as one that
    saves 100 ms and holds 20 MB.
    """
    return held.saved_ms * _heat(held.starts, now) / max(1.0, held.memory_mb)


def surplus(held: Iterable[Held], budget_mb: float, most: int, now: float) -> list[str]:
    """Keys of the least valuable ones, without which the others are at most `most` and fit into `budget_mb`."""
    by_value = sorted(held, key=lambda one: (value(one, now), one.key))
    used_mb, number = sum(one.memory_mb for one in by_value), len(by_value)
    dropped: list[str] = []
    for one in by_value:
        if used_mb <= budget_mb and number <= most:
            break
        dropped.append(one.key)
        used_mb -= one.memory_mb
        number -= 1
    return dropped


def readmits(one: Held, others: Iterable[Held], budget_mb: float, most: int, now: float) -> bool:
    """Whether one that had to go is worth making again: those that would go for it are worth clearly less."""
    kept = list(others)
    if one.memory_mb > budget_mb:
        return False
    go = set(surplus(kept, budget_mb - one.memory_mb, most - 1, now))
    return value(one, now) >= BETTER * sum(value(other, now) for other in kept if other.key in go)


def _heat(starts: Starts, now: float) -> float:
    return starts.heat * exp2(-max(0.0, now - starts.at) / HALF_LIFE_S)
