"""Matches regular expressions of users, in a process of its own: `services.patterns` starts this file as a program.

It stands alone, with the standard library as its only import, so that the program is ready in milliseconds. What users
write is Java's dialect: its properties of characters, `\\p{L}`, are put in the words of Python's. Those of scripts and
blocks are not known, and the pattern is refused.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from unicodedata import category

Ranges = list[tuple[int, int]]

_LAST = sys.maxunicode
_TOKEN = re.compile(r"\\(?P<kind>[pP])(?:\{(?P<name>\w+)\}|(?P<letter>[A-Z]))|\\.|[\[\]]", re.DOTALL)
_CATEGORIES = "C Cc Cf Cn Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs"
# The classes of POSIX, which are of ASCII alone.
_POSIX = {
    "ASCII": "\x00\x7f", "Alnum": "09AZaz", "Alpha": "AZaz", "Blank": "\t\t  ", "Cntrl": "\x00\x1f\x7f\x7f",
    "Digit": "09", "Graph": "!~", "Lower": "az", "Print": " ~", "Punct": "!/:@[`{~", "Space": "\t\r  ", "Upper": "AZ",
    "XDigit": "09AFaf",
}  # fmt: skip


def verdict(pattern: str, values: Sequence[str]) -> str | None:
    """None if all of each value matches, "" if not, else what is wrong with the pattern."""
    try:
        compiled = re.compile(translated(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        return f"is not a pattern: {error}"
    return None if all(map(compiled.fullmatch, values)) else ""


def translated(pattern: str) -> str:
    """A pattern in Python's dialect; `re.error` for a property that is not known."""
    return "".join(_pieces(pattern))


def _pieces(pattern: str) -> Iterator[str]:
    at, in_class = 0, False
    for token in _TOKEN.finditer(pattern):
        yield pattern[at : token.start()]
        at = token.end()
        if token["kind"] is None:
            in_class = {"[": True, "]": False}.get(token[0], in_class)
            yield token[0]
            continue
        named = _ranges(token["name"] or token["letter"])
        ranges = named if token["kind"] == "p" else _others(named)
        said = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
        yield said if in_class else f"[{said}]"
    yield pattern[at:]


def _ranges(name: str) -> Ranges:
    if name in _POSIX:
        ends = [ord(end) for end in _POSIX[name]]
        return list(zip(ends[::2], ends[1::2], strict=True))
    wanted = name.removeprefix("Is")
    if wanted not in _CATEGORIES.split():
        raise re.error(f"characters of the property {name} are not known")
    return [run for kind, run in _runs() if kind.startswith(wanted)]


@cache
def _runs() -> list[tuple[str, tuple[int, int]]]:
    """All characters, as runs of one category; found once, since looking at all of them takes a tenth of a second."""
    found, start = [], 0
    for kind, run in groupby(map(category, map(chr, range(_LAST + 1)))):
        end = start + sum(1 for _ in run)
        found.append((kind, (start, end - 1)))
        start = end
    return found


def _others(ranges: Ranges) -> Ranges:
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), _LAST]
    return [(low, high) for low, high in zip(starts, ends, strict=True) if low <= high]


if __name__ == "__main__":
    json.dump([verdict(*item) for item in json.load(sys.stdin)], sys.stdout)
