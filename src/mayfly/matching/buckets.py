"""What was entered under values, found again by a leaf, in time that does not grow with how much was entered.

Each is for conditions of one kind: texts by how they begin (`Beginnings`; those that end alike are turned round first),
numbers by the range that they are in (`Ranges`). Used by `lookup`.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from mayfly.matching.conditions import Range

T = TypeVar("T")

_Bound = tuple[float, int]  # the number; -1 right below it, 1 right above it
_FRESH = 64  # entries that are looked at one by one before everything is sorted again


class Beginnings(Generic[T]):
    """By the beginning of a text: one look for each length that was entered."""

    __slots__ = ("_entries", "_lengths", "_sorted")

    def __init__(self) -> None:
        self._entries: dict[str, set[T]] = {}
        self._lengths: dict[int, int] = {}  # how many beginnings have it
        self._sorted: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, beginning: str, entry: T) -> None:
        known = self._entries.setdefault(beginning, set())
        if not known:
            length = len(beginning)
            self._lengths[length] = self._lengths.get(length, 0) + 1
            self._sorted = sorted(self._lengths)
        known.add(entry)

    def discard(self, beginning: str, entry: T) -> None:
        known = self._entries[beginning]
        known.discard(entry)
        if known:
            return
        del self._entries[beginning]
        length = len(beginning)
        self._lengths[length] -= 1
        if not self._lengths[length]:
            del self._lengths[length]
            self._sorted = sorted(self._lengths)

    def among(self, beginning: str) -> int:
        """How many were entered under this very beginning."""
        return len(self._entries.get(beginning, ()))

    def find(self, text: str) -> Iterator[T]:
        for length in self._sorted:
            if length > len(text):
                return
            yield from self._entries.get(text[:length], ())


class Ranges(Generic[T]):
    """By a number that lies between two others: a search tree over what is sorted by its lower end, where every node
    knows the highest end below it. It is made anew when many ranges came or went since."""

    __slots__ = ("_entries", "_fresh", "_gone", "_highest", "_tree")

    def __init__(self) -> None:
        self._entries: dict[tuple[Range, T], None] = {}
        self._fresh: dict[tuple[Range, T], None] = {}  # those that the tree does not have yet
        self._gone = 0  # how many it has and should not
        self._tree: list[tuple[_Bound, _Bound, tuple[Range, T]]] = []  # by the lower end
        self._highest: list[_Bound] = []  # of the part of the tree that has its middle here

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, among: Range, entry: T) -> None:
        self._entries[among, entry] = None
        self._fresh[among, entry] = None

    def discard(self, among: Range, entry: T) -> None:
        del self._entries[among, entry]
        if (among, entry) in self._fresh:
            del self._fresh[among, entry]
        else:
            self._gone += 1

    def find(self, at: float) -> Iterator[T]:
        if len(self._fresh) > _FRESH or self._gone > _FRESH + len(self._tree) // 2:
            self._sort()
        for among, entry in self._fresh:
            if among.holds(at):
                yield entry
        point = (at, 0)
        parts = [(0, len(self._tree))]
        while parts:
            low, high = parts.pop()
            if low == high:
                continue
            middle = (low + high) // 2
            if self._highest[middle] < point:
                continue
            parts.append((low, middle))
            lower, upper, known = self._tree[middle]
            if lower <= point:
                parts.append((middle + 1, high))
                if point <= upper and known in self._entries and known not in self._fresh:
                    yield known[1]

    def _sort(self) -> None:
        self._tree = sorted(
            ((_lower(entry[0]), _upper(entry[0]), entry) for entry in self._entries), key=lambda known: known[:2]
        )
        self._highest = [upper for _, upper, _ in self._tree]
        self._raise(0, len(self._tree))
        self._fresh = {}
        self._gone = 0

    def _raise(self, low: int, high: int) -> _Bound:
        if low == high:
            return (float("-inf"), -1)
        middle = (low + high) // 2
        self._highest[middle] = max(self._tree[middle][1], self._raise(low, middle), self._raise(middle + 1, high))
        return self._highest[middle]


def _lower(among: Range) -> _Bound:
    return (float("-inf"), -1) if among.low is None else (among.low, 1 if among.low_open else 0)


def _upper(among: Range) -> _Bound:
    return (float("inf"), 1) if among.high is None else (among.high, -1 if among.high_open else 0)
