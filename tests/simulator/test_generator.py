"""Synthetic traces against the published figures, their form, and their repeatability."""

import math
import statistics
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from mayfly.simulator import arrivals, dataset, distributions, generator
from mayfly.simulator.distributions import HTTP, TIMER
from mayfly.simulator.trace import MINUTES_A_DAY

APPLICATIONS = 4000


@pytest.fixture(scope="module")
def applications() -> list[distributions.Application]:
    rng = Random(7)
    return [distributions.application(rng) for _ in range(APPLICATIONS)]


def share(applications: list[distributions.Application], holds: list[bool]) -> float:
    assert len(holds) == len(applications)
    return sum(holds) / len(holds)


def test_applications_have_as_many_functions_as_published(applications: list[distributions.Application]) -> None:
    sizes = [len(one.functions) for one in applications]
    assert share(applications, [size == 1 for size in sizes]) == pytest.approx(0.54, abs=0.03)
    assert share(applications, [size <= 10 for size in sizes]) == pytest.approx(0.95, abs=0.02)


def test_triggers_are_combined_as_published(applications: list[distributions.Application]) -> None:
    triggers = [{trigger for trigger, _ in one.functions} for one in applications]
    assert share(applications, [used == {HTTP} for used in triggers]) == pytest.approx(0.43, abs=0.03)
    assert share(applications, [used == {TIMER} for used in triggers]) == pytest.approx(0.13, abs=0.03)
    assert share(applications, [HTTP in used for used in triggers]) == pytest.approx(0.64, abs=0.04)
    assert share(applications, [TIMER in used for used in triggers]) == pytest.approx(0.29, abs=0.04)
    of_functions = [trigger for one in applications for trigger, _ in one.functions]
    assert of_functions.count(HTTP) / len(of_functions) == pytest.approx(0.55, abs=0.05)
    assert of_functions.count(TIMER) / len(of_functions) == pytest.approx(0.16, abs=0.04)


def test_rates_are_as_published(applications: list[distributions.Application]) -> None:
    rates = [sum(rate for _, rate in one.functions) for one in applications]
    assert share(applications, [rate <= 24 for rate in rates]) == pytest.approx(0.45, abs=0.03)
    assert share(applications, [rate <= 1440 for rate in rates]) == pytest.approx(0.81, abs=0.03)
    busy = sum(rate for rate in rates if rate > 1440)
    assert busy / sum(rates) > 0.99
    assert max(rates) / min(rates) > 1e7


def test_memory_and_durations_have_the_published_distributions() -> None:
    rng = Random(3)
    memory = sorted(distributions.memory_mb(rng) for _ in range(20_000))
    for at in (0.1, 0.5, 0.9):
        value = memory[int(at * len(memory))]
        burr = 1 - (1 + (value / distributions.MEMORY_SCALE_MB) ** distributions.MEMORY_C) ** -distributions.MEMORY_K
        assert burr == pytest.approx(at, abs=0.02)
    durations = [distributions.duration_s(rng) for _ in range(20_000)]
    assert statistics.median(durations) == pytest.approx(math.exp(-0.38), rel=0.1)
    assert sum(value < 60 for value in durations) / len(durations) == pytest.approx(0.96, abs=0.02)


@pytest.mark.parametrize("rate", [10.0, 150.0, 1000.0, 2879.0, 20_000.0])
def test_a_function_is_called_about_as_often_as_drawn(rate: float) -> None:
    days, functions = 4, 60
    rng = Random(11)
    rows = [arrivals.counts(rng, HTTP, rate, days) for _ in range(functions)]
    assert all(len(row) == days * MINUTES_A_DAY and any(row) and min(row) >= 0 for row in rows)
    mean = sum(map(sum, rows)) / functions / days
    assert mean == pytest.approx(rate, rel=0.5)


def test_timers_fire_at_equal_distances() -> None:
    rng = Random(5)
    for rate in (1.0, 24.0, 288.0, 100_000.0):
        row = arrivals.counts(rng, TIMER, rate, 2)
        moments = [minute for minute, count in enumerate(row) if count]
        assert len({after - before for before, after in pairwise(moments)}) == 1
        assert max(row) == 1


@pytest.mark.parametrize("mean", [0.0, 0.3, 5.0, 80.0])
def test_poisson_numbers_have_their_mean_and_variance(mean: float) -> None:
    rng = Random(2)
    drawn = [arrivals.poisson(rng, mean) for _ in range(5000)]
    assert statistics.fmean(drawn) == pytest.approx(mean, rel=0.05, abs=0.02)
    assert statistics.pvariance(drawn) == pytest.approx(mean, rel=0.1, abs=0.02)


def test_the_same_seed_writes_the_same_trace_and_another_one_does_not(tmp_path: Path) -> None:
    told: list[int] = []
    generator.write(tmp_path / "a", 30, 2, seed=4, progress=told.append)
    generator.write(tmp_path / "b", 30, 2, seed=4)
    generator.write(tmp_path / "c", 30, 2, seed=5)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 6
    assert told == list(range(1, 31))
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert any((tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes() for name in names)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    generator.write(tmp_path, 40, 2, seed=8)
    written = list(generator.functions(40, 2, seed=8))
    trace = dataset.read(tmp_path)
    assert trace.days == 2
    assert len(trace.units) == 40
    assert sum(unit.calls for unit in trace.units) == sum(sum(function.counts) for function in written)
    by_name = {f"{one.owner[:12]}/{one.app[:12]}/{one.name[:12]}": one for one in written}
    for unit in trace.units:
        one = by_name[unit.name]
        assert unit.calls == sum(one.counts)
        assert unit.memory_mb == pytest.approx(one.memory_mb, abs=0.1)
        assert unit.duration_ms == pytest.approx(max(one.duration_ms, 0), abs=0.51) or round(one.duration_ms) == 0


@pytest.mark.parametrize("rate", [0.001, 0.1, 1.0])
def test_a_function_that_is_hardly_ever_called_is_called_at_least_once(rate: float) -> None:
    rng = Random(1)
    rows = [arrivals.counts(rng, HTTP, rate, 1) for _ in range(200)]
    assert all(any(row) for row in rows)
    starts = [next(minute for minute, count in enumerate(row) if count) for row in rows]
    assert statistics.fmean(starts) == pytest.approx(MINUTES_A_DAY / 2, rel=0.3)
