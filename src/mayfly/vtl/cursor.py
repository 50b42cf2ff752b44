"""A place in the text of a template, moved on by whoever reads it."""

import re
from typing import NoReturn

from mayfly.vtl.errors import TemplateSyntaxError

SPACE = re.compile(r"\s*")
DEEPEST = 50  # blocks, brackets and strings within each other


class Cursor:
    """Reads a text from front to back; knows lines, for errors, and how deep what is read lies."""

    __slots__ = ("at", "depth", "text")

    def __init__(self, text: str, at: int = 0, depth: int = 0) -> None:
        self.text = text
        self.at = at
        self.depth = depth

    @property
    def ended(self) -> bool:
        return self.at >= len(self.text)

    def peek(self, ahead: int = 0) -> str:
        """The character `ahead` of here; empty behind the end."""
        return self.text[self.at + ahead : self.at + ahead + 1]

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What `pattern` finds here, and moves on behind it; None, and stays, where it finds nothing."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def space(self) -> None:
        """Move on behind white space."""
        self.match(SPACE)

    def take(self, expected: str) -> bool:
        """Whether `expected` stands here, behind white space; moves on behind it if it does."""
        before = self.at
        self.space()
        if self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        self.at = before
        return False

    def need(self, expected: str, where: str) -> None:
        """Like `take`, where nothing else may stand."""
        if not self.take(expected):
            self.space()
            found = repr(self.peek()) if self.peek() else "the end"
            self.fail(f"{expected!r} is missing in {where}, found {found}")

    def deeper(self) -> None:
        """What is read now lies within what was read before; undone by `depth -= 1`."""
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"nested deeper than {DEEPEST}")

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        line = self.text.count("\n", 0, place) + 1
        column = place - self.text.rfind("\n", 0, place)
        raise TemplateSyntaxError(message, line, column)
