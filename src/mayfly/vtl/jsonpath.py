"""JSONPath as API Gateway's library reads it (Jayway's), for `$input.path` and `$input.json`. Pure.

A path is definite if it can lead to one place only; what it finds is the value there, or nothing. All others
(wildcards, filters, slices, several names, deep scans) find a list, which may be empty. A path that does not begin with
`$` is one below the root.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NoReturn

from mayfly.vtl import jsonpath_filters as filters
from mayfly.vtl.errors import TemplateLimitError, TemplateRunError

MISSING: Final = filters.MISSING
LONGEST = 4_000  # characters of a path
MOST_VISITED = 200_000  # values that one path may look at
_NAME = re.compile(r"[^.\[\]()\s,'\"?@=!<>&|]+")
_FUNCTION = re.compile(r"\.(length|size|min|max|avg|sum|keys|first|last)\(\s*\)")
_SLICE = re.compile(r"\s*(-?\d{1,9})?\s*:\s*(-?\d{1,9})?\s*\]")
_INDICES = re.compile(r"\s*(-?\d{1,9}(?:\s*,\s*-?\d{1,9})*)\s*\]")
_WILD = re.compile(r"\s*\*\s*\]")
_QUOTED = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*""", re.DOTALL)
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One move from a value to others. `kind` says which of the other members count."""

    kind: str  # "names", "indices", "slice", "wild", "deep", "filter", "function"
    names: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    start: int | None = None
    stop: int | None = None
    test: "filters.Test | None" = None

    @property
    def many(self) -> bool:
        """Whether it may lead to several places."""
        return self.kind in ("slice", "wild", "deep", "filter") or len(self.names) > 1 or len(self.indices) > 1


class Path:
    """A path that was read."""

    __slots__ = ("_many", "_steps")

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = steps
        self._many = any(step.many for step in steps)

    def find(self, root: Any, *, outer: Any = None) -> Any:
        """The value, a list where the path is not definite, or `MISSING`. `outer`: what `$` means in filters."""
        whole = root if outer is None else outer
        found: list[Any] = [root]
        visits = filters.Visits(MOST_VISITED)
        many = False
        for step in self._steps:
            if step.kind == "function":
                subject = found if many else (found[0] if found else MISSING)
                found, many = [_function(step.names[0], subject)], False
                continue
            found = [value for one in found for value in _moved(one, step, whole, visits)]
            many = many or step.many
        if many:
            return found
        return found[0] if found else MISSING


def _moved(value: Any, step: Step, root: Any, visits: "filters.Visits") -> Iterator[Any]:
    visits.count()
    if step.kind == "names":
        if isinstance(value, dict):
            yield from (value[name] for name in step.names if name in value)
    elif step.kind == "indices":
        if isinstance(value, list):
            size = len(value)
            yield from (value[index] for index in step.indices if -size <= index < size)
    elif step.kind == "slice":
        if isinstance(value, list):
            yield from value[step.start : step.stop]
    elif step.kind == "wild":
        yield from _children(value)
    elif step.kind == "deep":
        yield from _all_below(value, visits)
    elif step.test is not None:
        # A filter looks at the members of a list, and at an object itself.
        members = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        for member in members:
            visits.count()
            if step.test(member, root):
                yield member


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _all_below(value: Any, visits: "filters.Visits") -> Iterator[Any]:
    """A value and everything in it, those above before those below."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        visits.count()
        yield one
        waiting.extend(reversed([child for child in _children(one) if isinstance(child, (dict, list))]))


def _function(name: str, value: Any) -> Any:
    if name in ("length", "size"):
        return len(value) if isinstance(value, (list, dict, str)) else MISSING
    if name == "keys":
        return list(value) if isinstance(value, dict) else MISSING
    if not isinstance(value, list):
        return MISSING
    if name in ("first", "last"):
        return (value[0] if name == "first" else value[-1]) if value else MISSING
    numbers = [item for item in value if isinstance(item, (int, float)) and not isinstance(item, bool)]
    if not numbers:
        raise TemplateRunError(f"{name}() of a path that leads to no numbers")
    if name == "avg":
        return sum(numbers) / len(numbers)
    if name == "sum":
        return sum(numbers)
    return min(numbers) if name == "min" else max(numbers)


@lru_cache(maxsize=1024)
def compiled(text: str) -> Path:
    """The path that `text` is; `TemplateRunError`."""
    stripped = text.strip()
    if len(stripped) > LONGEST:
        raise TemplateLimitError(f"a path is longer than {LONGEST} characters")
    if not stripped:
        raise TemplateRunError("a path is empty")
    if stripped[0] not in "$@":
        stripped = f"${stripped}" if stripped[0] == "[" else f"$.{stripped}"
    return _Reader(stripped).whole()


class _Reader:
    """Reads one path."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 1

    def whole(self) -> Path:
        steps: list[Step] = []
        while self._at < len(self._text):
            if (function := _FUNCTION.match(self._text, self._at)) is not None:
                self._at = function.end()
                steps.append(Step("function", names=(function[1],)))
                continue
            char = self._text[self._at]
            if char == ".":
                self._dotted(steps)
            elif char == "[":
                self._at += 1
                steps.append(self._bracket())
            else:
                self._fail()
        return Path(tuple(steps))

    def _dotted(self, steps: list[Step]) -> None:
        self._at += 1
        if self._text.startswith(".", self._at):
            self._at += 1
            steps.append(Step("deep"))
        if self._text.startswith("[", self._at):
            self._at += 1
            steps.append(self._bracket())
            return
        if self._text.startswith("*", self._at):
            self._at += 1
            steps.append(Step("wild"))
            return
        name = _NAME.match(self._text, self._at)
        if name is None:
            self._fail()
        self._at = name.end()
        steps.append(Step("names", names=(name[0],)))

    def _bracket(self) -> Step:
        for pattern in (_WILD, _INDICES, _SLICE):
            if (match := pattern.match(self._text, self._at)) is None:
                continue
            self._at = match.end()
            if pattern is _WILD:
                return Step("wild")
            if pattern is _INDICES:
                return Step("indices", indices=tuple(int(index) for index in match[1].split(",")))
            start, stop = (None if bound is None else int(bound) for bound in match.groups())
            return Step("slice", start=start, stop=stop)
        if self._text.startswith("?", self._at):
            reader = filters.Reader(self._text, self._at + 1, self._nested)
            test = reader.whole()
            self._at = reader.at
            return Step("filter", test=test)
        return self._names()

    def _names(self) -> Step:
        names: list[str] = []
        while True:
            match = _QUOTED.match(self._text, self._at)
            if match is None:
                self._fail()
            self._at = match.end()
            names.append(_UNESCAPE.sub(r"\1", match[1] if match[1] is not None else match[2]))
            char = self._text[self._at : self._at + 1]
            self._at += 1
            if char == "]":
                return Step("names", names=tuple(names))
            if char != ",":
                self._fail()

    def _nested(self, text: str) -> Path:
        return _Reader(text).whole()

    def _fail(self) -> NoReturn:
        raise TemplateRunError(f"{self._text!r} is no JSONPath (position {self._at})")
