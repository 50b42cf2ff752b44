"""Sketches: quantiles within one per cent, and merging that loses nothing."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.quantiles import ACCURACY, MAX_BUCKETS, SMALLEST, Sketch, bucket, merge, quantile, value_of

VALUES = st.floats(-1e12, 1e12, allow_nan=False).filter(lambda value: value == 0 or abs(value) > SMALLEST)


def sketch_of(values: list[float]) -> Sketch:
    made: Sketch = {}
    for value in values:
        merge(made, {bucket(value): 1.0})
    return made


@given(VALUES)
def test_a_bucket_stands_for_its_values_within_its_accuracy(value: float) -> None:
    assert math.isclose(value_of(bucket(value)), value, rel_tol=ACCURACY * 1.001)


@given(st.lists(VALUES, min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_near_the_value_of_its_rank(values: list[float], fraction: float) -> None:
    exact = sorted(values)[max(0, math.ceil(fraction * len(values)) - 1)]
    found = quantile(sketch_of(values), fraction)
    assert found is not None
    assert math.isclose(found, exact, rel_tol=ACCURACY * 1.001)


@given(st.lists(VALUES, max_size=30), st.lists(VALUES, max_size=30))
def test_a_merge_of_sketches_is_the_sketch_of_all_values(one: list[float], two: list[float]) -> None:
    merged = sketch_of(one)
    merge(merged, sketch_of(two))
    assert merged == sketch_of(one + two)


def test_an_empty_sketch_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None


def test_a_sketch_stays_bounded_and_keeps_its_tail() -> None:
    wide = dict.fromkeys(range(1, 2 * MAX_BUCKETS), 1.0)
    made: Sketch = {}
    merge(made, wide)
    assert len(made) == MAX_BUCKETS
    assert sum(made.values()) == len(wide)
    assert quantile(made, 1.0) == value_of(2 * MAX_BUCKETS - 1)
