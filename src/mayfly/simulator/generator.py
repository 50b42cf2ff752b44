"""Writes synthetic traces in the form of the Azure Functions data set. The same seed makes the same bytes.

What is drawn from which distribution is in `distributions` and `arrivals`. Functions that are not called on a day are
not listed on that day, as in the data set.
"""

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from mayfly.simulator import arrivals, distributions
from mayfly.simulator.dataset import DURATIONS, INVOCATIONS, KEY_COLUMNS, MEMORY
from mayfly.simulator.trace import MINUTES_A_DAY

DURATION_SHARES = (0, 1, 25, 50, 75, 99, 100)
MEMORY_SHARES = (1, 5, 25, 50, 75, 95, 99, 100)
# Standard normal quantiles of those shares; 0 and 100 stand for the extremes of a few hundred samples.
_NORMAL = {0: -2.8, 1: -2.326, 5: -1.645, 25: -0.674, 50: 0.0, 75: 0.674, 95: 1.645, 99: 2.326, 100: 2.8}


class Called(NamedTuple):
    """One function of a synthetic trace."""

    owner: str
    app: str
    name: str
    trigger: str
    counts: list[int]  # a minute
    duration_ms: float
    memory_mb: float  # of the application


def functions(count: int, days: int, seed: int) -> Iterator[Called]:
    """`count` functions, application by application; the last application may lose some of its functions."""
    rng = Random(seed)  # noqa: S311 - a workload, not a secret
    made = 0
    owner = _hash(rng)
    while made < count:
        if rng.random() < 0.5:
            owner = _hash(rng)
        application = distributions.application(rng)
        app = _hash(rng)
        for trigger, rate in application.functions[: count - made]:
            counts = arrivals.counts(rng, trigger, rate, days)
            duration_ms = distributions.duration_s(rng) * 1000
            yield Called(owner, app, _hash(rng), trigger, counts, duration_ms, application.memory_mb)
            made += 1


def write(directory: Path, count: int, days: int, seed: int, progress: Callable[[int], None] = lambda _: None) -> None:
    """Write a trace into `directory`, which is made; files of the same days are replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        writers = [_Day(directory, day, files) for day in range(days)]
        for number, function in enumerate(functions(count, days, seed), 1):
            for writer in writers:
                writer.add(function)
            progress(number)
        for writer in writers:
            writer.finish()


class _Day:
    """The three files of one day."""

    def __init__(self, directory: Path, day: int, files: ExitStack) -> None:
        self._first = day * MINUTES_A_DAY
        self._memory: dict[tuple[str, str], tuple[float, int]] = {}

        def open_one(kind: str, header: list[str]) -> Any:
            path = directory / f"{kind}.anon.d{day + 1:02d}.csv"
            writer = csv.writer(files.enter_context(path.open("w", encoding="utf-8", newline="")), lineterminator="\n")
            writer.writerow(header)
            return writer

        minutes = [str(minute) for minute in range(1, MINUTES_A_DAY + 1)]
        self._invocations = open_one(INVOCATIONS, [*KEY_COLUMNS, "Trigger", *minutes])
        shares = [f"percentile_Average_{share}" for share in DURATION_SHARES]
        self._durations = open_one(DURATIONS, [*KEY_COLUMNS, "Average", "Count", "Minimum", "Maximum", *shares])
        shares = [f"AverageAllocatedMb_pct{share}" for share in MEMORY_SHARES]
        self._megabytes = open_one(MEMORY, [*KEY_COLUMNS[:2], "SampleCount", "AverageAllocatedMb", *shares])

    def add(self, function: Called) -> None:
        counts = function.counts[self._first : self._first + MINUTES_A_DAY]
        calls = sum(counts)
        if not calls:
            return
        key = [function.owner, function.app, function.name]
        self._invocations.writerow([*key, function.trigger, *counts])
        spread = [round(value) for value in _spread(function.duration_ms, 0.4, DURATION_SHARES)]
        self._durations.writerow([*key, round(function.duration_ms), calls, spread[0], spread[-1], *spread])
        active = len(counts) - counts.count(0)
        samples = self._memory.get((function.owner, function.app), (0.0, 0))[1]
        self._memory[function.owner, function.app] = (function.memory_mb, samples + active)

    def finish(self) -> None:
        """Write what is known of applications only at the end."""
        for (owner, app), (memory_mb, samples) in self._memory.items():
            spread = [f"{value:.1f}" for value in _spread(memory_mb, 0.1, MEMORY_SHARES)]
            self._megabytes.writerow([owner, app, samples, f"{memory_mb:.1f}", *spread])


def _spread(average: float, sigma: float, shares: tuple[int, ...]) -> list[float]:
    """Quantiles of a log-normal distribution with this average."""
    middle = average * math.exp(-sigma * sigma / 2)
    return [middle * math.exp(sigma * _NORMAL[share]) for share in shares]


def _hash(rng: Random) -> str:
    return f"{rng.getrandbits(256):064x}"
