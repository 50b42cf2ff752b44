"""Which of the things that were found are exported: of versions those that count, in the order in which they were made.

Versions of functions and of layers are kept where something that is exported refers to them, and the newest always;
a version that is what the one before it was stands for nothing of its own, and templates cannot make it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from mayfly.cli.exports.references import names, texts
from mayfly.cli.exports.things import Thing

_VERSION = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d+:(?:function|layer):[A-Za-z0-9_-]+:\d+")


def chosen(found: list[Thing], notes: list[str], *, every: bool) -> list[Thing]:
    """What is exported of what was found, in the same order; `every`: all versions. What is left out is noted."""
    kept = found if every else _referred(found)
    left = {id(thing) for thing in found} - {id(thing) for thing in kept}
    for series, numbers in _series(thing for thing in found if id(thing) in left):
        count = "version" if len(numbers) == 1 else "versions"
        notes.append(
            f"{series}: {count} {spans(numbers)} left out, since nothing names them; --all-versions takes them along"
        )
    kept = _ordered(_merged(kept, notes))
    for series, numbers in _series(kept):
        if numbers != list(range(1, len(numbers) + 1)):
            new = "1" if len(numbers) == 1 else f"1-{len(numbers)}"
            notes.append(f"{series}: numbers begin anew where it is deployed: {spans(numbers)} will be {new}")
    return kept


def spans(numbers: Iterable[int]) -> str:
    """Numbers in ascending order as people write them: `1-3, 7`."""
    runs = []
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        runs.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ", ".join(runs)


def _referred(found: list[Thing]) -> list[Thing]:
    """What is not optional, what that refers to, and so on."""
    waiting = {thing.ref: thing for thing in found if thing.optional and thing.ref}
    with_others: dict[str, list[Thing]] = {}
    for thing in found:
        if thing.of:
            with_others.setdefault(thing.of, []).append(thing)
    kept: set[int] = set()
    left = [thing for thing in found if not thing.optional]
    while left:
        thing = left.pop()
        kept.add(id(thing))
        left += [waiting.pop(text) for text in _mentioned(thing) if text in waiting]
        left += with_others.pop(thing.ref, [])
    return [thing for thing in found if id(thing) in kept]


def _mentioned(thing: Thing) -> Iterator[str]:
    """The ARNs of versions that a thing names."""
    said: tuple[Any, ...] = (thing.properties, thing.state.properties if thing.state is not None else {})
    yield from dict.fromkeys(name.name for name in names(said))
    for text in texts(said):
        yield from _VERSION.findall(text)


def _merged(kept: list[Thing], notes: list[str]) -> list[Thing]:
    """Without versions that are what the one before them was: that one stands for them."""
    last: dict[str, Thing] = {}
    same: dict[int, Thing] = {}
    for thing in sorted((one for one in kept if one.state is not None), key=lambda one: one.number):
        before = last.get(thing.series)
        if before is not None and before.state == thing.state:
            before.also += (thing.ref,)
            same[id(thing)] = before
            notes.append(f"{thing.series}: version {before.number} stands for {thing.number}, which is no different")
        else:
            last[thing.series] = thing
    return [thing for thing in kept if id(thing) not in same]


def _ordered(kept: list[Thing]) -> list[Thing]:
    """Versions of layers after one another, so that they are numbered in this order; of functions, steps see to it."""
    before: dict[str, str] = {}
    ordered = {}
    for thing in sorted((one for one in kept if one.series and one.state is None), key=lambda one: one.number):
        if thing.series in before:
            ordered[id(thing)] = replace(thing, after=(*thing.after, before[thing.series]))
        before[thing.series] = thing.ref
    return [ordered.get(id(thing), thing) for thing in kept]


def _series(things: Iterable[Thing]) -> Iterator[tuple[str, list[int]]]:
    """What there are versions of, and their numbers."""
    numbers: dict[str, list[int]] = {}
    for thing in things:
        if thing.series:
            numbers.setdefault(thing.series, []).append(thing.number)
    for series, found in sorted(numbers.items()):
        yield series, sorted(found)
