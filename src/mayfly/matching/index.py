"""Thousands of patterns, asked of one event at once.

A tree. Each level takes one field of a pattern; the branches out of a node are what is asked of fields, found by the
values that the event has there (`lookup`), and shared by all patterns that ask the same so far. A pattern's fields come
in an order of its own: first those that name their values, the fewest first, then those that name a part of them, then
those that ask for anything but; so that what an event does not have is left behind as early as can be. What ends at a
node that was reached has all of its fields met, each by itself; absence, and values of different elements of an array,
are looked at then.

So a match costs as much as the nodes that it reaches: patterns that have an exact value, a prefix, a suffix, an address
or a range that the event does not fall under cost nothing, however many there are. Those that only ask for anything but
are looked at one by one for each different thing that they ask, and nearly all of them match anyway. Patterns that ask
first for values that many others ask for too, with different sets of them, are the worst: each set that has the value
is a node to go to.

Not for several threads at a time. Used by services that hold rules: `events`, `topics`.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mayfly.matching.branches import Branch
from mayfly.matching.conditions import Field
from mayfly.matching.fields import Fields, fields
from mayfly.matching.lookup import Lookup, rank
from mayfly.matching.pattern import Pattern

K = TypeVar("K", bound=Hashable)


@dataclass(eq=False, slots=True)
class _Node(Generic[K]):
    lookups: "dict[str, Lookup[_Edge[K]]]" = field(default_factory=dict)  # by the path of the field
    ends: "dict[tuple[K, int], _End]" = field(default_factory=dict)  # by the pattern and the number of its branch


@dataclass(eq=False, slots=True)
class _Edge(Generic[K]):
    field: Field
    node: _Node[K]


@dataclass(frozen=True, slots=True)
class _End:
    branch: Branch
    absent: tuple[tuple[str, Field], ...]  # its fields that may be absent: no level of the tree has them


class Index(Generic[K]):
    """Patterns by a key of the caller's."""

    def __init__(self) -> None:
        self._patterns: dict[K, tuple[int, Pattern]] = {}  # and in which order they came
        self._came = 0
        self._root: _Node[K] = _Node()
        self._wanted: dict[str, int] = {}  # how many patterns speak of a path, or of one below it

    def __len__(self) -> int:
        return len(self._patterns)

    def __contains__(self, key: object) -> bool:
        return key in self._patterns

    def add(self, key: K, pattern: Pattern) -> None:
        """Enter a pattern; one that was entered under the same key is replaced."""
        self.remove(key)
        self._came += 1
        self._patterns[key] = (self._came, pattern)
        for path in pattern.beginnings:
            self._wanted[path] = self._wanted.get(path, 0) + 1
        for number, branch in enumerate(pattern.branches):
            node = self._root
            for path, asked in _levels(branch):
                lookup = node.lookups.setdefault(path, Lookup())
                edge = lookup.entries.get(asked)
                if edge is None:
                    edge = _Edge(asked, _Node())
                    lookup.add(edge)
                node = edge.node
            absent = tuple(one for one in branch.fields if one[1].absent)
            node.ends[key, number] = _End(branch, absent)

    def remove(self, key: K) -> None:
        """Take a pattern out, if it is there."""
        entered = self._patterns.pop(key, None)
        if entered is None:
            return
        pattern = entered[1]
        for path in pattern.beginnings:
            self._wanted[path] -= 1
            if not self._wanted[path]:
                del self._wanted[path]
        for number, branch in enumerate(pattern.branches):
            self._prune(key, number, branch)

    def match(self, event: Mapping[str, object]) -> list[K]:
        """The keys of the patterns that an event is what they mean, in the order in which they were entered."""
        found = fields(event, self._wanted)
        arrays = any(value.within for values in found.values() for value in values)
        matched: dict[K, None] = {}
        for (key, _), end in self._reached(found):
            if key not in matched and (end.branch.met(found) if arrays else _absent(end, found)):
                matched[key] = None
        return sorted(matched, key=lambda key: self._patterns[key][0])

    def _reached(self, found: Fields) -> "Iterator[tuple[tuple[K, int], _End]]":
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            yield from node.ends.items()
            for path in found if len(found) < len(node.lookups) else node.lookups:
                if (lookup := node.lookups.get(path)) is None or (values := found.get(path)) is None:
                    continue
                edges = dict.fromkeys(lookup.find(values))
                waiting.extend(edge.node for edge in edges)

    def _prune(self, key: K, number: int, branch: Branch) -> None:
        way: list[tuple[_Node[K], str, Lookup[_Edge[K]], _Edge[K]]] = []
        node = self._root
        for path, asked in _levels(branch):
            lookup = node.lookups[path]
            edge = lookup.entries[asked]
            way.append((node, path, lookup, edge))
            node = edge.node
        del node.ends[key, number]
        for above, path, lookup, edge in reversed(way):
            if edge.node.ends or edge.node.lookups:
                return
            lookup.discard(edge)
            if not lookup.entries:
                del above.lookups[path]


def _levels(branch: Branch) -> list[tuple[str, Field]]:
    """The fields that have a level, in the order of the levels."""

    def order(one: tuple[str, Field]) -> tuple[int, int, str]:
        path, asked = one
        return max(map(rank, asked.conditions)), len(asked.conditions), path

    return sorted((one for one in branch.fields if not one[1].absent), key=order)


def _absent(end: _End, found: Fields) -> bool:
    """Whether fields that may be absent are, or have what is asked of them; in an event without arrays."""
    for path, asked in end.absent:
        values = found.get(path)
        if values and not any(asked.holds(value.leaf) for value in values):
            return False
    return True
