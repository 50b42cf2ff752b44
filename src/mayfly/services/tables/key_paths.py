"""What expressions may say about key attributes: never what is inside one, and in a query's filter nothing at all."""

from collections.abc import Iterable, Sequence

from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.expressions.ast import (
    And,
    Between,
    Call,
    Compare,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
)
from mayfly.services.tables.model import Attribute, Table


def check_scalar_keys(table: Table, paths: Iterable[Path]) -> None:
    """`InvalidError` when a path looks for something inside a key attribute."""
    nested = {path.head for path in paths if len(path.parts) > 1}
    if not nested:
        return
    own = [("Key", attribute) for attribute in table.key_attributes()]
    for kind, attribute in [*own, *(("IndexKey", one) for index in table.indexes for one in index.key_attributes())]:
        if attribute.name in nested:
            raise InvalidError(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                f"{kind}: {attribute.name}"
            )


def check_filter(schema: Sequence[Attribute], condition: Condition | None, parameter: str) -> None:
    """`InvalidError` when a query's filter speaks of the attributes that its key condition is for."""
    if condition is None:
        return
    heads = {path.head for path in paths_of(condition)}
    for attribute in schema:
        if attribute.name in heads:
            raise InvalidError(
                f"{parameter} can only contain non-primary key attributes: Primary key attribute: {attribute.name}"
            )


def paths_of(node: Condition | Operand | None) -> list[Path]:
    """All paths of a condition."""
    match node:
        case Path():
            return [node]
        case Not(condition):
            return paths_of(condition)
        case And(left, right) | Or(left, right):
            return [*paths_of(left), *paths_of(right)]
        case Compare(_, one, other):
            return [*paths_of(one), *paths_of(other)]
        case Between(operand, low, high):
            return [*paths_of(operand), *paths_of(low), *paths_of(high)]
        case In(operand, options):
            return [path for part in (operand, *options) for path in paths_of(part)]
        case Call(_, operands):
            return [path for part in operands for path in paths_of(part)]
    return []
