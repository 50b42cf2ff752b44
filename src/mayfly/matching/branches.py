"""Whether an event meets one branch of a pattern: every field of it, with values that go together.

Values go together unless they are in different elements of one array. Fields are decided in the order of their names,
as aws/event-ruler does: a field that must be absent is absent if none of its values goes together with what was chosen
before.

The search comes back to a field with the same choices of the arrays that still matter at most once, and takes a bounded
number of steps, after which the event does not match: an event would have to be made for that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mayfly.matching.conditions import Field
from mayfly.matching.fields import Fields, Membership, Value

MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Branch:
    """Fields by path, in the order of their names."""

    fields: tuple[tuple[str, Field], ...]

    @classmethod
    def of(cls, asked: Mapping[str, Field]) -> "Branch":
        return cls(tuple(sorted(asked.items())))

    def met(self, event: Fields) -> bool:
        """Whether an event's fields meet all of this."""
        candidates: list[list[Value]] = []
        arrays = False
        for path, asked in self.fields:
            values = event.get(path, ())
            holding = [value for value in values if asked.holds(value.leaf)]
            if not holding and not asked.absent:
                return False
            candidates.append(holding)
            arrays = arrays or any(value.within for value in values)
        if arrays:
            return _Search(self.fields, candidates, event).found(0, {})
        return all(holding or not event.get(path) for holding, (path, _) in zip(candidates, self.fields, strict=True))


class _Tree:
    """Values by the elements that they are in, so that those which go together with a choice are found without asking
    the others: in an array that was chosen from, there is one way to go."""

    __slots__ = ("arrays", "values")

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self.values: list[Value] = []
        self.arrays: dict[int, dict[int, _Tree]] = {}
        for value in values:
            at = self
            for array, element in value.within:
                at = at.arrays.setdefault(array, {}).setdefault(element, _Tree())
            at.values.append(value)

    def consistent(self, chosen: Mapping[int, int]) -> Iterator[Value]:
        waiting = [self]
        while waiting:
            at = waiting.pop()
            yield from at.values
            for array, elements in at.arrays.items():
                element = chosen.get(array)
                if element is None:
                    waiting.extend(elements.values())
                elif (tree := elements.get(element)) is not None:
                    waiting.append(tree)


class _Search:
    """One branch's fields and one event's values, some of which are in arrays."""

    def __init__(
        self, asked: Sequence[tuple[str, Field]], candidates: Sequence[Sequence[Value]], event: Fields
    ) -> None:
        self._fields = asked
        self._candidates = [_Tree(values) for values in candidates]  # of each field, those of which a condition holds
        self._all = [_Tree(event.get(path, ())) if field.absent else None for path, field in asked]
        self._steps = 0
        self._dead: set[tuple[int, Membership]] = set()
        self._later: list[frozenset[int]] = []  # arrays that matter from a field on
        seen: frozenset[int] = frozenset()
        for path, _ in reversed(asked):
            seen |= {array for value in event.get(path, ()) for array, _ in value.within}
            self._later.append(seen)
        self._later.reverse()

    def found(self, at: int, chosen: Mapping[int, int]) -> bool:
        """Whether fields from `at` on can be met together with the elements chosen so far."""
        if at == len(self._fields):
            return True
        state = (at, tuple(sorted(one for one in chosen.items() if one[0] in self._later[at])))
        if state in self._dead:
            return False
        for value in self._candidates[at].consistent(chosen):
            self._steps += 1
            if self._steps > MOST_STEPS:
                return False
            if self.found(at + 1, {**chosen, **dict(value.within)} if value.within else chosen):
                return True
        everything = self._all[at]
        if everything is not None and next(everything.consistent(chosen), None) is None and self.found(at + 1, chosen):
            return True
        self._dead.add(state)
        return False
