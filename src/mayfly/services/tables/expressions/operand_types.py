"""Checks of operands that a request states outright: an impossible type is refused before any item is looked at."""

from collections.abc import Sequence

from mayfly.services.tables.expressions.ast import Between, Call, Compare, Literal, Operand, Path
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.values import ORDERED, SETS, TYPES, AttributeValue, kind_of, rank

_LONG_NAMES = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "NULL": "NULL", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}


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
    if len(operands) == 2 and isinstance(operands[0], Path) and operands[0] == operands[1] and function not in _UPDATES:
        raise ExpressionError(
            "The first operand must be distinct from the remaining operands for this operator or function; "
            f"operator: {function}, first operand: {operands[0]}"
        )


_UPDATES = frozenset({"if_not_exists", "list_append"})


def check_comparison(compare: Compare) -> None:
    """`ExpressionError` for a comparison that no item could satisfy."""
    check_distinct(compare.operator, (compare.left, compare.right))
    if compare.operator in ("=", "<>"):
        return
    for operand in (compare.left, compare.right):
        kind = stated_type(operand)
        if kind is not None and kind not in ORDERED:
            raise _wrong_type(compare.operator, kind)


def check_between(between: Between) -> None:
    """`ExpressionError` for bounds that are of no ordered type, of two types, or in the wrong order."""
    for operand in (between.low, between.high):
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


def check_function(call: Call) -> None:
    """`ExpressionError` for operands that a function cannot work with."""
    name, operands = call.function, call.operands
    if name in ("attribute_exists", "attribute_not_exists", "if_not_exists") and not isinstance(operands[0], Path):
        raise ExpressionError(f"Operator or function requires a document path; operator or function: {name}")
    if name == "attribute_type":
        _check_attribute_type(operands[1])
    if name == "begins_with":
        for operand in operands:
            kind = stated_type(operand)
            if kind not in (None, "S", "B"):
                raise _wrong_type(name, str(kind))
    if name == "size" and stated_type(operands[0]) in ("N", "BOOL", "NULL"):
        raise _wrong_type(name, str(stated_type(operands[0])))
    if name == "list_append":
        for operand in operands:
            check_set_operand(name, operand, "L")


def _check_attribute_type(operand: Operand) -> None:
    if not isinstance(operand, Literal):
        raise _wrong_type("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
    if kind_of(operand.value) != "S":
        raise _wrong_type("attribute_type", kind_of(operand.value))
    if operand.value["S"] not in TYPES:
        raise ExpressionError(
            f"Invalid attribute type name found; type: {operand.value['S']}, "
            "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
        )


def check_set_operand(function: str, operand: Operand, needed: str) -> None:
    """`ExpressionError` when an operand of a SET clause is known not to be of the type that is needed."""
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
