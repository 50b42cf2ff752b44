"""Figures of samples: what is better, by how much, and how noisy it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.figures import MEASURES, Figure, Pair, added, figure, mayfly_first

LATENCY = next(measure for measure in MEASURES if measure.metric == "latency at 1")
THROUGHPUT = next(measure for measure in MEASURES if measure.metric == "throughput at 16")
POSITIVE = st.floats(min_value=1e-3, max_value=1e6)
PAIRS = st.lists(st.builds(Pair, POSITIVE, POSITIVE), min_size=1, max_size=9)


def test_of_latencies_the_smaller_is_ahead() -> None:
    found = figure(LATENCY, [Pair(peer=2.0, mayfly=0.5)])
    assert found == Figure(peer=2.0, mayfly=0.5, ahead=4.0, least=4.0, most=4.0, rounds=1)


def test_of_throughputs_the_larger_is_ahead() -> None:
    assert figure(THROUGHPUT, [Pair(peer=8000.0, mayfly=4000.0)]).ahead == 0.5


def test_a_drift_of_the_machine_that_meets_both_leaves_the_ratio_as_it_is() -> None:
    found = figure(LATENCY, [Pair(10.0, 5.0), Pair(20.0, 10.0), Pair(40.0, 20.0)])
    assert (found.least, found.ahead, found.most) == (2.0, 2.0, 2.0)
    assert (found.peer, found.mayfly) == (20.0, 10.0)


@given(PAIRS)
def test_the_median_of_the_ratios_is_within_their_range(pairs: list[Pair]) -> None:
    for measure in MEASURES:
        found = figure(measure, pairs)
        assert found.least <= found.ahead <= found.most
        assert found.rounds == len(pairs)


@given(PAIRS)
def test_trading_places_turns_the_range_upside_down(pairs: list[Pair]) -> None:
    traded = figure(LATENCY, [Pair(peer=pair.mayfly, mayfly=pair.peer) for pair in pairs])
    found = figure(LATENCY, pairs)
    assert found.least == pytest.approx(1 / traded.most)
    assert found.most == pytest.approx(1 / traded.least)


@pytest.mark.parametrize("pairs", [[], [Pair(0.0, 1.0)], [Pair(1.0, -1.0)]])
def test_there_is_no_figure_of_nothing(pairs: list[Pair]) -> None:
    with pytest.raises(ValueError, match="no figure"):
        figure(LATENCY, pairs)


def test_what_an_instance_added_is_the_growth_by_the_number_of_instances() -> None:
    assert added(100.0, 140.0, 8) == 5.0


@pytest.mark.parametrize(("before", "after", "instances"), [(100.0, 140.0, 0), (100.0, 99.0, 8)])
def test_what_did_not_grow_added_no_figure(before: float, after: float, instances: int) -> None:
    assert added(before, after, instances) is None


def test_mayfly_and_the_peer_take_turns_at_beginning() -> None:
    assert [mayfly_first(number) for number in range(4)] == [True, False, True, False]
