"""What one value of a pattern asks of one leaf of an event.

Each takes time that grows at most with the length of the leaf times that of the condition, whatever both say. All are
hashable values: rules that ask the same share the answer.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from mayfly.matching.leaves import Address, Leaf, address, folded


class Condition(Protocol):
    """Whether a leaf is what a pattern asks for."""

    def holds(self, found: Leaf) -> bool: ...


@dataclass(frozen=True, slots=True)
class Exactly:
    """This very value."""

    value: Leaf

    def holds(self, found: Leaf) -> bool:
        return found == self.value


@dataclass(frozen=True, slots=True)
class SameAddress:
    """The address that this text is, however it is written."""

    value: Address

    def holds(self, found: Leaf) -> bool:
        return isinstance(found, str) and address(found) == self.value


@dataclass(frozen=True, slots=True)
class InNetwork:
    """An address of a network."""

    bits: int  # of the family
    mask: int  # how many of them count
    network: int  # those, as a number

    def holds(self, found: Leaf) -> bool:
        at = address(found) if isinstance(found, str) else None
        return at is not None and at[0] == self.bits and at[1] >> (self.bits - self.mask) == self.network


@dataclass(frozen=True, slots=True)
class Prefix:
    """Text that begins with another."""

    value: str

    def holds(self, found: Leaf) -> bool:
        return isinstance(found, str) and found.startswith(self.value)


@dataclass(frozen=True, slots=True)
class Suffix:
    """Text that ends with another."""

    value: str

    def holds(self, found: Leaf) -> bool:
        return isinstance(found, str) and found.endswith(self.value)


@dataclass(frozen=True, slots=True)
class FoldedExactly:
    """Text whatever its letters' case."""

    value: str  # folded

    def holds(self, found: Leaf) -> bool:
        return isinstance(found, str) and folded(found) == self.value


@dataclass(frozen=True, slots=True)
class FoldedPrefix:
    """The beginning of a text, whatever its letters' case."""

    value: str  # folded

    def holds(self, found: Leaf) -> bool:
        return isinstance(found, str) and folded(found).startswith(self.value)


@dataclass(frozen=True, slots=True)
class FoldedSuffix:
    """The end of a text, whatever its letters' case."""

    value: str  # folded

    def holds(self, found: Leaf) -> bool:
        return isinstance(found, str) and folded(found).endswith(self.value)


@dataclass(frozen=True)
class Wildcard:
    """Text with anything, or nothing, between parts of it. One part alone: that text.

    Parts in the middle are found from left to right, each as early as it can be: if that way leads nowhere, none does.
    So nothing is tried twice, however many asterisks there are.
    """

    parts: tuple[str, ...]

    @cached_property
    def shortest(self) -> int:
        return sum(map(len, self.parts))

    def holds(self, found: Leaf) -> bool:
        if not isinstance(found, str):
            return False
        first, *middle = self.parts
        if not middle:
            return found == first
        last = middle.pop()
        if len(found) < self.shortest or not (found.startswith(first) and found.endswith(last)):
            return False
        at, end = len(first), len(found) - len(last)
        for part in middle:
            at = found.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two others; None: however small, or large."""

    low: float | None
    high: float | None
    low_open: bool = False
    high_open: bool = False

    def holds(self, found: Leaf) -> bool:
        if not isinstance(found, float):
            return False
        if self.low is not None and (found < self.low or (self.low_open and found == self.low)):
            return False
        return self.high is None or found < self.high or (not self.high_open and found == self.high)


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """A value that is none of these, of whatever type it is."""

    values: frozenset[Leaf]

    def holds(self, found: Leaf) -> bool:
        return found not in self.values


@dataclass(frozen=True, slots=True)
class NoneOf:
    """A value of which none of these conditions holds."""

    conditions: frozenset[Condition]

    def holds(self, found: Leaf) -> bool:
        return not any(condition.holds(found) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Exists:
    """Any value."""

    def holds(self, found: Leaf) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Field:
    """What is asked of one field: that any of these conditions holds of one of its values, or that it is not there."""

    conditions: frozenset[Condition]
    absent: bool = False  # `{"exists": false}` is among them

    def holds(self, found: Leaf) -> bool:
        return any(condition.holds(found) for condition in self.conditions)
