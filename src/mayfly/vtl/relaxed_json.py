"""JSON as API Gateway reads payloads: strictly if that works, and else with what its parser forgives. Pure.

Forgiven are names and strings without quotes or in single quotes (`{statusCode: 200}`), a comma too many and control
characters in strings. What is no object and no array in that sense is a string, whole (`a=1&b=2`).
"""

import json
import re
from typing import Any

import msgspec

_SPACE = re.compile(r"[ \t\r\n]*")
_BARE = re.compile(r"[^,:{}\[\]\r\n]+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
_DEEPEST = 200


def read(text: str) -> Any:
    """The value that a payload is. Never fails: what is no JSON is text."""
    try:
        return strict(text)
    except ValueError:
        pass
    stripped = text.strip()
    if not stripped.startswith(("{", "[")):
        return text
    try:
        return _Reader(stripped).whole()
    except ValueError:
        return text


def strict(text: str) -> Any:
    """The value of JSON as the RFC has it; ValueError."""
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        if "out of range" not in str(error):
            raise ValueError(str(error)) from error
        return json.loads(text)  # numbers beyond 64 bits
    except RecursionError as error:
        raise ValueError("nested too deep") from error


class _Reader:
    """Reads one forgiven document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Any:
        value = self._value(0)
        self._skip()
        if self._at != len(self._text):
            raise ValueError("more follows")
        return value

    def _skip(self) -> str:
        match = _SPACE.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return self._text[self._at : self._at + 1]

    def _value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("nested too deep")
        first = self._skip()
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        if first in ("'", '"'):
            return self._quoted(first)
        return _bare(self._word())

    def _object(self, depth: int) -> dict[str, Any]:
        self._at += 1
        members: dict[str, Any] = {}
        while (char := self._skip()) != "}":
            if char == ",":
                self._at += 1
                continue
            name = self._quoted(char) if char in ("'", '"') and char else self._word()
            if self._skip() != ":":
                raise ValueError("a name lacks its value")
            self._at += 1
            members[name] = self._value(depth + 1)
            if self._skip() not in (",", "}"):
                raise ValueError("a comma lacks")
        self._at += 1
        return members

    def _array(self, depth: int) -> list[Any]:
        self._at += 1
        items: list[Any] = []
        while (char := self._skip()) != "]":
            if char == ",":
                self._at += 1
                continue
            items.append(self._value(depth + 1))
            if self._skip() not in (",", "]"):
                raise ValueError("a comma lacks")
        self._at += 1
        return items

    def _word(self) -> str:
        match = _BARE.match(self._text, self._at)
        if match is None:
            raise ValueError("nothing where a value should be")
        self._at = match.end()
        return match[0].strip()

    def _quoted(self, quote: str) -> str:
        parts: list[str] = []
        at = self._at + 1
        while at < len(self._text):
            char = self._text[at]
            if char == quote:
                self._at = at + 1
                # Characters outside the basic plane come as two escapes.
                return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if char != "\\":
                parts.append(char)
                at += 1
                continue
            escaped = self._text[at + 1 : at + 2]
            if escaped == "u":
                parts.append(chr(int(self._text[at + 2 : at + 6], 16)))
                at += 6
                continue
            parts.append(_ESCAPES.get(escaped, escaped))
            at += 2
        raise ValueError("a string does not end")


def _bare(word: str) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    match = _NUMBER.match(word)
    if match is None:
        return word
    return float(word) if match[1] or match[2] else int(word)
