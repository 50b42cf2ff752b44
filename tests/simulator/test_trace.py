"""Stretches of minutes, against the minutes themselves."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mayfly.simulator.trace import Stretch, merge, stretches_of

counts = st.lists(st.integers(0, 3), max_size=40)


def minutes_of(stretches: list[Stretch] | tuple[Stretch, ...]) -> set[int]:
    return {minute for stretch in stretches for minute in range(stretch.start, stretch.end)}


@given(counts, st.integers(0, 3000))
def test_stretches_are_the_minutes_with_calls(row: list[int], first: int) -> None:
    stretches = stretches_of(row, first)
    assert minutes_of(stretches) == {first + minute for minute, count in enumerate(row) if count}
    assert sum(stretch.calls for stretch in stretches) == sum(row)
    assert all(left.end < right.start for left, right in pairwise(stretches))


@given(counts, counts)
def test_merging_functions_is_the_same_as_adding_their_counts(left: list[int], right: list[int]) -> None:
    size = max(len(left), len(right))
    together = [sum(pair) for pair in zip(left + [0] * size, right + [0] * size, strict=False)]
    assert merge([*stretches_of(left), *stretches_of(right)]) == tuple(stretches_of(together))


@given(counts, st.integers(0, 40))
def test_merging_days_is_the_same_as_not_parting_them(row: list[int], midnight: int) -> None:
    parts = [*stretches_of(row[:midnight]), *stretches_of(row[midnight:], min(midnight, len(row)))]
    assert merge(parts) == tuple(stretches_of(row))


def test_calls_are_spread_evenly_from_the_start_of_a_stretch() -> None:
    assert Stretch(10, 11, 5).step_s == 12
    assert Stretch(10, 11, 5).last_s == 10 * 60 + 48
    assert Stretch(10, 13, 3).last_s == 12 * 60
