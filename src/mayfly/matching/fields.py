"""The fields of an event that patterns ask for: their values, and where in arrays each stands.

An event's objects are flattened: a field is named by the path to it, with dots, whatever arrays lie on the way. What
was in an array remembers which element it was in, since fields of different elements do not go together. Elements that
are no objects or arrays themselves remember only the arrays around theirs.

Used by `pattern` and `index`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mayfly.matching.leaves import Leaf, leaf

Membership = tuple[tuple[int, int], ...]  # (array, element), from the outside in


@dataclass(frozen=True, slots=True)
class Value:
    """One leaf. `within`: the elements of arrays that it is in."""

    leaf: Leaf
    within: Membership = ()


Fields = dict[str, list[Value]]


def beginnings(paths: Iterable[str]) -> frozenset[str]:
    """Every path on the way to one of these, itself included."""
    found: set[str] = set()
    for path in paths:
        found.add(path)
        at = path.find(".")
        while at >= 0:
            found.add(path[:at])
            at = path.find(".", at + 1)
    return frozenset(found)


def fields(event: Mapping[str, object], wanted: frozenset[str] | Mapping[str, int]) -> Fields:
    """The leaves of an event below the paths of `wanted`, which holds what `beginnings` gives.

    Never deeper than these paths; arrays in arrays are followed without recursion, however many there are.
    """
    found: Fields = {}
    arrays = 0
    waiting: list[tuple[str | None, object, Membership]] = [(None, event, ())]
    while waiting:
        path, value, within = waiting.pop()
        if isinstance(value, Mapping):
            for name, member in value.items():
                inner = name if path is None else f"{path}.{name}"
                if inner not in wanted:
                    continue
                if isinstance(member, (Mapping, list, tuple)):
                    waiting.append((inner, member, within))
                else:
                    found.setdefault(inner, []).append(Value(leaf(member), within))
        elif isinstance(value, (list, tuple)) and path is not None:
            for at, item in enumerate(value):
                if isinstance(item, (Mapping, list, tuple)):
                    waiting.append((path, item, (*within, (arrays, at))))
                else:
                    found.setdefault(path, []).append(Value(leaf(item), within))
            arrays += 1
    return found
