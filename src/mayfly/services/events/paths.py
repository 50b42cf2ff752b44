"""The JSON paths that EventBridge evaluates: names by dots, array indices, wildcards; and what they find. Pure.

The syntax is the part of JSONPath that the user guide lists under input transformation ("dot notation, dashes,
underscores, alphanumeric characters, array indices, wildcards, forward slashes").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_STEP = re.compile(r"\.([^.\[\]*\s]+)|\.\*|\[(\d{1,9})\]|\[\*\]")


@dataclass(frozen=True, slots=True)
class _Missing:
    """What a path finds where there is nothing; JSON's null is a value."""


MISSING: Final = _Missing()
_EVERY: Final = "*"


class Path:
    """A parsed path."""

    __slots__ = ("_many", "_steps")

    def __init__(self, text: str) -> None:
        """ValueError when `text` is no path."""
        if not text.startswith("$"):
            raise ValueError("a path begins with $")
        steps: list[tuple[str, str | int]] = []
        at = 1
        while at < len(text):
            match = _STEP.match(text, at)
            if match is None:
                raise ValueError(f"{text!r} is no path of dots, names, indices and wildcards")
            name, index = match.groups()
            if name is not None:
                steps.append(("name", name))
            elif index is not None:
                steps.append(("index", int(index)))
            else:
                steps.append((_EVERY, ""))
            at = match.end()
        self._steps = tuple(steps)
        self._many = any(kind == _EVERY for kind, _ in steps)

    def find(self, root: Any) -> Any:
        """What the path leads to: a value, a list of all values where it has a wildcard, or `MISSING`."""
        found = [root]
        for kind, which in self._steps:
            found = [value for one in found for value in _children(one, kind, which)]
        if self._many:
            return found
        return found[0] if found else MISSING


def _children(value: Any, kind: str, which: str | int) -> list[Any]:
    if kind == "name":
        return [value[which]] if isinstance(value, Mapping) and which in value else []
    if kind == "index":
        return [value[which]] if isinstance(value, list) and isinstance(which, int) and which < len(value) else []
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else []
