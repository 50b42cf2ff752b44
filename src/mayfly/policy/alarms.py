"""What state an alarm is in, given the datapoints of its metric: CloudWatch's rules as its documentation words them.

Pure. The datapoints are those of the *evaluation range*, a little longer than the evaluation periods, so that one that
is missing can be made up for by an older one that is not.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Missing = Literal["breaching", "notBreaching", "ignore", "missing"]

EXTRA_PERIODS: Final = 2  # that the evaluation range has beyond the evaluation periods

Compare = Callable[[float, float], bool]
COMPARISONS: Final[Mapping[str, tuple[Compare, str]]] = MappingProxyType(
    {
        "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
        "GreaterThanThreshold": (operator.gt, "greater than"),
        "LessThanThreshold": (operator.lt, "less than"),
        "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm goes off."""

    comparison: str  # a key of COMPARISONS
    threshold: float
    evaluation_periods: int  # N
    datapoints_to_alarm: int  # M, at most N
    missing: Missing

    @property
    def breaches(self) -> Callable[[float], bool]:
        compare, _ = COMPARISONS[self.comparison]
        return lambda value: compare(value, self.threshold)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state, and the datapoints that it rests on, oldest first."""

    state: State
    used: tuple[int, ...]  # positions in the range
    breaching: int
    lacking: int  # datapoints that were made up


def evaluate(points: Sequence[float | None], rule: Rule, current: State) -> Verdict:
    """The state of an alarm with the range `points`, oldest first, None where nothing was measured."""
    real = [(at, value) for at, value in enumerate(points) if value is not None]
    used = real[-rule.evaluation_periods :]
    breaching = sum(rule.breaches(value) for _, value in used)
    lacking = rule.evaluation_periods - len(used)
    positions = tuple(at for at, _ in used)
    return Verdict(_state(points, rule, current, positions, breaching, lacking), positions, breaching, lacking)


def _state(
    points: Sequence[float | None],
    rule: Rule,
    current: State,
    used: tuple[int, ...],
    breaching: int,
    lacking: int,
) -> State:
    if lacking and rule.missing in ("breaching", "notBreaching"):
        made_up = lacking if rule.missing == "breaching" else 0
        return "ALARM" if breaching + made_up >= rule.datapoints_to_alarm else "OK"
    if not used:
        return current if rule.missing == "ignore" else "INSUFFICIENT_DATA"
    if breaching >= rule.datapoints_to_alarm:
        return "ALARM"
    if lacking and breaching == len(used):
        # Everything there is breaches, but there is too little of it.
        if rule.missing == "ignore":
            return current
        # Not too soon: the oldest of it must be as old as the datapoints that an alarm takes.
        return "ALARM" if len(points) - used[0] >= rule.datapoints_to_alarm else current
    return "OK"


def reason(values: Sequence[float], rule: Rule, verdict: Verdict) -> str:
    """Why, in the words of CloudWatch; `values` are those at `verdict.used`."""
    _, words = COMPARISONS[rule.comparison]
    crossing = verdict.state == "ALARM"
    if not values:
        if verdict.state == "INSUFFICIENT_DATA":
            return "Insufficient Data: no datapoints were received."
        treated = "Breaching" if crossing else "NonBreaching"
        return f"Threshold Crossed: no datapoints were received for {_count(verdict.lacking, 'period')} and " + (
            f"{_count(verdict.lacking, 'missing datapoint')} were treated as [{treated}]."
        )
    counted = [value for value in values if rule.breaches(value) == crossing] or list(values)
    told = ", ".join(f"{value!r}" for value in counted[-5:])
    shown = f"[{told}]"
    negation = "" if crossing else "not "
    plural = "was" if len(counted) == 1 else "were"
    tail = f" (minimum {rule.datapoints_to_alarm} datapoint{'s' if rule.datapoints_to_alarm > 1 else ''} for "
    tail += "OK -> ALARM transition)." if crossing else "ALARM -> OK transition)."
    return (
        f"Threshold Crossed: {len(counted)} out of the last {_count(rule.evaluation_periods, 'datapoint')} {shown} "
        f"{plural} {negation}{words} the threshold ({float(rule.threshold)!r}){tail}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
