"""A trace as the simulator holds it: for every unit of allocation, the stretches of minutes in which it was called.

A unit is a function, or an application. Calls are known by the minute only. Those of an unbroken stretch of minutes are
taken to be spread evenly over it, the first one at its start: five calls in one minute come every 12 s, a call a minute
comes every 60 s. So a stretch is three numbers however many calls it has, and idle times above a minute are exact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

MINUTES_A_DAY = 1440
MINUTE_S = 60.0


class Stretch(NamedTuple):
    """Minutes in a row, each with at least one call."""

    start: int  # minutes from the start of the trace
    end: int  # the first minute without a call
    calls: int

    @property
    def step_s(self) -> float:
        """Seconds between its calls; at most 60, because every minute has one."""
        return (self.end - self.start) * MINUTE_S / self.calls

    @property
    def last_s(self) -> float:
        """When its last call comes, in seconds from the start of the trace."""
        return self.end * MINUTE_S - self.step_s


@dataclass(frozen=True, slots=True)
class Unit:
    """What is warm or cold as one."""

    name: str
    stretches: tuple[Stretch, ...]  # in order; neither overlapping nor touching
    memory_mb: float
    duration_ms: float  # of a call, on average

    @property
    def calls(self) -> int:
        return sum(stretch.calls for stretch in self.stretches)


@dataclass(frozen=True, slots=True)
class Trace:
    """All units that were called, and how long they were watched."""

    units: tuple[Unit, ...]
    days: int

    @property
    def end_s(self) -> float:
        return self.days * MINUTES_A_DAY * MINUTE_S

    @property
    def work_gb_hours(self) -> float:
        """What the calls themselves take: the same with every policy, and what idle memory may be compared with."""
        return sum(unit.calls * unit.duration_ms * unit.memory_mb for unit in self.units) / 1024 / 3_600_000


def stretches_of(counts: Sequence[int], first_minute: int = 0) -> list[Stretch]:
    """The stretches in a row of counts, one a minute."""
    found = []
    minute = first_minute
    for active, group in groupby(counts, bool):
        run = list(group)
        if active:
            found.append(Stretch(minute, minute + len(run), sum(run)))
        minute += len(run)
    return found


def merge(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """The same calls in order, with stretches that overlap or touch made one: across midnight, or among functions."""
    merged: list[Stretch] = []
    for stretch in sorted(stretches):
        if merged and stretch.start <= merged[-1].end:
            last = merged[-1]
            merged[-1] = Stretch(last.start, max(last.end, stretch.end), last.calls + stretch.calls)
        else:
            merged.append(stretch)
    return tuple(merged)
