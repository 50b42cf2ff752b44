"""Regular expressions as Java has them, for `replaceAll`, `split`, `matches` and paths: bounded in time."""

import importlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from mayfly.vtl.errors import TemplateLimitError, TemplateRunError

if TYPE_CHECKING:
    import regex

_TIMEOUT_S = 0.05  # for one search; an expression that backtracks without end is somebody's mistake, or attack
_LONGEST = 1_000
_GROUP = re.compile(r"\\(.)|\$(\d)|\$\{(\w+)\}|([\\$])", re.DOTALL)


def replace(text: str, pattern: str, replacement: str, *, once: bool = False) -> str:
    """`replaceAll` and `replaceFirst`: `$1` and `${name}` stand for groups."""
    pieces = _pieces(replacement)
    try:
        return _compiled(pattern).sub(
            lambda found: _expanded(found, pieces), text, count=1 if once else 0, timeout=_TIMEOUT_S
        )
    except TimeoutError as error:
        _too_long(pattern, error)


def split(text: str, pattern: str, limit: int = 0) -> list[str]:
    """`split`: without the empty strings at the end, unless a limit says so; none at the beginning for no width."""
    pieces: list[str] = []
    at = 0
    try:
        for found in _compiled(pattern).finditer(text, timeout=_TIMEOUT_S):
            if 0 < limit <= len(pieces) + 1:
                break
            if found.end() == 0 or (found.start() == found.end() == len(text)):
                continue
            pieces.append(text[at : found.start()])
            at = found.end()
    except TimeoutError as error:
        _too_long(pattern, error)
    pieces.append(text[at:])
    while limit == 0 and len(pieces) > 1 and pieces[-1] == "":
        pieces.pop()
    return pieces


def matches(text: str, pattern: str, *, whole: bool = True) -> bool:
    """Whether a text matches, all of it or some of it."""
    compiled = _compiled(pattern)
    try:
        found = compiled.fullmatch(text, timeout=_TIMEOUT_S) if whole else compiled.search(text, timeout=_TIMEOUT_S)
    except TimeoutError as error:
        _too_long(pattern, error)
    return found is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> "regex.Pattern[str]":
    if len(pattern) > _LONGEST:
        raise TemplateLimitError(f"a regular expression is longer than {_LONGEST} characters")
    library: Any = importlib.import_module("regex")  # with the first expression: its tables are large
    try:
        compiled: regex.Pattern[str] = library.compile(pattern, library.VERSION1)
    except (library.error, OverflowError, RecursionError) as error:
        raise TemplateRunError(f"{pattern!r} is no regular expression: {error}") from error
    return compiled


def _pieces(replacement: str) -> list[str | int | tuple[str]]:
    """Text, numbers of groups and names of groups, in order."""
    pieces: list[str | int | tuple[str]] = []
    at = 0
    for found in _GROUP.finditer(replacement):
        pieces.append(replacement[at : found.start()])
        at = found.end()
        if found[4] is not None:
            raise TemplateRunError(f"{replacement!r} is no replacement: {found[4]!r} stands for nothing")
        if found[1] is not None:
            pieces.append(found[1])
        elif found[2] is not None:
            pieces.append(int(found[2]))
        else:
            pieces.append((found[3],))
    pieces.append(replacement[at:])
    return pieces


def _expanded(found: "regex.Match[str]", pieces: list[str | int | tuple[str]]) -> str:
    try:
        return "".join(
            piece if isinstance(piece, str) else found[piece if isinstance(piece, int) else piece[0]] or ""
            for piece in pieces
        )
    except IndexError as error:
        raise TemplateRunError("a replacement names a group that the expression lacks") from error


def _too_long(pattern: str, error: TimeoutError) -> NoReturn:
    raise TemplateLimitError(f"the regular expression {pattern!r} takes too long") from error
