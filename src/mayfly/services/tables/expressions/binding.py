"""A request's names and values put into a tree, and the checks that need them.

One `Bindings` serves all expressions of a request, because a placeholder counts as used whichever of them uses it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mayfly.services.tables.expressions.ast import (
    Action,
    Add,
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Condition,
    Delete,
    In,
    Literal,
    NameRef,
    Not,
    Operand,
    Or,
    Path,
    Projection,
    Remove,
    Set,
    Update,
    ValueRef,
)
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.expressions.operand_types import (
    check_between,
    check_calls,
    check_comparison,
    check_set_value,
    check_update_operand,
)
from mayfly.services.tables.values import AttributeValue

_NAME_KEY = re.compile(r"#[0-9a-zA-Z_]+\Z")
_VALUE_KEY = re.compile(r":[0-9a-zA-Z_]+\Z")


class Bindings:
    """The names and values of one request. Messages of `__init__` and `check_all_used` are complete ones."""

    def __init__(self, names: Mapping[str, str] | None, values: Mapping[str, AttributeValue] | None) -> None:
        self._names = names or {}
        self._values = values or {}
        self._unused_names = dict.fromkeys(self._names)
        self._unused_values = dict.fromkeys(self._values)

    def condition(self, tree: Condition) -> Condition:
        """A condition with everything in its place; `ExpressionError`."""
        match tree:
            case And(left, right):
                return And(self.condition(left), self.condition(right))
            case Or(left, right):
                return Or(self.condition(left), self.condition(right))
            case Not(condition):
                return Not(self.condition(condition))
            case Compare(operator, left, right):
                bound = Compare(operator, self._operand(left), self._operand(right))
                check_comparison(bound)
                return bound
            case Between(operand, low, high):
                between = Between(self._operand(operand), self._operand(low), self._operand(high))
                check_between(between)
                return between
            case In(operand, options):
                membership = In(self._operand(operand), tuple(self._operand(option) for option in options))
                for one in (membership.operand, *membership.options):
                    check_calls(one)
                return membership
            case Call():
                call = self._call(tree)
                check_calls(call)
                return call

    def projection(self, tree: Projection) -> Projection:
        """A projection with everything in its place; `ExpressionError`, also when paths overlap."""
        paths = tuple(self._path(path) for path in tree.paths)
        check_paths(paths)
        return Projection(paths)

    def update(self, tree: Update) -> Update:
        """An update with everything in its place; `ExpressionError`, also when paths overlap.

        Of several mistakes DynamoDB reports an undefined name first, then an undefined value, then paths that clash,
        then what ADD and DELETE cannot take, then functions and sums.
        """
        self._check_names(tree)
        actions = tuple(self._action(action) for action in tree.actions)
        check_paths([action.path for action in actions])
        for action in actions:
            if isinstance(action, Add | Delete):
                check_update_operand("ADD" if isinstance(action, Add) else "DELETE", action.value)
        for action in actions:
            if isinstance(action, Set):
                check_set_value(action.value)
        return Update(actions)

    def _check_names(self, tree: Update) -> None:
        for action in tree.actions:
            self._path(action.path)
            if isinstance(action, Set):
                for path in _paths(action.value):
                    self._path(path)

    def _action(self, action: Action) -> Action:
        path = self._path(action.path)
        match action:
            case Remove():
                return Remove(path)
            case Add(_, value):
                return Add(path, self._operand(value))
            case Delete(_, value):
                return Delete(path, self._operand(value))
            case Set(_, Arithmetic(operator, left, right)):
                return Set(path, Arithmetic(operator, self._operand(left), self._operand(right)))
            case Set(_, Path() | Literal() | ValueRef() | Call() as value):
                return Set(path, self._operand(value))
        raise AssertionError(f"{action} is no clause")

    def _operand(self, operand: Operand) -> Operand:
        match operand:
            case Path():
                return self._path(operand)
            case ValueRef(name):
                return Literal(self._value(name))
            case Call():
                return self._call(operand)
            case Literal():
                return operand

    def _call(self, call: Call) -> Call:
        return Call(call.function, tuple(self._operand(operand) for operand in call.operands))

    def _path(self, path: Path) -> Path:
        if not any(isinstance(part, NameRef) for part in path.parts):
            return path
        return Path(tuple(self._name(part.name) if isinstance(part, NameRef) else part for part in path.parts))

    def _name(self, placeholder: str) -> str:
        name = self._names.get(placeholder)
        if name is None:
            raise ExpressionError(
                f"An expression attribute name used in the document path is not defined; attribute name: {placeholder}"
            )
        self._unused_names.pop(placeholder, None)
        return name

    def _value(self, placeholder: str) -> AttributeValue:
        value = self._values.get(placeholder)
        if value is None:
            raise ExpressionError(
                f"An expression attribute value used in expression is not defined; attribute value: {placeholder}"
            )
        self._unused_values.pop(placeholder, None)
        return value

    def unused(self) -> str | None:
        """The complete message for placeholders that no expression used, or None."""
        for parameter, unused in (("Names", self._unused_names), ("Values", self._unused_values)):
            if unused:
                keys = ", ".join(unused)
                return f"Value provided in ExpressionAttribute{parameter} unused in expressions: keys: {{{keys}}}"
        return None


def _paths(value: Operand | Arithmetic) -> list[Path]:
    """The paths within a value."""
    match value:
        case Path():
            return [value]
        case Arithmetic(_, left, right):
            return [*_paths(left), *_paths(right)]
        case Call(_, operands):
            return [path for operand in operands for path in _paths(operand)]
    return []


def invalid_placeholder(names: Mapping[str, Any] | None, values: Mapping[str, Any] | None) -> str | None:
    """The complete message for parameters that cannot define placeholders, or None."""
    for parameter, given, pattern in (("Names", names, _NAME_KEY), ("Values", values, _VALUE_KEY)):
        if given is None:
            continue
        if not given:
            return f"ExpressionAttribute{parameter} must not be empty"
        for key in given:
            if not pattern.match(key):
                return f'ExpressionAttribute{parameter} contains invalid key: Syntax error; key: "{key}"'
    return None


def check_paths(paths: Sequence[Path]) -> None:
    """`ExpressionError` when two paths overlap (one leads through the other) or conflict (member against element).

    Sorted by their parts, a path that leads through another would follow it, but conflicts hide between others, so
    paths are compared through a tree of what was seen: linear in the number of parts.
    """
    conflict: ExpressionError | None = None
    root: dict[str | int | NameRef, Any] = {}
    ends: dict[int, Path] = {}  # by the identity of a node: the first path that ends there
    passing: dict[int, Path] = {}  # by the identity of a node: the first path that leads through it
    for path in paths:
        node = root
        for position, part in enumerate(path.parts):
            if id(node) in ends:
                raise _clash("overlap", ends[id(node)], path)
            if position and node and isinstance(next(iter(node)), int) != isinstance(part, int):
                conflict = conflict or _clash("conflict", passing[id(node)], path)
            passing.setdefault(id(node), path)
            node = node.setdefault(part, {})
        if id(node) in ends or node:
            raise _clash("overlap", ends.get(id(node)) or passing[id(node)], path)
        ends[id(node)] = path
    if conflict is not None:
        raise conflict


def _clash(how: str, one: Path, two: Path) -> ExpressionError:
    return ExpressionError(
        f"Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {one}, path two: {two}"
    )
