"""Metric math: expressions over time series, as far as alarms and dashboards commonly use them. Pure.

A value is a number or a series; a series is a dict from time to number. Operators and functions work time by time; a
time that either side lacks is left out. What CloudWatch has beyond (SEARCH, ANOMALY_DETECTION_BAND, ...) is refused by
name.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from mayfly.services.contract import ServiceError
from mayfly.services.metrics import faults

Series = dict[int, float]
Value = float | Series | list[Series]

MAX_DEPTH: Final = 30
_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|(==|!=|<=|>=|&&|\|\||[-+*/^()<>,\[\]]))"
)
_BINARY: Final[Mapping[str, tuple[int, Callable[[float, float], float]]]] = MappingProxyType(
    {
        "||": (1, lambda a, b: float(bool(a) or bool(b))),
        "OR": (1, lambda a, b: float(bool(a) or bool(b))),
        "&&": (2, lambda a, b: float(bool(a) and bool(b))),
        "AND": (2, lambda a, b: float(bool(a) and bool(b))),
        "==": (3, lambda a, b: float(a == b)),
        "!=": (3, lambda a, b: float(a != b)),
        "<": (3, lambda a, b: float(a < b)),
        ">": (3, lambda a, b: float(a > b)),
        "<=": (3, lambda a, b: float(a <= b)),
        ">=": (3, lambda a, b: float(a >= b)),
        "+": (4, operator.add),
        "-": (4, operator.sub),
        "*": (5, operator.mul),
        "/": (5, operator.truediv),
        "^": (6, math.pow),
    }
)
_FOLDS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = MappingProxyType(
    {"SUM": math.fsum, "AVG": lambda found: math.fsum(found) / len(found), "MIN": min, "MAX": max}
)
_EACH: Final[Mapping[str, Callable[[float], float]]] = MappingProxyType(
    {"ABS": abs, "CEIL": lambda value: float(math.ceil(value)), "FLOOR": lambda value: float(math.floor(value))}
)
FUNCTIONS: Final = (
    "ABS",
    "AVG",
    "CEIL",
    "DIFF",
    "FILL",
    "FLOOR",
    "IF",
    "MAX",
    "METRICS",
    "MIN",
    "PERIOD",
    "RATE",
    "SUM",
)


def evaluate(expression: str, known: Mapping[str, Series], times: Sequence[int], period_s: int) -> Series:
    """The series that `expression` gives over `times` (rising, Unix seconds); `known` are the series by their ids.

    `ServiceError` ValidationError for what is no expression, or gives no single series.
    """
    found = _Reader(expression, known, times, period_s).whole()
    if isinstance(found, list):
        raise faults.validation(f"The expression {expression} gives {len(found)} time series; it must give one.")
    if isinstance(found, float):
        return dict.fromkeys(times, found)
    return found


def names(expression: str) -> set[str]:
    """The ids that an expression speaks of."""
    return {word for _, word, _ in _tokens(expression) if word and word[0].islower()}


def _tokens(expression: str) -> list[tuple[str, str, str]]:
    found, at = [], 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise faults.validation(f"Error in expression '{expression}': unexpected {text[at:].strip()[:1]!r}.")
        found.append((match[1] or "", match[2] or "", match[3] or ""))
        at = match.end()
    return found


class _Reader:
    """Reads an expression and works it out on the way."""

    def __init__(self, text: str, known: Mapping[str, Series], times: Sequence[int], period_s: int) -> None:
        self._text = text
        self._known = known
        self._times = times
        self._period_s = period_s
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Value:
        value = self._binary(0)
        if self._at < len(self._tokens):
            raise self._error("unexpected " + repr("".join(self._tokens[self._at])))
        return value

    def _binary(self, least: int) -> Value:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH}")
        left = self._unary()
        while (sign := self._peek()) in _BINARY and _BINARY[sign][0] > least:
            strength, apply = _BINARY[sign]
            self._at += 1
            left = self._combined(apply, left, self._binary(strength))
        self._depth -= 1
        return left

    def _unary(self) -> Value:
        if self._peek() == "-":
            self._at += 1
            return self._combined(operator.mul, -1.0, self._unary())
        return self._primary()

    def _primary(self) -> Value:
        if self._at == len(self._tokens):
            raise self._error("it ends too early")
        number, word, sign = self._tokens[self._at]
        self._at += 1
        if number:
            return float(number)
        if sign == "(":
            value = self._binary(0)
            self._expect(")")
            return value
        if sign == "[":
            return self._listed()
        if word and self._peek() == "(":
            self._at += 1
            return self._call(word.upper())
        if word in self._known:
            return self._known[word]
        raise self._error(f"{word or sign!r} is not the id of a metric or expression")

    def _listed(self) -> Value:
        found: list[Series] = []
        while True:
            found += _series_of(self._binary(0), self._error)
            if self._peek() != ",":
                break
            self._at += 1
        self._expect("]")
        return found

    def _call(self, name: str) -> Value:
        arguments: list[Value] = []
        words: list[str] = []
        while self._peek() != ")":
            if name == "FILL" and len(arguments) == 1 and self._peek() in ("REPEAT", "LINEAR"):
                words.append(self._peek())
                self._at += 1
            else:
                arguments.append(self._binary(0))
            if self._peek() != ",":
                break
            self._at += 1
        self._expect(")")
        if name not in FUNCTIONS:
            have = ", ".join(FUNCTIONS)
            raise self._error(f"Mayfly does not implement the function {name}; it has {have}")
        try:
            return self._worked_out(name, arguments, words)
        except (IndexError, KeyError):
            raise self._error(f"{name} was given the wrong number of arguments") from None

    def _worked_out(self, name: str, arguments: list[Value], words: list[str]) -> Value:
        if name == "METRICS":
            return list(self._known.values())
        if name == "PERIOD":
            return float(self._period_s)
        if name in _FOLDS:
            return self._folded(_FOLDS[name], arguments[0])
        if name in _EACH:
            return self._combined(lambda value, _: _EACH[name](value), arguments[0], 0.0)
        if name == "IF":
            return self._chosen(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else {})
        one = _one(arguments[0], self._error)
        if name == "FILL":
            if words == ["LINEAR"]:
                raise self._error("Mayfly does not implement FILL with LINEAR; it fills with a number or REPEAT")
            return self._filled(one, None if words else arguments[1])
        before = dict(zip(list(one)[1:], one.values(), strict=False))
        gaps = dict(zip(list(one)[1:], one, strict=False))
        per = (lambda at: at - gaps[at]) if name == "RATE" else (lambda at: 1)
        return {at: (one[at] - before[at]) / per(at) for at in before}

    def _filled(self, series: Series, by: Value | None) -> Series:
        filled: Series = {}
        last: float | None = None
        for at in self._times:
            if at in series:
                last = filled[at] = series[at]
            elif by is None:
                if last is not None:
                    filled[at] = last
            elif isinstance(by, float):
                filled[at] = by
            elif isinstance(by, dict) and at in by:
                filled[at] = by[at]
        return filled

    def _folded(self, fold: Callable[[Sequence[float]], float], given: Value) -> Value:
        if isinstance(given, float):
            return given
        if isinstance(given, dict):  # of a single series: a number
            return fold(list(given.values())) if given else {}
        times = sorted({at for series in given for at in series})
        return {at: fold([series[at] for series in given if at in series]) for at in times}

    def _chosen(self, condition: Value, then: Value, otherwise: Value) -> Value:
        if isinstance(condition, float):
            return then if condition else otherwise
        chosen: Series = {}
        for at, value in _one(condition, self._error).items():
            side = then if value else otherwise
            found = side if isinstance(side, float) else _one(side, self._error).get(at)
            if found is not None:
                chosen[at] = found
        return chosen

    def _combined(self, apply: Callable[[float, float], float], left: Value, right: Value) -> Value:
        if isinstance(left, list):
            return [_one(self._combined(apply, series, right), self._error) for series in left]
        if isinstance(right, list):
            return [_one(self._combined(apply, left, series), self._error) for series in right]
        if isinstance(left, float) and isinstance(right, float):
            found = _safely(apply, left, right)
            if found is None:
                raise self._error("it divides by zero")
            return found
        times = left if isinstance(left, dict) else right
        assert isinstance(times, dict)
        combined: Series = {}
        for at in times:
            a = left if isinstance(left, float) else left.get(at)
            b = right if isinstance(right, float) else right.get(at)
            found = None if a is None or b is None else _safely(apply, a, b)
            if found is not None:
                combined[at] = found
        return combined

    def _peek(self) -> str:
        return "".join(self._tokens[self._at][1:]) if self._at < len(self._tokens) else ""

    def _expect(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._error(f"{sign!r} is missing")
        self._at += 1

    def _error(self, why: str) -> ServiceError:
        return faults.validation(f"Error in expression '{self._text}': {why}.")


def _safely(apply: Callable[[float, float], float], left: float, right: float) -> float | None:
    """None where there is no finite number: CloudWatch has no datapoint then."""
    try:
        found = apply(left, right)
    except (ArithmeticError, ValueError):
        return None
    return float(found) if math.isfinite(found) else None


def _one(value: Value, error: Callable[[str], ServiceError]) -> Series:
    if isinstance(value, dict):
        return value
    raise error("a single time series is needed")


def _series_of(value: Value, error: Callable[[str], ServiceError]) -> list[Series]:
    if isinstance(value, list):
        return value
    return [_one(value, error)]
