"""Shapes of events: which members there are, of which types, and which are always there. Pure.

A shape is learnt from events, one after the other, and only ever grows; what is too deep, too wide or too much is left
out, so that whoever sends events decides nothing about how much is kept. It is shown as JSON Schema.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

MOST_DEPTH = 8
MOST_MEMBERS = 100  # of one object
MOST_NODES = 500  # of one shape


class Shape(msgspec.Struct, omit_defaults=True):
    """What was seen at one place."""

    seen: int = 0  # how often anything was here
    types: set[str] = msgspec.field(default_factory=set)  # of JSON Schema
    objects: int = 0  # how often it was an object
    members: "dict[str, Shape]" = msgspec.field(default_factory=dict)
    items: "Shape | None" = None
    partial: bool = False  # something was left out


def learn(shape: Shape, value: object) -> bool:
    """Let a shape know a value; whether it is another one now than before, counts aside."""
    return _Learning(_nodes(shape)).at(shape, value, 0)


def shown(shape: Shape) -> dict[str, Any]:
    """A shape as JSON Schema."""
    if not shape.types:
        return {}
    types = sorted(shape.types)
    found: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    if "object" in shape.types:
        found["properties"] = {name: shown(member) for name, member in sorted(shape.members.items())}
        required = sorted(name for name, member in shape.members.items() if member.seen == shape.objects)
        if required:
            found["required"] = required
    if shape.items is not None:
        found["items"] = shown(shape.items)
    return found


class _Learning:
    def __init__(self, nodes: int) -> None:
        self._nodes = nodes

    def at(self, shape: Shape, value: object, depth: int) -> bool:
        shape.seen += 1
        kind = _kind(value)
        changed = kind not in shape.types
        shape.types.add(kind)
        if isinstance(value, Mapping):
            changed |= self._object(shape, value, depth)
        elif isinstance(value, list) and value:
            changed |= self._items(shape, value, depth)
        return changed

    def _object(self, shape: Shape, value: Mapping[str, object], depth: int) -> bool:
        # A member that comes later was absent before: what was required is so no more.
        before = {name for name, member in shape.members.items() if member.seen == shape.objects}
        fresh = not shape.objects
        shape.objects += 1
        changed = False
        for name, member in value.items():
            known = shape.members.get(name)
            if known is None:
                if self._is_full(shape, len(shape.members), depth):
                    continue
                known = shape.members[name] = Shape()
                changed = True
            changed |= self.at(known, member, depth + 1)
        after = {name for name, member in shape.members.items() if member.seen == shape.objects}
        return changed or (not fresh and before != after)

    def _items(self, shape: Shape, value: list[object], depth: int) -> bool:
        if shape.items is None:
            if self._is_full(shape, 0, depth):
                return False
            shape.items = Shape()
        changed = False
        for item in value[:MOST_MEMBERS]:
            changed |= self.at(shape.items, item, depth + 1)
        return changed

    def _is_full(self, shape: Shape, members: int, depth: int) -> bool:
        if depth >= MOST_DEPTH or members >= MOST_MEMBERS or self._nodes >= MOST_NODES:
            shape.partial = True
            return True
        self._nodes += 1
        return False


def _nodes(shape: Shape) -> int:
    inner = 0 if shape.items is None else _nodes(shape.items)
    return 1 + inner + sum(map(_nodes, shape.members.values()))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"
