"""Whole traces: figures, equal memory, and names of policies."""

import pytest

from mayfly.policy.hazard import Hazard
from mayfly.policy.hybrid import Hybrid
from mayfly.policy.windows import Fixed
from mayfly.simulator import policies, simulation
from mayfly.simulator.generator import functions
from mayfly.simulator.replay import Tally
from mayfly.simulator.report import quantile, summarize
from mayfly.simulator.trace import Stretch, Trace, Unit, stretches_of


@pytest.fixture(scope="module")
def trace() -> Trace:
    units = [
        Unit(one.name, tuple(stretches_of(one.counts)), one.memory_mb, one.duration_ms)
        for one in functions(150, 2, seed=21)
    ]
    return Trace(tuple(units), 2)


def test_figures_are_those_of_the_units() -> None:
    units = tuple(Unit(str(n), (Stretch(0, 1, 4),), memory_mb, 1.0) for n, memory_mb in enumerate((512.0, 1024.0)))
    found = summarize("some", Trace(units, 1), [Tally(4, 1, 3600.0, 2), Tally(4, 4, 7200.0, 0)], start_ms=100.0)
    assert (found.calls, found.cold_starts, found.prewarms) == (8, 5, 2)
    assert (found.cold_percent_median, found.cold_percent_p75, found.cold_percent_mean) == (62.5, 81.25, 62.5)
    assert found.always_cold_percent == 50
    assert (found.idle_hours, found.idle_gb_hours) == (3.0, 2.5)
    # 2.5 GB for an hour of idle memory; 3 starts of 0.1 s with 0.5 GB and 4 with 1 GB.
    assert found.cost_usd == pytest.approx(2.5 * 3600 * 0.0000041667 + (3 * 0.05 + 4 * 0.1) * 0.0000166667)


def test_quantiles_lie_between_neighbours() -> None:
    assert [quantile([0, 10], share) for share in (0, 0.25, 1)] == [0, 2.5, 10]
    assert quantile([], 0.5) == 0


def test_every_unit_is_reported_to_who_watches(trace: Trace) -> None:
    told: list[int] = []
    simulation.run(Fixed(600.0), trace, 100.0, told.append)
    assert sum(told) == len(trace.units)
    told.clear()
    simulation.matching(trace, Fixed(600.0), advance=told.append)
    assert sum(told) == simulation.searched(trace)


def test_longer_keep_alive_holds_more_and_misses_less(trace: Trace) -> None:
    results = [simulation.run(Fixed(minutes * 60.0), trace, 100.0) for minutes in (1, 10, 60, 240)]
    assert [one.cold_starts for one in results] == sorted((one.cold_starts for one in results), reverse=True)
    assert [one.idle_hours for one in results] == sorted(one.idle_hours for one in results)


def test_for_the_memory_of_a_fixed_time_mayflys_policy_has_fewer_cold_starts(trace: Trace) -> None:
    fixed = simulation.run(Fixed(600.0), trace, 100.0)
    fewest = simulation.run(simulation.matching(trace, Fixed(600.0), Hazard(fairness=0.0, company=1.0)), trace, 100.0)
    fairest = simulation.run(simulation.matching(trace, Fixed(600.0)), trace, 100.0)
    for found in (fewest, fairest):
        assert found.idle_gb_hours == pytest.approx(fixed.idle_gb_hours, rel=0.03)
    assert fewest.cold_starts < fixed.cold_starts / 1.3
    assert fairest.cold_percent_mean < fixed.cold_percent_mean / 1.05
    assert fairest.cold_percent_mean < fewest.cold_percent_mean


def test_foresight_has_the_memory_it_is_given_and_fewer_cold_starts_than_a_fixed_time(trace: Trace) -> None:
    fixed = simulation.run(Fixed(600.0), trace, 100.0)
    foreseen = simulation.foresight(trace, fixed.idle_gb_hours, 100.0)
    assert foreseen.idle_gb_hours <= fixed.idle_gb_hours
    assert foreseen.cold_starts < fixed.cold_starts


def test_policies_have_names() -> None:
    assert policies.parse("fixed:90s") == Fixed(90.0)
    assert policies.parse("fixed:1.5h") == Fixed(5400.0)
    assert policies.parse("hybrid") == Hybrid()
    assert policies.parse("hybrid:2h") == Hybrid(range_s=7200.0)
    assert policies.parse("hazard") == Hazard()
    assert policies.parse("hazard:0.25") == Hazard(price=0.25)


@pytest.mark.parametrize(
    "name", ["", "fixed", "fixed:10", "fixed:-1m", "hybrid:1s", "hazard:0", "hazard:nan", "lru", "hazard:x"]
)
def test_other_names_are_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(policies.PolicyNameError, match=r"Policies are fixed:10m, hybrid, hybrid:2h, hazard"):
        policies.parse(name)
