"""Filter patterns over messages in columns: `[ip, ..., request = *html*, status = 4* || status = 5*, size]`. Pure.

Grammar (CloudWatch Logs, "Filter pattern syntax", space-delimited part): names apart by commas, one a column; `...` for
any number of columns, once. Columns of a message are apart by blanks; what stands in quotes or brackets is one column,
without them. A column may have conditions: its name compared with a string (`*` stands for any characters) or with a
number, joined by `&&` and `||`, `&&` first, grouped by parentheses.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mayfly.services.telemetry.comparisons import NUMBERS, like

Columns = Mapping[str, str]  # "$name" to what stands there
Holds = Callable[[str], bool]

_COLUMN = re.compile(r'\s*(?:"([^"]*)"|\[([^\]]*)\]|(\S+))')
_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>\(|\)|&&|\|\||!=|<=|>=|=|<|>)|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>(?:(?!&&|\|\|)[^\s()=<>!"])+))""",
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z0-9_]*")
_ELLIPSIS = "..."


class ColumnPatternError(ValueError):
    """The pattern is malformed; the message says where."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    holds: Holds | None  # None: anything will do


@dataclass(frozen=True, slots=True)
class ColumnPattern:
    head: tuple[Column, ...]
    tail: tuple[Column, ...] | None  # behind the ellipsis; None: there is none, and the number of columns counts

    def columns(self, message: str) -> Columns | None:
        """What stands in which column, if the pattern selects `message`."""
        found = split(message)
        if self.tail is None:
            if len(found) != len(self.head):
                return None
            placed = list(zip(self.head, found, strict=True))
        else:
            if len(found) < len(self.head) + len(self.tail):
                return None
            placed = list(zip(self.head, found, strict=False))
            placed += zip(self.tail, found[len(found) - len(self.tail) :], strict=True)
        if not all(column.holds is None or column.holds(value) for column, value in placed):
            return None
        return {f"${column.name or number}": value for number, (column, value) in enumerate(placed, 1)}


def split(message: str) -> list[str]:
    """The columns of a message."""
    return [next(part for part in match.groups() if part is not None) for match in _COLUMN.finditer(message)]


def parse(text: str) -> ColumnPattern:
    """The pattern with its brackets; `ColumnPatternError`."""
    if not (text.startswith("[") and text.endswith("]")):
        raise ColumnPatternError("Invalid filter pattern: a bracket is not closed")
    parts = _parts(text[1:-1])
    places = [number for number, part in enumerate(parts) if part == _ELLIPSIS]
    if len(places) > 1:
        raise ColumnPatternError("Invalid filter pattern: an ellipsis can stand once")
    columns = [_column(part) for part in parts if part != _ELLIPSIS]
    named = [column.name for column in columns if column.name]
    if len(set(named)) != len(named):
        raise ColumnPatternError("Invalid filter pattern: a name stands for one column")
    if not places:
        return ColumnPattern(tuple(columns), None)
    return ColumnPattern(tuple(columns[: places[0]]), tuple(columns[places[0] :]))


def _parts(text: str) -> list[str]:
    """Apart by commas that do not stand in quotes."""
    parts, quoted = [""], False
    for char in text:
        quoted ^= char == '"'
        if char == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    if quoted:
        raise ColumnPatternError("Invalid filter pattern: a quotation mark is not closed")
    return [_ELLIPSIS if part.strip() == "…" else part.strip() for part in parts]


def _column(text: str) -> Column:
    if _NAME.fullmatch(text):
        return Column(text, None)
    tokens: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise ColumnPatternError(f"Invalid filter pattern: nothing is known of {text[position:].strip()[:20]!r}")
        kind = match.lastgroup or ""
        tokens.append((kind, match[kind]))
        position = match.end()
    return _Conditions(tokens).whole()


class _Conditions:
    """Those of one column, by recursive descent."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._name: str | None = None

    def whole(self) -> Column:
        holds = self._any_of()
        if self._at < len(self._tokens):
            raise ColumnPatternError(f"Invalid filter pattern: {self._tokens[self._at][1]!r} is not expected")
        return Column(self._name or "", holds)

    def _any_of(self) -> Holds:
        choices = [self._all_of()]
        while self._take("||"):
            choices.append(self._all_of())
        return lambda value: any(choice(value) for choice in choices)

    def _all_of(self) -> Holds:
        parts = [self._one()]
        while self._take("&&"):
            parts.append(self._one())
        return lambda value: all(part(value) for part in parts)

    def _one(self) -> Holds:
        if self._take("("):
            found = self._any_of()
            if not self._take(")"):
                raise ColumnPatternError("Invalid filter pattern: a parenthesis is not closed")
            return found
        kind, name = self._next()
        if kind != "word" or not _NAME.fullmatch(name) or self._name not in (None, name):
            raise ColumnPatternError(f"Invalid filter pattern: {name!r} is not the name of its column")
        self._name = name
        mark_kind, mark = self._next()
        if mark_kind != "mark" or mark in ("(", ")", "&&", "||"):
            raise ColumnPatternError(f"Invalid filter pattern: {mark!r} does not compare")
        return _comparison(mark, *self._next())

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise ColumnPatternError("Invalid filter pattern: a condition ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, mark: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("mark", mark):
            self._at += 1
            return True
        return False


def _comparison(mark: str, kind: str, text: str) -> Holds:
    if kind == "mark":
        raise ColumnPatternError(f"Invalid filter pattern: {text!r} is no value")
    if kind == "word" and text.startswith("%"):
        raise ColumnPatternError("regular expressions in filter patterns are not implemented by Mayfly; use *")
    wanted = number(text) if kind == "word" else None
    if wanted is not None:
        differs = mark == "!="

        def holds(value: str) -> bool:
            found = number(value)
            return differs if found is None else NUMBERS[mark](found, wanted)

        return holds
    if mark not in ("=", "!="):
        raise ColumnPatternError(f"Invalid filter pattern: {mark} compares numbers")
    pattern = like(kind, text)
    if mark == "=":
        return lambda value: pattern.fullmatch(value) is not None
    return lambda value: pattern.fullmatch(value) is None


def number(text: str) -> float | None:
    """The finite number that `text` writes down, if it does."""
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", text, re.ASCII) is None:
        return None
    found = float(text)
    return found if abs(found) != float("inf") else None
