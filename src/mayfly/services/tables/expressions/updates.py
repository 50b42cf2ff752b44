"""What an update makes of an item.

All values are worked out from the item as it was, then all clauses change a copy. Paths do not overlap (binding made
sure), so the order of clauses shows only in lists, and DynamoDB defines that away: elements keep their numbers until
the end, removed ones then close up, and those set past the end are appended in the order of their numbers.
"""

from typing import Any

from mayfly.services.tables import numbers
from mayfly.services.tables.expressions.ast import (
    Action,
    Add,
    Arithmetic,
    Call,
    Delete,
    Literal,
    Operand,
    Path,
    Remove,
    Set,
    Update,
)
from mayfly.services.tables.expressions.errors import UpdateError
from mayfly.services.tables.expressions.paths import resolve, step
from mayfly.services.tables.values import AttributeValue, Item, copied, kind_of, ordered_set

_GONE: AttributeValue = {}  # stands for a removed element until its list closes up
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_NO_SUCH_PATH = "The document path provided in the update expression is invalid for update"
_NO_SUCH_VALUE = "The provided expression refers to an attribute that does not exist in the item"


def apply(update: Update, item: Item) -> Item:
    """The item that a bound update makes of `item`, which stays as it is; `UpdateError`."""
    planned = [(action, _planned(action, item)) for action in update.actions]
    editor = _Editor({name: copied(value) for name, value in item.items()})
    for action, value in planned:
        if isinstance(action, Set) or value is not None:
            assert value is not None, "a SET clause always has a value"
            editor.put(action.path, value)
        else:
            editor.remove(action.path)
    return editor.finish()


def _planned(action: Action, item: Item) -> AttributeValue | None:
    """What will be at the action's path; None: nothing."""
    match action:
        case Set(_, value):
            return _value(value, item)
        case Remove():
            return None
        case Add(path, value):
            return _added(resolve(path, item), _literal(value))
        case Delete(path, value):
            return _taken_away(resolve(path, item), _literal(value))


def _literal(operand: Operand) -> AttributeValue:
    assert isinstance(operand, Literal), "the grammar allows values only"
    return operand.value


def _value(value: Operand | Arithmetic, item: Item) -> AttributeValue:
    match value:
        case Literal(literal):
            return copied(literal)
        case Path():
            found = resolve(value, item)
            if found is None:
                raise UpdateError(_NO_SUCH_VALUE)
            return copied(found)
        case Arithmetic(operator, left, right):
            combine = numbers.add if operator == "+" else numbers.subtract
            return {"N": combine(_typed(left, item, "N"), _typed(right, item, "N"))}
        case Call("if_not_exists", (path, otherwise)):
            assert isinstance(path, Path), "binding made sure"
            found = resolve(path, item)
            return _value(otherwise, item) if found is None else copied(found)
        case Call("list_append", (left, right)):
            return {"L": [*_typed(left, item, "L"), *_typed(right, item, "L")]}
    raise AssertionError(f"{value} is no value of a bound update")


def _typed(operand: Operand, item: Item, kind: str) -> Any:
    value = _value(operand, item)
    if kind_of(value) != kind:
        raise UpdateError(_WRONG_TYPE)
    return value[kind]


def _added(found: AttributeValue | None, value: AttributeValue) -> AttributeValue:
    if found is None:
        return copied(value)
    ((kind, content),) = value.items()
    if kind_of(found) != kind:
        raise UpdateError(_WRONG_TYPE)
    if kind == "N":
        return {"N": numbers.add(found["N"], content)}
    return {kind: ordered_set(kind, list({*found[kind], *content}))}


def _taken_away(found: AttributeValue | None, value: AttributeValue) -> AttributeValue | None:
    if found is None:
        return None
    ((kind, content),) = value.items()
    if kind_of(found) != kind:
        raise UpdateError(_WRONG_TYPE)
    left = [element for element in found[kind] if element not in set(content)]
    return {kind: left} if left else None


class _Editor:
    """A copy of an item that is being changed."""

    def __init__(self, item: Item) -> None:
        self._item = item
        self._appended: dict[int, tuple[list[AttributeValue], dict[int, AttributeValue]]] = {}
        self._holed: dict[int, list[AttributeValue]] = {}

    def put(self, path: Path, value: AttributeValue) -> None:
        """Set what is at `path`; its parent must exist."""
        last = path.parts[-1]
        container = self._container(path)
        if isinstance(container, dict):
            container[str(last)] = value
            return
        assert isinstance(last, int), "_container made sure"
        if last < len(container):
            container[last] = value
        else:
            self._appended.setdefault(id(container), (container, {}))[1][last] = value

    def remove(self, path: Path) -> None:
        """Remove what is at `path`, if anything; its parent must exist."""
        last = path.parts[-1]
        container = self._container(path)
        if isinstance(container, dict):
            container.pop(str(last), None)
            return
        assert isinstance(last, int), "_container made sure"
        if last < len(container):
            container[last] = _GONE
            self._holed[id(container)] = container

    def finish(self) -> Item:
        """The item, its lists in order."""
        for container in self._holed.values():
            container[:] = [element for element in container if element is not _GONE]
        for container, elements in self._appended.values():
            container.extend(elements[index] for index in sorted(elements))
        return self._item

    def _container(self, path: Path) -> dict[str, AttributeValue] | list[AttributeValue]:
        """The attributes, members or elements among which the last part of `path` chooses."""
        if len(path.parts) == 1:
            return self._item
        value: AttributeValue | None = self._item.get(path.head)
        for part in path.parts[1:-1]:
            value = step(value, part) if value is not None else None
        content = (value or {}).get("L" if isinstance(path.parts[-1], int) else "M")
        if content is None:
            raise UpdateError(_NO_SUCH_PATH)
        found: dict[str, AttributeValue] | list[AttributeValue] = content
        return found
