"""Fn::ForEach: parts of a template written once for each item of a list. Pure.

A loop stands as a key `Fn::ForEach::Name` beside what it adds to, with a list of three: the identifier, the collection
and an object. In keys and texts of that object `${Identifier}` becomes the item, `&{Identifier}` the item without
characters that names may not have; `{"Ref": "Identifier"}` becomes the item as well.

What comes out is bounded while it is written: loops within loops multiply.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.marks import is_unknown
from mayfly.services.stacks.template.parameters import text_of

LOOP = "Fn::ForEach::"
WRITTEN_LIMIT = 1024 * 1024  # characters of keys and texts, as large as a template may be
NESTED_LIMIT = 5
_USE = re.compile(r"([$&])\{([A-Za-z0-9]+)\}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+")
# A collection → what it is, evaluated; a placeholder where that is not known.
Evaluate = Callable[[Any], Any]


def failed(reason: str) -> Exception:
    return validation(f"Transform AWS::LanguageExtensions failed with: {reason}")


class Loops:
    """Writes loops out. Made for one template."""

    def __init__(self, evaluate: Evaluate, taken: Collection[str]) -> None:
        """`taken`: names that no identifier may have, as a reference to them would mean two things."""
        self._evaluate = evaluate
        self._taken = taken
        self._written = 0

    def unrolled(self, value: Any, items: Mapping[str, str] | None = None) -> Any:
        """`value` with its loops written out and `items` put where their identifiers are; `ServiceError`."""
        bound = items or {}
        if isinstance(value, str):
            return self._counted(_filled(value, bound))
        if isinstance(value, list):
            return [self.unrolled(item, bound) for item in value]
        if not isinstance(value, dict):
            self._count(1)
            return value
        if len(value) == 1 and isinstance(value.get("Ref"), str) and value["Ref"] in bound:
            return self._counted(bound[value["Ref"]])
        return self._object(value, bound)

    def _object(self, value: dict[str, Any], bound: Mapping[str, str]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, item in value.items():
            if key.startswith(LOOP):
                for name, part in self._loop(key, item, bound):
                    _add(written, name, part)
            else:
                _add(written, self._counted(_filled(key, bound)), self.unrolled(item, bound))
        return written

    def _loop(self, name: str, loop: Any, bound: Mapping[str, str]) -> list[tuple[str, Any]]:
        if not isinstance(loop, list) or len(loop) != 3 or not isinstance(loop[2], dict):
            raise failed(f"{name} layout is incorrect: it takes an identifier, a collection and an object")
        identifier, collection, body = loop
        if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
            raise failed(f"{name}: the identifier must be alphanumeric")
        if identifier in bound or identifier in self._taken:
            raise failed(f"{name}: the identifier {identifier} is already the name of something else")
        if len(bound) == NESTED_LIMIT:
            raise failed(f"{name}: loops can be nested {NESTED_LIMIT} deep")
        parts: list[tuple[str, Any]] = []
        for item in self._items(name, collection, bound):
            parts += self._object(body, {**bound, identifier: item}).items()
        return parts

    def _items(self, name: str, collection: Any, bound: Mapping[str, str]) -> list[str]:
        found = self._evaluate(self.unrolled(collection, bound))
        if not isinstance(found, list) or not all(isinstance(item, str | int | float | bool) for item in found):
            raise failed(f"{name}: the collection must be a list of texts that can be known before anything is made")
        if any(is_unknown(item) for item in found):
            raise failed(f"{name}: the collection must not depend on resources or on hidden parameters")
        return [text_of(item) for item in found]

    def _counted(self, text: str) -> str:
        self._count(len(text) + 1)
        return text

    def _count(self, characters: int) -> None:
        self._written += characters
        if self._written > WRITTEN_LIMIT:
            raise failed(f"the template is longer than {WRITTEN_LIMIT} characters when its loops are written out")


def _add(written: dict[str, Any], key: str, item: Any) -> None:
    if key in written:
        raise failed(f"the key {key} is written twice by loops")
    written[key] = item


def _filled(text: str, bound: Mapping[str, str]) -> str:
    if not bound or "{" not in text:
        return text

    def item(match: re.Match[str]) -> str:
        if match[2] not in bound:
            return match[0]
        return bound[match[2]] if match[1] == "$" else _NOT_IN_NAMES.sub("", bound[match[2]])

    return _USE.sub(item, text)
