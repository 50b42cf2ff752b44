"""Metric math."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.metrics.expressions import Series, evaluate, names

TIMES = (0, 60, 120, 180)
A: Series = {0: 1.0, 60: 2.0, 180: 4.0}
B: Series = {0: 10.0, 60: 0.0, 120: 5.0, 180: 8.0}


def worked(expression: str) -> Series:
    return evaluate(expression, {"a": A, "b": B}, TIMES, 60)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", {0: 11, 60: 2, 180: 12}),
        ("a / b", {0: 0.1, 180: 0.5}),
        ("-a * 2 ^ 2", {0: -4, 60: -8, 180: -16}),
        ("(a + 1) * 2", {0: 4, 60: 6, 180: 10}),
        ("a - b - 1", {0: -10, 60: 1, 180: -5}),
        ("FILL(a, 0)", {0: 1, 60: 2, 120: 0, 180: 4}),
        ("FILL(a, REPEAT)", {0: 1, 60: 2, 120: 2, 180: 4}),
        ("SUM(METRICS())", {0: 11, 60: 2, 120: 5, 180: 12}),
        ("MAX([a, b])", {0: 10, 60: 2, 120: 5, 180: 8}),
        ("AVG(a)", dict.fromkeys(TIMES, 7 / 3)),
        ("IF(b > 5, b, 0)", {0: 10, 60: 0, 120: 0, 180: 8}),
        ("IF(b > 5, a)", {0: 1, 180: 4}),
        ("DIFF(a)", {60: 1, 180: 2}),
        ("RATE(a)", {60: 1 / 60, 180: 2 / 120}),
        ("CEIL(b / 4)", {0: 3, 60: 0, 120: 2, 180: 2}),
        ("a > 1 && b < 1", {0: 0, 60: 1, 180: 0}),
        ("PERIOD(a) + 1", dict.fromkeys(TIMES, 61)),
        ("(0 - a) ^ 0.5", {}),
    ],
)
def test_expressions_are_worked_out(expression: str, expected: Series) -> None:
    assert worked(expression) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a +", "ends too early"),
        ("a b", "unexpected 'b'"),
        ("c + 1", "'c' is not the id"),
        ("SEARCH(a)", "does not implement the function SEARCH"),
        ("(a", "'\\)' is missing"),
        ("a $ b", "unexpected '\\$'"),
        ("FILL(a)", "wrong number of arguments"),
        ("METRICS()", "gives 2 time series"),
        ("1 / 0", "divides by zero"),
        ("(" * 40 + "1", "nested deeper"),
        ("FILL(a, LINEAR)", "LINEAR"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(expression: str, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        worked(expression)


def test_ids_are_the_words_in_small_letters() -> None:
    assert names("SUM([e1, e2]) / m") == {"e1", "e2", "m"}


@given(st.text(alphabet="ab()[],+-*/^<>&|=! 01SUMFILIF.", max_size=40))
def test_any_text_is_worked_out_or_refused(expression: str) -> None:
    try:
        found = worked(expression)
    except ServiceError:
        found = {}
    assert all(isinstance(value, float) for value in found.values())
