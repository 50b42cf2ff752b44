"""The trees of expressions: conditions, updates, projections.

A tree comes from the parser with placeholders (`NameRef`, `ValueRef`) in it; binding replaces them by a request's names
and values, after which only `Path` and `Literal` remain. Evaluation takes bound trees. The legacy parameters are
translated into bound trees directly.
"""

from typing import Literal as OneOf
from typing import TypeAlias

import msgspec

from mayfly.services.tables.values import AttributeValue


class NameRef(msgspec.Struct, frozen=True):
    """A placeholder of an attribute name: `#n`."""

    name: str


class ValueRef(msgspec.Struct, frozen=True):
    """A placeholder of a value: `:v`."""

    name: str


class Path(msgspec.Struct, frozen=True):
    """A document path: an attribute, then members (text) and elements (numbers)."""

    parts: tuple[str | int | NameRef, ...]

    @property
    def head(self) -> str:
        """The attribute; for bound paths."""
        head = self.parts[0]
        assert isinstance(head, str), "bound before use"
        return head

    def __str__(self) -> str:
        return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else str(part) for part in self.parts) + "]"


class Literal(msgspec.Struct, frozen=True):
    """A value of the request."""

    value: AttributeValue


class Call(msgspec.Struct, frozen=True):
    """A function and its operands."""

    function: str
    operands: tuple["Operand", ...]


Operand: TypeAlias = Path | Literal | ValueRef | Call

Comparator: TypeAlias = OneOf["=", "<>", "<", "<=", ">", ">="]


class Compare(msgspec.Struct, frozen=True):
    """`left operator right`."""

    operator: Comparator
    left: Operand
    right: Operand


class Between(msgspec.Struct, frozen=True):
    """`operand BETWEEN low AND high`, both inclusive."""

    operand: Operand
    low: Operand
    high: Operand


class In(msgspec.Struct, frozen=True):
    """`operand IN (options)`."""

    operand: Operand
    options: tuple[Operand, ...]


class And(msgspec.Struct, frozen=True):
    """Both hold."""

    left: "Condition"
    right: "Condition"


class Or(msgspec.Struct, frozen=True):
    """At least one holds."""

    left: "Condition"
    right: "Condition"


class Not(msgspec.Struct, frozen=True):
    """It does not hold."""

    condition: "Condition"


Condition: TypeAlias = Compare | Between | In | Call | And | Or | Not


class Arithmetic(msgspec.Struct, frozen=True):
    """`left + right` or `left - right`, in a SET clause."""

    operator: OneOf["+", "-"]
    left: Operand
    right: Operand


class Set(msgspec.Struct, frozen=True):
    """`path = value`."""

    path: Path
    value: Operand | Arithmetic


class Remove(msgspec.Struct, frozen=True):
    """Remove an attribute, member or element."""

    path: Path


class Add(msgspec.Struct, frozen=True):
    """Add to a number or a set."""

    path: Path
    value: Operand


class Delete(msgspec.Struct, frozen=True):
    """Remove elements from a set."""

    path: Path
    value: Operand


Action: TypeAlias = Set | Remove | Add | Delete


class Update(msgspec.Struct, frozen=True):
    """The clauses of an update expression, in their order."""

    actions: tuple[Action, ...]


class Projection(msgspec.Struct, frozen=True):
    """The paths to keep."""

    paths: tuple[Path, ...]


Tree: TypeAlias = Condition | Update | Projection
