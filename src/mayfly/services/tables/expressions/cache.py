"""Parsed expressions kept by their text, because programs send the same few over and over."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from mayfly.services.tables.expressions.ast import Condition, Projection, Tree, Update
from mayfly.services.tables.expressions.conditions_parser import parse_condition
from mayfly.services.tables.expressions.parser import parse_projection
from mayfly.services.tables.expressions.updates_parser import parse_update

_T = TypeVar("_T", Condition, Update, Projection)


class ExpressionCache:
    """The least recently used expressions make room for new ones. Used on the event loop only."""

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._trees: OrderedDict[tuple[object, str], Tree] = OrderedDict()

    def condition(self, text: str) -> Condition:
        """The tree of a condition; `ExpressionError`, which is not kept."""
        return self._find(parse_condition, text)

    def update(self, text: str) -> Update:
        """The tree of an update; `ExpressionError`."""
        return self._find(parse_update, text)

    def projection(self, text: str) -> Projection:
        """The tree of a projection; `ExpressionError`."""
        return self._find(parse_projection, text)

    def _find(self, parse: Callable[[str], _T], text: str) -> _T:
        key = (parse, text)
        tree = self._trees.get(key)
        if tree is None:
            tree = self._trees[key] = parse(text)
            if len(self._trees) > self._capacity:
                self._trees.popitem(last=False)
        else:
            self._trees.move_to_end(key)
        return tree  # type: ignore[return-value]  # the key names the parser, and with it the type
