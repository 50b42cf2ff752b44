"""Alarm states by CloudWatch's documented tables of missing data, and what holds for any points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.alarms import Missing, Rule, State, evaluate, reason

HIGH, LOW = 5.0, 1.0  # breaching and not, at a threshold of 3
TREATMENTS: tuple[Missing, ...] = ("missing", "ignore", "breaching", "notBreaching")


def rule(missing: Missing, needed: int, periods: int = 3) -> Rule:
    return Rule("GreaterThanThreshold", 3.0, periods, needed, missing)


def points(text: str) -> list[float | None]:
    return [{"X": HIGH, "0": LOW, "-": None}[mark] for mark in text.split()]


# The states under each treatment in the order of TREATMENTS; "=" is the state before.
@pytest.mark.parametrize(
    ("needed", "text", "states"),
    [
        (3, "0 - X - X", "OK OK OK OK"),
        (3, "- - - - 0", "OK OK OK OK"),
        (3, "- - - - -", "INSUFFICIENT_DATA = ALARM OK"),
        (3, "0 X X - X", "ALARM ALARM ALARM ALARM"),
        (3, "- - X - -", "ALARM = ALARM OK"),
        (2, "0 - X - X", "ALARM ALARM ALARM ALARM"),
        (2, "0 0 X 0 X", "ALARM ALARM ALARM ALARM"),
        (2, "0 - X - -", "OK OK ALARM OK"),
        (2, "- - - - 0", "OK OK ALARM OK"),
        (2, "- - - X -", "ALARM = ALARM OK"),
        (3, "- - - - X", "= = ALARM OK"),
    ],
)
def test_missing_data_is_treated_as_documented(needed: int, text: str, states: str) -> None:
    before: State
    for before in ("OK", "ALARM"):
        for missing, expected in zip(TREATMENTS, states.split(), strict=True):
            verdict = evaluate(points(text), rule(missing, needed), before)
            assert verdict.state == (before if expected == "=" else expected), (missing, before)


@given(st.lists(st.sampled_from([HIGH, LOW, None]), max_size=8), st.integers(1, 5), st.data())
def test_more_breaching_never_turns_an_alarm_off(range_: list[float | None], periods: int, data: st.DataObject) -> None:
    needed = data.draw(st.integers(1, periods))
    missing = data.draw(st.sampled_from(TREATMENTS))
    verdict = evaluate(range_, rule(missing, needed, periods), "OK")
    worse = [HIGH if point == LOW else point for point in range_]
    if verdict.state == "ALARM":
        assert evaluate(worse, rule(missing, needed, periods), "OK").state == "ALARM"


@given(st.lists(st.sampled_from([HIGH, LOW]), min_size=5, max_size=8), st.integers(1, 5))
def test_without_gaps_only_the_last_periods_count(range_: list[float | None], needed: int) -> None:
    states = {evaluate(range_, rule(missing, needed, 5), "OK").state for missing in TREATMENTS}
    assert states == {"ALARM" if range_[-5:].count(HIGH) >= needed else "OK"}


def test_reasons_name_the_datapoints_and_the_threshold() -> None:
    sharp = rule("missing", 1, 1)
    verdict = evaluate([HIGH], sharp, "OK")
    assert reason([HIGH], sharp, verdict) == (
        "Threshold Crossed: 1 out of the last 1 datapoint [5.0] was greater than the threshold (3.0) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert "not greater than the threshold (3.0)" in reason([LOW], sharp, evaluate([LOW], sharp, "ALARM"))
    assert "no datapoints" in reason([], sharp, evaluate([None], sharp, "OK"))
