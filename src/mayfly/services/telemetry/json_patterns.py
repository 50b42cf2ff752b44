"""Filter patterns over messages that are JSON objects: `{ ($.level = "ERROR") && ($.ms > 100) }`. Pure.

Grammar (CloudWatch Logs, "Filter pattern syntax", JSON part): comparisons of a property with a string (`*` stands for
any characters), or with a number; `IS NULL`, `IS TRUE`, `IS FALSE`, `NOT EXISTS`; joined by `&&` and `||`, `&&` first,
grouped by parentheses. A property is `$`, and behind it names (`.name`, `['name']`), places (`[0]`) and wildcards
(`[*]`, `.*`), of which any one suffices. A message that is no JSON matches nothing. Regular expressions are refused.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from mayfly.services.telemetry.comparisons import NUMBERS, like

Matches = Callable[[Any], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>\(|\)|&&|\|\||!=|<=|>=|=|<|>)
    |(?P<path>\$(?:\.\*|\.[A-Za-z0-9_@:-]+|\[\d+\]|\[\*\]|\['[^']*'\])*)
    |"(?P<text>(?:[^"\\]|\\.)*)"
    |(?P<word>[^\s()&|=<>!"]+))""",
    re.VERBOSE,
)
_STEP = re.compile(r"\.(\*)|\.([A-Za-z0-9_@:-]+)|\[(\d+)\]|\[(\*)\]|\['([^']*)'\]")
_PATH = re.compile(r"\$(?:\.\*|\.[A-Za-z0-9_@:-]+|\[\d+\]|\[\*\]|\['[^']*'\])+")
_ABSENT = object()


class JsonPatternError(ValueError):
    """The pattern is malformed; the message says where."""


def parse(text: str) -> Callable[[str], bool]:
    """What the pattern with its braces selects; `JsonPatternError`."""
    if not (text.startswith("{") and text.endswith("}")):
        raise JsonPatternError("Invalid filter pattern: a brace is not closed")
    matches = _Parser(text[1:-1]).whole()

    def selects(message: str) -> bool:
        try:
            said = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return isinstance(said, dict) and matches(said)

    return selects


def paths(text: str) -> list[str]:
    """The properties that a pattern names, each once."""
    found = [match["path"] for match in _TOKEN.finditer(text[1:-1]) if match["path"]]
    return list(dict.fromkeys(found))


def value(path: str, message: str) -> Any:
    """What a property of a message is; None if there is none, or the message is no JSON, or `path` no property."""
    if _PATH.fullmatch(path) is None:
        return None
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    found = _values(said, list(_steps(path)))[0]
    return None if found is _ABSENT else found


class _Parser:
    """By recursive descent."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise JsonPatternError(f"Invalid filter pattern: nothing is known of {text[position:].strip()[:20]!r}")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind]))
            position = match.end()
        self._at = 0

    def whole(self) -> Matches:
        found = self._any_of()
        if self._at < len(self._tokens):
            raise JsonPatternError(f"Invalid filter pattern: {self._tokens[self._at][1]!r} is not expected")
        return found

    def _any_of(self) -> Matches:
        choices = [self._all_of()]
        while self._take("mark", "||"):
            choices.append(self._all_of())
        return choices[0] if len(choices) == 1 else lambda said: any(choice(said) for choice in choices)

    def _all_of(self) -> Matches:
        parts = [self._one()]
        while self._take("mark", "&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda said: all(part(said) for part in parts)

    def _one(self) -> Matches:
        if self._take("mark", "("):
            found = self._any_of()
            if not self._take("mark", ")"):
                raise JsonPatternError("Invalid filter pattern: a parenthesis is not closed")
            return found
        kind, path = self._next()
        if kind != "path":
            raise JsonPatternError(f"Invalid filter pattern: {path!r} is no property; they begin with $")
        return self._comparison(list(_steps(path)))

    def _comparison(self, steps: list[str | int | None]) -> Matches:
        kind, said = self._next()
        if (kind, said.upper()) == ("word", "IS"):
            constants: dict[str, Any] = {"NULL": None, "TRUE": True, "FALSE": False}
            word = self._next()[1].upper()
            if word not in constants:
                raise JsonPatternError(f"Invalid filter pattern: IS {word}")
            return lambda root: any(value is constants[word] for value in _values(root, steps))
        if (kind, said.upper()) == ("word", "NOT"):
            if self._next()[1].upper() != "EXISTS":
                raise JsonPatternError("Invalid filter pattern: NOT is followed by EXISTS")
            return lambda root: not any(value is not _ABSENT for value in _values(root, steps))
        if kind != "mark" or said in "()&&||":
            raise JsonPatternError(f"Invalid filter pattern: {said!r} does not compare")
        holds = _holds(said, *self._next())
        return lambda root: any(holds(value) for value in _values(root, steps))

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise JsonPatternError("Invalid filter pattern: it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (kind, text):
            self._at += 1
            return True
        return False


def _steps(path: str) -> Iterator[str | int | None]:
    """Names, places, and None for any."""
    for wild, name, place, every, quoted in _STEP.findall(path):
        if wild or every:
            yield None
        elif place:
            yield int(place)
        else:
            yield name or quoted


def _values(root: Any, steps: list[str | int | None]) -> list[Any]:
    """What a property has come to; `_ABSENT` where there is none."""
    found = [root]
    for step in steps:
        found = [value for each in found for value in _below(each, step)]
    return found or [_ABSENT]


def _below(value: Any, step: str | int | None) -> list[Any]:
    if step is None:
        return list(value) if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    if isinstance(step, int):
        return [value[step]] if isinstance(value, list) and step < len(value) else []
    return [value[step]] if isinstance(value, dict) and step in value else []


def _holds(mark: str, kind: str, text: str) -> Matches:
    """The comparison of a value with what is written."""
    if kind not in ("text", "word"):
        raise JsonPatternError(f"Invalid filter pattern: {text!r} is no value")
    if kind == "word" and text.startswith("%"):
        raise JsonPatternError("regular expressions in filter patterns are not implemented by Mayfly; use *")
    number = _number(text) if kind == "word" else None
    if number is not None:
        return lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and NUMBERS[mark](value, number)
        )
    if mark not in ("=", "!="):
        raise JsonPatternError(f"Invalid filter pattern: {mark} compares numbers")
    wanted = like(kind, text)
    if mark == "=":
        return lambda value: isinstance(value, str) and wanted.fullmatch(value) is not None
    return lambda value: value is not _ABSENT and not (isinstance(value, str) and wanted.fullmatch(value) is not None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
