"""The parameters that came before expressions, translated into the trees that expressions make.

`Expected`, `QueryFilter`, `ScanFilter`, `KeyConditions`, `AttributeUpdates` and `AttributesToGet`; the rest of the
package never sees them. Source: "Legacy conditional parameters" in the developer guide.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.expressions.ast import (
    Action,
    Add,
    And,
    Between,
    Call,
    Comparator,
    Compare,
    Condition,
    Delete,
    In,
    Literal,
    Not,
    Or,
    Path,
    Projection,
    Remove,
    Set,
    Update,
)
from mayfly.services.tables.expressions.key_conditions import KeyCondition, RangeOperator
from mayfly.services.tables.values import SETS, AttributeValue, checked, kind_of, rank

_COMPARATORS: dict[str, Comparator] = {"EQ": "=", "NE": "<>", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}
_SCALARS = frozenset({"S", "N", "B"})
_ALLOWED_TYPES = {
    "LT": _SCALARS,
    "LE": _SCALARS,
    "GT": _SCALARS,
    "GE": _SCALARS,
    "BETWEEN": _SCALARS,
    "BEGINS_WITH": frozenset({"S", "B"}),
    "CONTAINS": _SCALARS,
    "NOT_CONTAINS": _SCALARS,
    "IN": _SCALARS,
}
_RANGE_OPERATORS: dict[str, RangeOperator] = {
    "EQ": "=",
    "LT": "<",
    "LE": "<=",
    "GT": ">",
    "GE": ">=",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
}
_PREFIX = "One or more parameter values were invalid: "


def projection(names: Sequence[str]) -> Projection:
    """`AttributesToGet`; `InvalidError` for a name that comes twice."""
    for position, name in enumerate(names):
        if name in names[:position]:
            raise InvalidError(f"{_PREFIX}Duplicate value in attribute name: {name}")
    return Projection(tuple(Path((name,)) for name in names))


def filter_condition(conditions: Mapping[str, Mapping[str, Any]], operator: str) -> Condition | None:
    """`QueryFilter` or `ScanFilter` under a `ConditionalOperator`; None when it asks for nothing; `InvalidError`."""
    return _joined([_condition(name, condition) for name, condition in conditions.items()], operator)


def expected_condition(expected: Mapping[str, Mapping[str, Any]], operator: str) -> Condition | None:
    """`Expected` under a `ConditionalOperator`; None when it asks for nothing; `InvalidError`."""
    return _joined([_expectation(name, expectation) for name, expectation in expected.items()], operator)


def _joined(conditions: list[Condition], operator: str) -> Condition | None:
    if not conditions:
        return None
    return reduce(Or if operator == "OR" else And, conditions)


def _expectation(name: str, expectation: Mapping[str, Any]) -> Condition:
    if "Value" in expectation and "AttributeValueList" in expectation:
        raise InvalidError(f"{_PREFIX}Value and AttributeValueList cannot be used together for Attribute: {name}")
    operator = expectation.get("ComparisonOperator")
    if operator is not None:
        if "Exists" in expectation:
            raise InvalidError(f"{_PREFIX}Exists and ComparisonOperator cannot be used together for Attribute: {name}")
        values = [expectation["Value"]] if "Value" in expectation else expectation.get("AttributeValueList", ())
        given = "Value" in expectation or "AttributeValueList" in expectation
        if not given and operator not in ("NULL", "NOT_NULL"):
            raise InvalidError(
                f"{_PREFIX}Value or AttributeValueList must be used with ComparisonOperator: {operator} "
                f"for Attribute: {name}"
            )
        return _condition(name, {"ComparisonOperator": operator, "AttributeValueList": values})
    if "AttributeValueList" in expectation:
        raise InvalidError(
            f"{_PREFIX}AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
        )
    return _existence(name, expectation)


def _existence(name: str, expectation: Mapping[str, Any]) -> Condition:
    exists = expectation.get("Exists")
    if exists is False:
        if "Value" in expectation:
            raise InvalidError(f"{_PREFIX}Value cannot be used when Exists is false for Attribute: {name}")
        return Call("attribute_not_exists", (Path((name,)),))
    if "Value" not in expectation:
        shown = "null" if exists is None else "true"
        raise InvalidError(f"{_PREFIX}Value must be provided when Exists is {shown} for Attribute: {name}")
    return Compare("=", Path((name,)), Literal(checked(expectation["Value"])))


def _condition(name: str, condition: Mapping[str, Any]) -> Condition:
    operator = condition["ComparisonOperator"]
    values = _arguments(operator, condition.get("AttributeValueList", ()))
    path, literals = Path((name,)), tuple(Literal(value) for value in values)
    if operator in _COMPARATORS:
        return Compare(_COMPARATORS[operator], path, literals[0])
    match operator:
        case "NULL":
            return Call("attribute_not_exists", (path,))
        case "NOT_NULL":
            return Call("attribute_exists", (path,))
        case "BETWEEN":
            return Between(path, literals[0], literals[1])
        case "IN":
            return In(path, literals)
        case "BEGINS_WITH":
            return Call("begins_with", (path, literals[0]))
        case "CONTAINS":
            return Call("contains", (path, literals[0]))
    return Not(Call("contains", (path, literals[0])))


def _arguments(operator: str, given: Sequence[Mapping[str, Any]]) -> list[AttributeValue]:
    values = [checked(value) for value in given]
    count = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}.get(operator, 1)
    if len(values) < count or (len(values) > count and operator != "IN"):
        raise InvalidError(f"{_PREFIX}Invalid number of argument(s) for the {operator} ComparisonOperator")
    if len({kind_of(value) for value in values}) > 1:
        raise InvalidError(f"{_PREFIX}AttributeValues inside AttributeValueList must be of same type")
    for value in values:
        if kind_of(value) not in _ALLOWED_TYPES.get(operator, {kind_of(value)}):
            raise InvalidError(
                f"{_PREFIX}ComparisonOperator {operator} is not valid for {kind_of(value)} AttributeValue type"
            )
    if operator == "BETWEEN" and rank(values[0]) > rank(values[1]):
        raise InvalidError(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )
    return values


def key_conditions(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, KeyCondition]:
    """`KeyConditions`; `InvalidError`."""
    found: dict[str, KeyCondition] = {}
    for name, condition in conditions.items():
        operator = condition["ComparisonOperator"]
        values = _arguments(operator, condition.get("AttributeValueList", ()))
        found[name] = KeyCondition(_RANGE_OPERATORS.get(operator, "other"), tuple(values))
    return found


def update(updates: Mapping[str, Mapping[str, Any]]) -> Update:
    """`AttributeUpdates`; `InvalidError`."""
    return Update(tuple(_action(Path((name,)), update) for name, update in updates.items()))


def _action(path: Path, update: Mapping[str, Any]) -> Action:
    action = update.get("Action", "PUT")
    if "Value" not in update:
        if action != "DELETE":
            raise InvalidError(f"{_PREFIX}Only DELETE action is allowed when no attribute value is specified")
        return Remove(path)
    value = checked(update["Value"])
    kind = kind_of(value)
    if action == "PUT":
        return Set(path, Literal(value))
    if action == "DELETE":
        if kind not in SETS:
            raise InvalidError(f"{_PREFIX}DELETE action with value is not supported for the type {kind}")
        return Delete(path, Literal(value))
    if kind == "L":
        present = Call("if_not_exists", (path, Literal({"L": []})))
        return Set(path, Call("list_append", (present, Literal(value))))
    if kind != "N" and kind not in SETS:
        raise InvalidError(f"{_PREFIX}ADD action is not supported for the type {kind}")
    return Add(path, Literal(value))
