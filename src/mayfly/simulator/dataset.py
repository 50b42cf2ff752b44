"""Reads traces in the form of the Azure Functions data set of 2019.

A directory holds, for each day `dNN`, `invocations_per_function_md.anon.dNN.csv` (HashOwner, HashApp, HashFunction,
Trigger, then a count for each minute), and may hold `function_durations_percentiles.anon.dNN.csv` and
`app_memory_percentiles.anon.dNN.csv`. A single file of the first kind is a trace too. Of the other two only
averages are used, and a function or application that they do not mention gets a default. Nothing is guessed about
malformed lines: the first one ends the reading with its file and number.
"""

import csv
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from mayfly.errors import CallerError
from mayfly.simulator.trace import MINUTES_A_DAY, Stretch, Trace, Unit, merge, stretches_of

INVOCATIONS, DURATIONS, MEMORY = (
    "invocations_per_function_md",
    "function_durations_percentiles",
    "app_memory_percentiles",
)
KEY_COLUMNS = ("HashOwner", "HashApp", "HashFunction")
DEFAULT_MEMORY_MB = 128.0
DEFAULT_DURATION_MS = 1000.0
MOST_CALLS_A_MINUTE = 10**9
_NAME = re.compile(rf"({INVOCATIONS}|{DURATIONS}|{MEMORY})\.anon\.d(\d+)\.csv")

By = Literal["function", "app"]
Progress = Callable[[Path, int, int], None]  # the file being read, how many bytes of it are read, its size


class TraceError(CallerError):
    """The trace cannot be read. The message names the file, and the line where there is one."""

    def __init__(self, path: Path, what: str, line: int | None = None) -> None:
        super().__init__(f"{path}{f', line {line}' if line else ''}: {what}")


class Files(NamedTuple):
    """The files of a trace, by kind and day."""

    invocations: dict[int, Path]
    durations: dict[int, Path]
    memory: dict[int, Path]


def find(path: Path) -> Files:
    """The files of the trace at `path`: a directory, or one file of invocations."""
    files = Files({}, {}, {})
    if path.is_file():
        files.invocations[1] = path
        return files
    if not path.is_dir():
        raise TraceError(path, "there is no such file or directory")
    kinds = {INVOCATIONS: files.invocations, DURATIONS: files.durations, MEMORY: files.memory}
    for found in sorted(path.iterdir()):
        if match := _NAME.fullmatch(found.name):
            kinds[match[1]][int(match[2])] = found
    if not files.invocations:
        raise TraceError(path, f"there is no file named {INVOCATIONS}.anon.d01.csv (or d02, …) in it")
    days = sorted(files.invocations)
    for before, after in pairwise(days):
        if after != before + 1:
            raise TraceError(path, f"day d{before + 1:02d} is missing between d{before:02d} and d{after:02d}")
    return files


def read(path: Path, by: By = "function", progress: Progress = lambda *_: None) -> Trace:
    """The trace at `path`, with a unit for every function or every application that was called."""
    files = find(path)
    first = min(files.invocations)
    calls: dict[tuple[str, ...], array[int]] = defaultdict(lambda: array("L"))  # start, end, calls of each stretch
    for day, file in files.invocations.items():
        for key, stretches in _invocations(file, (day - first) * MINUTES_A_DAY, progress):
            for stretch in stretches:
                calls[key if by == "function" else key[:2]].extend(stretch)
    memory = _averages(files.memory, 2, "AverageAllocatedMb", "SampleCount", progress)
    durations = _averages(files.durations, 3, "Average", "Count", progress)
    if by == "app":
        durations = _by_application(durations)
    units = tuple(
        Unit(
            name="/".join(part[:12] for part in key),
            stretches=merge(Stretch(*flat[at : at + 3]) for at in range(0, len(flat), 3)),
            memory_mb=memory.get(key[:2], (DEFAULT_MEMORY_MB, 0.0))[0],
            duration_ms=durations.get(key, (DEFAULT_DURATION_MS, 0.0))[0],
        )
        for key, flat in calls.items()
    )
    return Trace(units, len(files.invocations))


def _invocations(path: Path, offset: int, progress: Progress) -> Iterator[tuple[tuple[str, ...], list[Stretch]]]:
    seen: set[tuple[str, ...]] = set()
    columns: list[str] = []
    for number, row in _rows(path, progress):
        if not columns:
            columns = row
            if tuple(row[:4]) != (*KEY_COLUMNS, "Trigger") or row[4:] != [str(m + 1) for m in range(len(row) - 4)]:
                raise TraceError(path, f"the header must be {','.join(KEY_COLUMNS)},Trigger,1,2,…", number)
            if not 4 < len(row) <= 4 + MINUTES_A_DAY:
                raise TraceError(path, f"a day has 1 to {MINUTES_A_DAY} minutes, not {len(row) - 4}", number)
            continue
        _check_width(path, number, row, columns)
        key = tuple(row[:3])
        if key in seen:
            raise TraceError(path, f"function {row[2]} was listed before", number)
        seen.add(key)
        try:
            counts = list(map(int, row[4:]))
        except ValueError:
            raise _bad_count(path, number, row) from None
        if min(counts) < 0 or max(counts) > MOST_CALLS_A_MINUTE:
            raise _bad_count(path, number, row)
        yield key, stretches_of(counts, offset)


def _bad_count(path: Path, number: int, row: list[str]) -> TraceError:
    """The error that names the first minute without a sensible count; there is one."""
    for minute, text in enumerate(row[4:], 1):
        if not re.fullmatch(r"\s*\d{1,10}\s*", text) or int(text) > MOST_CALLS_A_MINUTE:
            return TraceError(path, f"calls in minute {minute} must be a number from 0 to 10^9, not {text!r}", number)
    return TraceError(path, "it has something that is not a number of calls", number)


def _averages(
    files: dict[int, Path], keys: int, value: str, weight: str, progress: Progress
) -> dict[tuple[str, ...], tuple[float, float]]:
    """By key, the average over all days and its weight, from columns `value` and `weight`."""
    sums: dict[tuple[str, ...], tuple[float, float]] = {}
    for path in files.values():
        columns: list[str] = []
        for number, row in _rows(path, progress):
            if not columns:
                columns = row
                if tuple(row[:keys]) != KEY_COLUMNS[:keys] or value not in row or weight not in row:
                    raise TraceError(
                        path,
                        f"the header must begin with {','.join(KEY_COLUMNS[:keys])} and have {value} and {weight}",
                        number,
                    )
                continue
            _check_width(path, number, row, columns)
            try:
                amount, count = float(row[columns.index(value)]), float(row[columns.index(weight)])
            except ValueError as error:
                raise TraceError(path, f"{value} and {weight} must be numbers: {error}", number) from error
            if not (0 <= amount < 1e12 and 0 <= count < 1e18):
                raise TraceError(path, f"{value} and {weight} must be 0 or more, not {amount:g} and {count:g}", number)
            total, weights = sums.get(tuple(row[:keys]), (0.0, 0.0))
            sums[tuple(row[:keys])] = (total + amount * count, weights + count)
    return {key: (total / weights, weights) for key, (total, weights) in sums.items() if weights and total}


def _by_application(
    durations: dict[tuple[str, ...], tuple[float, float]],
) -> dict[tuple[str, ...], tuple[float, float]]:
    sums: dict[tuple[str, ...], tuple[float, float]] = {}
    for key, (average, weight) in durations.items():
        total, weights = sums.get(key[:2], (0.0, 0.0))
        sums[key[:2]] = (total + average * weight, weights + weight)
    return {key: (total / weights, weights) for key, (total, weights) in sums.items()}


def _check_width(path: Path, number: int, row: list[str], columns: list[str]) -> None:
    if len(row) != len(columns):
        raise TraceError(path, f"it has {len(row)} fields, its header {len(columns)}", number)


def _rows(path: Path, progress: Progress) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields; a file without any line is malformed, lines without anything are skipped."""
    size = path.stat().st_size
    done = 0
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        try:
            for row in lines:
                if row:
                    done += sum(map(len, row)) + len(row)
                    progress(path, min(done, size), size)
                    yield lines.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise TraceError(path, str(error), lines.line_num + 1) from error
    if not done:
        raise TraceError(path, "it is empty")
