"""Following document paths into items, and cutting items down to some paths."""

from collections.abc import Iterable
from typing import Any

from mayfly.services.tables.expressions.ast import NameRef, Path
from mayfly.services.tables.values import AttributeValue, Item


def resolve(path: Path, item: Item) -> AttributeValue | None:
    """The value that `path` leads to, or None."""
    value = item.get(path.head)
    for part in path.parts[1:]:
        if value is None:
            return None
        value = step(value, part)
    return value


def step(value: AttributeValue, part: str | int | NameRef) -> AttributeValue | None:
    """The member or element of a document that one part of a path leads to, or None."""
    found: AttributeValue | None = None
    if isinstance(part, int):
        elements = value.get("L", ())
        if part < len(elements):
            found = elements[part]
    else:
        found = value.get("M", {}).get(part)
    return found


def project(paths: Iterable[Path], item: Item) -> Item:
    """A new item with only what `paths` lead to; elements of a list move up to fill the gaps."""
    tree: dict[Any, Any] = {}
    for path in paths:
        if resolve(path, item) is None:
            continue
        node = tree
        for part in path.parts[:-1]:
            node = node.setdefault(part, {})
        node[path.parts[-1]] = None
    return {name: _cut(item[name], below) for name, below in tree.items()}


def _cut(value: AttributeValue, tree: dict[Any, Any] | None) -> AttributeValue:
    if tree is None:
        return value
    if "L" in value:
        return {"L": [_cut(value["L"][index], tree[index]) for index in sorted(tree)]}
    return {"M": {name: _cut(value["M"][name], below) for name, below in tree.items()}}
