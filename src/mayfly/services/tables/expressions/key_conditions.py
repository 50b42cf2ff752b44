"""What a KeyConditionExpression asks of a hash and a range key."""

from typing import Literal as OneOf
from typing import TypeAlias

import msgspec

from mayfly.services.tables.expressions.ast import (
    And,
    Between,
    Call,
    Comparator,
    Compare,
    Condition,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Path,
)
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.values import AttributeValue

RangeOperator: TypeAlias = OneOf["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with", "other"]

_MIRRORED: dict[Comparator, RangeOperator] = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class KeyCondition(msgspec.Struct, frozen=True):
    """What is asked of one key attribute: an operator and its one value, or two of BETWEEN.

    "other" is any operator of the legacy parameters by which keys cannot be looked up.
    """

    operator: RangeOperator
    values: tuple[AttributeValue, ...]


def key_conditions(condition: Condition) -> dict[str, KeyCondition]:
    """The conditions on key attributes, by attribute; `ExpressionError` (complete messages) for anything else."""
    found: dict[str, KeyCondition] = {}
    for part in _conjuncts(condition):
        name, asked = _one(part)
        if name in found:
            raise ExpressionError("KeyConditionExpressions must only contain one condition per key")
        found[name] = asked
    return found


def _conjuncts(condition: Condition) -> list[Condition]:
    if isinstance(condition, And):
        return [*_conjuncts(condition.left), *_conjuncts(condition.right)]
    return [condition]


def _one(condition: Condition) -> tuple[str, KeyCondition]:
    match condition:
        case Compare(operator, left, right):
            if operator == "<>":
                raise _invalid_operator(operator)
            if isinstance(left, Literal):
                return _name((right, left)), KeyCondition(_MIRRORED[operator], _values((left,)))
            return _name((left, right)), KeyCondition(operator, _values((right,)))
        case Between(operand, low, high):
            _key_first("BETWEEN", operand)
            return _name((operand, low, high)), KeyCondition("BETWEEN", _values((low, high)))
        case Call("begins_with", operands):
            _key_first("begins_with", operands[0])
            return _name(operands), KeyCondition("begins_with", _values(operands[1:]))
        case Call(function, _):
            raise _invalid_operator(function)
        case Or():
            raise _invalid_operator("OR")
        case Not():
            raise _invalid_operator("NOT")
        case In():
            raise _invalid_operator("IN")
    raise AssertionError(f"{condition} was taken apart before")


def _key_first(operator: str, operand: Operand) -> None:
    if isinstance(operand, Literal):
        raise ExpressionError(
            f"Invalid condition in KeyConditionExpression: {operator} operator must have the key attribute "
            "as its first operand"
        )


def _name(operands: tuple[Operand, ...]) -> str:
    """The one attribute among the operands."""
    name: str | None = None
    for operand in operands:
        if isinstance(operand, Call):
            raise ExpressionError("KeyConditionExpressions cannot contain nested operations")
        if not isinstance(operand, Path):
            continue
        if name is not None:
            raise ExpressionError(
                "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"
            )
        if len(operand.parts) > 1:
            raise ExpressionError("KeyConditionExpressions cannot have conditions on nested attributes")
        name = operand.head
    if name is None:
        raise ExpressionError("Invalid condition in KeyConditionExpression: No key attribute specified")
    return name


def _values(operands: tuple[Operand, ...]) -> tuple[AttributeValue, ...]:
    return tuple(operand.value for operand in operands if isinstance(operand, Literal))


def _invalid_operator(operator: str) -> ExpressionError:
    return ExpressionError(f"Invalid operator used in KeyConditionExpression: {operator}")
