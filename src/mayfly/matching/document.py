"""JSON text as a tree whose nodes know where they stand, so that an error of a pattern can say so.

The places are those that AWS reports: it reads with a parser that stands behind the opening quote of a string, and
behind everything else. Used by `grammar`; what is read here was written by users, so its depth is bounded.
"""

import json
import re
from dataclasses import dataclass
from typing import Literal

from mayfly.matching.errors import Refusal

MOST_DEPTH = 100
_SHOWN = 500  # characters of a document that an error repeats

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"true|false|null")
_DECODER = json.JSONDecoder()

Kind = Literal["object", "array", "string", "number", "word"]
Scalar = str | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """One value. `value` is the text of a string, the literal of a number, what a word means."""

    kind: Kind
    at: int  # offset at which AWS's parser stands when it has seen that this is what comes
    end: int
    value: Scalar = None
    members: tuple[tuple[str, "Node"], ...] = ()  # of an object, in order, repeated names included
    items: tuple["Node", ...] = ()

    @property
    def text(self) -> str:
        """The text of a string, or the literal of a number."""
        return self.value if isinstance(self.value, str) else ""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole text."""

    source: str
    root: Node

    def where(self, at: int) -> str:
        """A place, in AWS's words."""
        shown = self.source[:_SHOWN]
        if len(self.source) > _SHOWN:
            shown += f'"[truncated {len(self.source) - _SHOWN} chars]'
        else:
            shown += '"'
        line = self.source.count("\n", 0, at) + 1
        column = at - (self.source.rfind("\n", 0, at) + 1) + 1
        return f'\n at [Source: (String)"{shown}; line: {line}, column: {column}]'


def read(source: str, error: Refusal) -> Document:
    """The document that a text is; `error`."""
    root, at = _Reader(source, error).value(0, 0)
    if _SPACE.fullmatch(source, at) is None:
        raise error("Invalid JSON")
    return Document(source, root)


class _Reader:
    def __init__(self, source: str, error: Refusal) -> None:
        self._source = source
        self._error = error

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        """The value that begins at `at`, spaces before it allowed, and where it ends."""
        at = self._space(at)
        first = self._source[at : at + 1]
        if first == '"':
            text, end = self._string(at)
            return Node("string", at + 1, end, text), end
        if first in {"{", "["}:
            if depth >= MOST_DEPTH:
                raise self._error(f"Document nesting depth ({depth + 1}) exceeds the maximum allowed ({MOST_DEPTH})")
            return self._object(at, depth + 1) if first == "{" else self._array(at, depth + 1)
        if (word := _WORD.match(self._source, at)) is not None:
            return Node("word", word.end(), word.end(), _WORDS[word.group()]), word.end()
        if (number := _NUMBER.match(self._source, at)) is not None:
            return Node("number", number.end(), number.end(), number.group()), number.end()
        raise self._error("Invalid JSON")

    def _object(self, opened: int, depth: int) -> tuple[Node, int]:
        members: list[tuple[str, Node]] = []
        at = self._space(opened + 1)
        if not self._is(at, "}"):
            while True:
                if not self._is(at, '"'):
                    raise self._error("Invalid JSON")
                name, at = self._string(at)
                at = self._space(at)
                if not self._is(at, ":"):
                    raise self._error("Invalid JSON")
                found, at = self.value(at + 1, depth)
                members.append((name, found))
                at = self._space(at)
                if not self._is(at, ","):
                    break
                at = self._space(at + 1)
            if not self._is(at, "}"):
                raise self._error("Invalid JSON")
        return Node("object", opened + 1, at + 1, members=tuple(members)), at + 1

    def _array(self, opened: int, depth: int) -> tuple[Node, int]:
        items: list[Node] = []
        at = self._space(opened + 1)
        if not self._is(at, "]"):
            while True:
                found, at = self.value(at, depth)
                items.append(found)
                at = self._space(at)
                if not self._is(at, ","):
                    break
                at += 1
            if not self._is(at, "]"):
                raise self._error("Invalid JSON")
        return Node("array", opened + 1, at + 1, items=tuple(items)), at + 1

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = _DECODER.raw_decode(self._source, at)
        except ValueError:
            raise self._error("Invalid JSON") from None
        assert isinstance(text, str)
        return text, end

    def _space(self, at: int) -> int:
        found = _SPACE.match(self._source, at)
        assert found is not None
        return found.end()

    def _is(self, at: int, character: str) -> bool:
        return self._source.startswith(character, at)
