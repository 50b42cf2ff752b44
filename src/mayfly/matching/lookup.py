"""The rules that ask something of one field, found by the field's values.

What is entered under conditions that name a value (equal, whatever its case, an address, a network, a beginning or an
end, a range) is found by that value. What asks for anything but, for a text with something unknown at both ends, or for
any value at all is looked at one by one: once for all rules that ask the same. Used by `index`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeVar

from mayfly.matching.buckets import Beginnings, Ranges
from mayfly.matching.conditions import (
    Condition,
    Exactly,
    Field,
    FoldedExactly,
    FoldedPrefix,
    FoldedSuffix,
    InNetwork,
    Prefix,
    Range,
    SameAddress,
    Suffix,
    Wildcard,
)
from mayfly.matching.fields import Value
from mayfly.matching.leaves import Address, Leaf, address, folded


class Asking(Protocol):
    """What is found: it knows what it asks."""

    @property
    def field(self) -> Field: ...


T = TypeVar("T", bound=Asking)
Own = TypeVar("Own")
_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})
_Key = tuple[type, Leaf | Address]

HASHED, ANCHORED, SCANNED = 0, 1, 2


def rank(condition: Condition) -> int:
    """How rules that ask this are found: by the value, by a part of it, or one by one."""
    if isinstance(condition, (Exactly, FoldedExactly, SameAddress)):
        return HASHED
    if isinstance(condition, Wildcard):
        return HASHED if len(condition.parts) == 1 else _anchored(condition)
    if isinstance(condition, (Prefix, Suffix, FoldedPrefix, FoldedSuffix, Range, InNetwork)):
        return ANCHORED
    return SCANNED


class Lookup(Generic[T]):
    """Entries by what they ask of one field. An entry that is found may be found several times."""

    # What a lookup has nothing under is one that all of them share, which stays empty: a bus of 10,000 rules has three
    # times as many lookups, nearly all of which know one value. `_own` makes one of its own where something is entered.
    _equal: Mapping[Leaf, set[T]] = _NONE
    _texts: Mapping[str, set[T]] = _NONE  # folded
    _addresses: Mapping[Address, set[T]] = _NONE
    _networks: Mapping[tuple[int, int], dict[int, set[T]]] = _NONE
    _begin: Beginnings[T] = Beginnings()
    _begin_folded: Beginnings[T] = Beginnings()
    _end: Beginnings[T] = Beginnings()  # turned round
    _end_folded: Beginnings[T] = Beginnings()
    _ranges: Ranges[T] = Ranges()
    _begin_parts: Beginnings[tuple[Wildcard, T]] = Beginnings()
    _end_parts: Beginnings[tuple[Wildcard, T]] = Beginnings()
    _by_end: Set[tuple[Wildcard, T]] = frozenset()  # of the two, those that are found by their last part
    _scanned: Mapping[T, None] = _NONE

    def __init__(self) -> None:
        self.entries: dict[Field, T] = {}

    def _own(self, name: str, make: Callable[[], Own]) -> Own:
        found: Own | None = self.__dict__.get(name)
        if found is None:
            found = self.__dict__[name] = make()
        return found

    def add(self, entry: T) -> None:
        self.entries[entry.field] = entry
        for condition in entry.field.conditions:
            self._enter(condition, entry)

    def discard(self, entry: T) -> None:
        del self.entries[entry.field]
        for condition in entry.field.conditions:
            self._leave(condition, entry)

    def find(self, values: Sequence[Value]) -> Iterator[T]:
        """Those that a value of the field satisfies."""
        for value in values:
            yield from self._of(value.leaf)
        for entry in self._scanned:
            if any(entry.field.holds(value.leaf) for value in values):
                yield entry

    def _of(self, found: Leaf) -> Iterator[T]:
        yield from self._equal.get(found, ())
        if isinstance(found, float):
            if self._ranges:
                yield from self._ranges.find(found)
        elif isinstance(found, str):
            yield from self._of_text(found)

    def _of_text(self, found: str) -> Iterator[T]:
        if self._texts or self._begin_folded or self._end_folded:
            low = folded(found)
            yield from self._texts.get(low, ())
            yield from self._begin_folded.find(low)
            yield from self._end_folded.find(low[::-1])
        if self._begin:
            yield from self._begin.find(found)
        if self._begin_parts:
            yield from (entry for wildcard, entry in self._begin_parts.find(found) if wildcard.holds(found))
        if self._end or self._end_parts:
            turned = found[::-1]
            yield from self._end.find(turned)
            yield from (entry for wildcard, entry in self._end_parts.find(turned) if wildcard.holds(found))
        if (self._addresses or self._networks) and (at := address(found)) is not None:
            yield from self._addresses.get(at, ())
            for (bits, mask), networks in self._networks.items():
                if bits == at[0]:
                    yield from networks.get(at[1] >> (bits - mask), ())

    def _enter(self, condition: Condition, entry: T) -> None:
        match condition:
            case Exactly(value):
                self._own("_equal", dict[Leaf, set[T]]).setdefault(value, set()).add(entry)
            case Wildcard(parts=(text,)):
                self._own("_equal", dict[Leaf, set[T]]).setdefault(text, set()).add(entry)
            case FoldedExactly(text):
                self._own("_texts", dict[str, set[T]]).setdefault(text, set()).add(entry)
            case SameAddress(at):
                self._own("_addresses", dict[Address, set[T]]).setdefault(at, set()).add(entry)
            case InNetwork(bits, mask, network):
                own = self._own("_networks", dict[tuple[int, int], dict[int, set[T]]])
                own.setdefault((bits, mask), {}).setdefault(network, set()).add(entry)
            case Range():
                self._own("_ranges", Ranges[T]).add(condition, entry)
            case _:
                if (place := self._beginnings(condition)) is not None:
                    place[0].add(place[1], entry)
                elif isinstance(condition, Wildcard) and rank(condition) == ANCHORED:
                    first, last = condition.parts[0], condition.parts[-1][::-1]
                    # By whichever part is rarer: of "*.png", and of "images/*", there may be thousands.
                    if not first or (last and self._end_parts.among(last) < self._begin_parts.among(first)):
                        self._own("_end_parts", Beginnings[tuple[Wildcard, T]]).add(last, (condition, entry))
                        self._own("_by_end", set[tuple[Wildcard, T]]).add((condition, entry))
                    else:
                        self._own("_begin_parts", Beginnings[tuple[Wildcard, T]]).add(first, (condition, entry))
                else:
                    self._own("_scanned", dict[T, None])[entry] = None

    def _leave(self, condition: Condition, entry: T) -> None:
        match condition:
            case Exactly(value):
                _take(self._own("_equal", dict[Leaf, set[T]]), value, entry)
            case Wildcard(parts=(text,)):
                _take(self._own("_equal", dict[Leaf, set[T]]), text, entry)
            case FoldedExactly(text):
                _take(self._own("_texts", dict[str, set[T]]), text, entry)
            case SameAddress(at):
                _take(self._own("_addresses", dict[Address, set[T]]), at, entry)
            case InNetwork(bits, mask, network):
                known = self._own("_networks", dict[tuple[int, int], dict[int, set[T]]])
                _take(known[bits, mask], network, entry)
                if not known[bits, mask]:
                    del known[bits, mask]
            case Range():
                self._ranges.discard(condition, entry)
            case _:
                if (place := self._beginnings(condition)) is not None:
                    place[0].discard(place[1], entry)
                elif isinstance(condition, Wildcard) and rank(condition) == ANCHORED:
                    if (condition, entry) in self._by_end:
                        self._own("_by_end", set[tuple[Wildcard, T]]).discard((condition, entry))
                        self._end_parts.discard(condition.parts[-1][::-1], (condition, entry))
                    else:
                        self._begin_parts.discard(condition.parts[0], (condition, entry))
                else:
                    self._own("_scanned", dict[T, None]).pop(entry, None)

    def _beginnings(self, condition: Condition) -> tuple[Beginnings[T], str] | None:
        match condition:
            case Prefix(text):
                return self._own("_begin", Beginnings[T]), text
            case Suffix(text):
                return self._own("_end", Beginnings[T]), text[::-1]
            case FoldedPrefix(text):
                return self._own("_begin_folded", Beginnings[T]), text
            case FoldedSuffix(text):
                return self._own("_end_folded", Beginnings[T]), text[::-1]
        return None


def _anchored(condition: Wildcard) -> int:
    return ANCHORED if condition.parts[0] or condition.parts[-1] else SCANNED


K = TypeVar("K")


def _take(buckets: dict[K, set[T]], key: K, entry: T) -> None:
    bucket = buckets[key]
    bucket.discard(entry)
    if not bucket:
        del buckets[key]
