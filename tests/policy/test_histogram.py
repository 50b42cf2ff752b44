"""Histograms of idle times, against a plain list of them."""

import statistics
from math import ceil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.histogram import Histogram, add, head, tail, variation

SIZE, WIDTH_S = 20, 60.0
idle_times = st.lists(st.floats(0, 1500), min_size=1, max_size=60)


def filled(idle: list[float]) -> Histogram:
    histogram = Histogram()
    for idle_s in idle:
        histogram = add(histogram, idle_s, WIDTH_S, SIZE)
    return histogram


def plain(idle: list[float]) -> list[int]:
    counts = [0] * SIZE
    for idle_s in idle:
        if idle_s <= SIZE * WIDTH_S:
            counts[max(0, ceil(idle_s / WIDTH_S) - 1)] += 1
    return counts


@given(idle_times)
def test_counts_and_their_variation_are_those_of_all_bins(idle: list[float]) -> None:
    histogram, counts = filled(idle), plain(idle)
    assert dict(zip(histogram.bins, histogram.counts, strict=True)) == {i: n for i, n in enumerate(counts) if n}
    assert histogram.within + histogram.beyond == len(idle)
    if histogram.within:
        expected = statistics.pstdev(counts) / statistics.fmean(counts)
        assert variation(histogram, SIZE) == pytest.approx(expected)


@given(idle_times, st.sampled_from([0.05, 0.5, 0.99, 1.0]))
def test_percentiles_are_those_of_the_sorted_bins(idle: list[float], share: float) -> None:
    histogram = filled(idle)
    ordered = [where for where, count in enumerate(plain(idle)) for _ in range(count)]
    if not ordered:
        with pytest.raises(ValueError, match="empty"):
            head(histogram, share)
        with pytest.raises(ValueError, match="empty"):
            tail(histogram, share)
        return
    expected = next(where for n, where in enumerate(ordered, 1) if n >= share * len(ordered))
    assert head(histogram, share) == expected
    assert tail(histogram, share) == expected


@given(idle_times, st.floats(0, 1500), st.integers(1, 50))
def test_a_batch_is_the_same_as_one_by_one(idle: list[float], idle_s: float, count: int) -> None:
    one_by_one = filled([*idle, *([idle_s] * count)])
    assert add(filled(idle), idle_s, WIDTH_S, SIZE, count) == one_by_one


def test_the_end_of_a_bin_belongs_to_it() -> None:
    assert filled([0.0, 60.0, 60.1]).bins == (0, 1)
    assert filled([1200.0, 1200.1]) == Histogram((19,), (1,), 1, 1, beyond=1)


@given(idle_times)
def test_it_survives_being_stored(idle: list[float]) -> None:
    histogram = filled(idle)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(histogram), type=Histogram) == histogram
