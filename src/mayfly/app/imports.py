"""The imports of one start as a tree: the record says what completed when, this finds out who imported whom. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mayfly.engine.api import Import


@dataclass(frozen=True, slots=True)
class Imported:
    """One module, below the one that imported it first."""

    module: str
    path: str
    total_us: int
    own_us: int
    depth: int


def heaviest(imports: Sequence[Import], most: int) -> tuple[Imported, ...]:
    """Up to `most` modules that took longest, what they imported included: each before those that it imported.

    A module's importer took at least as long as it did, so none is shown without its importer. Times are rounded down
    to whole microseconds, each for itself: a module that took less than that rounding may stand one level off.
    """
    depths, importers = _ranks(imports)
    chosen = set(sorted(range(len(imports)), key=lambda at: (-imports[at].total_us, depths[at], at))[:most])
    inner: dict[int, list[int]] = {}
    for at in range(len(imports)):
        inner.setdefault(importers[at], []).append(at)
    found: list[Imported] = []
    ahead = list(reversed(inner.get(-1, [])))
    while ahead:
        at = ahead.pop()
        if at in chosen:
            one = imports[at]
            found.append(Imported(one.module, one.path, one.total_us, one.own_us, depths[at]))
            ahead += reversed(inner.get(at, []))
    return tuple(found)


def _ranks(imports: Sequence[Import]) -> tuple[list[int], list[int]]:
    """Each module's depth, and who imported it (-1: the function's start itself).

    A module completes after what it imported. So its imports are the last ones that are nobody's yet, as many as are
    needed to make up for the time that was not its own.
    """
    importers, free = [-1] * len(imports), list[int]()
    for at, one in enumerate(imports):
        within, found = one.total_us - one.own_us, 0
        while free and found < within and found + imports[free[-1]].total_us <= within + 1:
            found += imports[free[-1]].total_us
            importers[free.pop()] = at
        free.append(at)
    depths = [0] * len(imports)
    for at in reversed(range(len(imports))):  # whoever imported a module comes after it
        if importers[at] >= 0:
            depths[at] = depths[importers[at]] + 1
    return depths, importers
