"""Checks of operands that a request states outright: an impossible type is refused before any item is looked at."""

from collections.abc import Sequence

from mayfly.services.tables.expressions.ast import Arithmetic, Between, Call, Compare, Literal, Operand, Path
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.values import ORDERED, SETS, TYPES, AttributeValue, kind_of, rank

_LONG_NAMES = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "NULL": "NULL", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}


CONDITION_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}
OPERAND_COUNTS = {**CONDITION_FUNCTIONS, **UPDATE_FUNCTIONS}


def stated_type(operand: Operand) -> str | None:
    """The type of a literal, or of a function's result; None where only the item can tell."""
    if isinstance(operand, Literal):
        return kind_of(operand.value)
    if isinstance(operand, Call):
        return {"size": "N", "list_append": "L"}.get(operand.function)
    return None


def _wrong_type(function: str, kind: str) -> ExpressionError:
    return ExpressionError(
        f"Incorrect operand type for operator or function; operator or function: {function}, operand type: {kind}"
    )


def check_distinct(function: str, operands: Sequence[Operand]) -> None:
    """`ExpressionError` when an operator is given the same path twice."""
    if (
        len(operands) == 2
        and isinstance(operands[0], Path)
        and operands[0] == operands[1]
        and function not in UPDATE_FUNCTIONS
    ):
        raise ExpressionError(
            "The first operand must be distinct from the remaining operands for this operator or function; "
            f"operator: {function}, first operand: {operands[0]}"
        )


def check_comparison(compare: Compare) -> None:
    """`ExpressionError` for a comparison that no item could satisfy."""
    check_calls(compare.left)
    check_calls(compare.right)
    check_distinct(compare.operator, (compare.left, compare.right))
    if compare.operator in ("=", "<>"):
        return
    for operand in (compare.left, compare.right):
        kind = stated_type(operand)
        if kind is not None and kind not in ORDERED:
            raise _wrong_type(compare.operator, kind)


def check_between(between: Between) -> None:
    """`ExpressionError` for bounds that are of no ordered type, of two types, or in the wrong order."""
    check_calls(between.operand)
    for operand in (between.low, between.high):
        check_calls(operand)
        kind = stated_type(operand)
        if kind is not None and kind not in ORDERED:
            raise _wrong_type("BETWEEN", kind)
    if not (isinstance(between.low, Literal) and isinstance(between.high, Literal)):
        return
    low, high = between.low.value, between.high.value
    bounds = f"lower bound operand: {_shown(low)}, upper bound operand: {_shown(high)}"
    if kind_of(low) != kind_of(high):
        raise ExpressionError(f"The BETWEEN operator requires same data type for lower and upper bounds; {bounds}")
    if rank(low) > rank(high):
        raise ExpressionError(
            f"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; {bounds}"
        )


def _shown(value: AttributeValue) -> str:
    ((kind, content),) = value.items()
    return f"AttributeValue: {{{kind}:{content}}}"


def check_calls(operand: Operand) -> None:
    """`ExpressionError` for operands that a function, or one within it, cannot work with."""
    if not isinstance(operand, Call):
        return
    for inner in operand.operands:
        check_calls(inner)
    name, operands = operand.function, operand.operands
    if len(operands) != OPERAND_COUNTS[name]:
        raise ExpressionError(
            "Incorrect number of operands for operator or function; "
            f"operator or function: {name}, number of operands: {len(operands)}"
        )
    check_distinct(name, operands)
    if name in ("attribute_exists", "attribute_not_exists", "if_not_exists") and not isinstance(operands[0], Path):
        raise ExpressionError(f"Operator or function requires a document path; operator or function: {name}")
    if name == "attribute_type":
        _check_attribute_type(operands[1])
    if name == "begins_with":
        for part in operands:
            kind = stated_type(part)
            if kind not in (None, "S", "B"):
                raise _wrong_type(name, str(kind))
    if name == "size" and stated_type(operands[0]) in ("N", "BOOL", "NULL"):
        raise _wrong_type(name, str(stated_type(operands[0])))
    if name == "list_append":
        for part in operands:
            _check_needed(name, part, "L")


def _check_attribute_type(operand: Operand) -> None:
    if not isinstance(operand, Literal) or kind_of(operand.value) != "S":
        raise _wrong_type("attribute_type", stated_type(operand) or "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
    if operand.value["S"] not in TYPES:
        raise ExpressionError(
            f"Invalid attribute type name found; type: {operand.value['S']}, "
            "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
        )


def check_set_value(value: Operand | Arithmetic) -> None:
    """`ExpressionError` when the value of a SET clause cannot be worked out whatever the item is."""
    if not isinstance(value, Arithmetic):
        check_calls(value)
        return
    for operand in (value.left, value.right):
        check_calls(operand)
        _check_needed(value.operator, operand, "N")


def _check_needed(function: str, operand: Operand, needed: str) -> None:
    kind = stated_type(operand)
    if kind is not None and kind != needed:
        raise _wrong_type(function, kind)


def check_update_operand(clause: str, operand: Operand) -> None:
    """`ExpressionError` when ADD or DELETE is given what it cannot add or take away."""
    kind = stated_type(operand)
    if kind in SETS or (clause == "ADD" and kind == "N"):
        return
    raise ExpressionError(
        "Incorrect operand type for operator or function; "
        f"operator: {clause}, operand type: {_LONG_NAMES.get(str(kind), kind)}"
    )
