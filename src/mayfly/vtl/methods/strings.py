"""Methods of strings. Characters are code points here, not Java's halves of them."""

import re
from collections.abc import Mapping
from typing import Any

from mayfly.vtl import regexes
from mayfly.vtl.errors import TemplateLimitError, TemplateRunError
from mayfly.vtl.methods.arguments import Method, WrongArgumentsError, items, text, whole
from mayfly.vtl.methods.lists import MOST
from mayfly.vtl.values import Listing, text_of

LONGEST = 10 * 1024 * 1024  # characters of any string that a template makes: API Gateway's largest payload
_FORMAT = re.compile(r"%(?:(\d)\$)?([-0+, #]*)(\d{0,3})(?:\.(\d{1,3}))?([sdxXfeEcb%n])")
_SPACES = "".join(map(chr, range(33)))  # what Java's trim takes


def bounded(made: str) -> str:
    """A string that a template made, unless it is too long."""
    if len(made) > LONGEST:
        raise TemplateLimitError(f"a string is longer than {LONGEST} characters")
    return made


def _substring(value: str, begin: Any, end: Any = None) -> str:
    first = whole(begin)
    last = len(value) if end is None else whole(end)
    if not 0 <= first <= last <= len(value):
        raise TemplateRunError(f"substring({first}, {last}) of a string of {len(value)} characters")
    return value[first:last]


def _char_at(value: str, index: Any) -> str:
    at = whole(index)
    if not 0 <= at < len(value):
        raise TemplateRunError(f"charAt({at}) of a string of {len(value)} characters")
    return value[at]


def _replace(value: str, old: Any, new: Any) -> str:
    before, after = text(old), text(new)
    if len(value) + value.count(before) * max(0, len(after) - len(before)) > LONGEST:
        raise TemplateLimitError(f"a string is longer than {LONGEST} characters")
    return value.replace(before, after)


def _replace_by(value: str, pattern: Any, new: Any, *, once: bool = False) -> str:
    if len(value) * (len(text(new)) + 1) > 100 * LONGEST:
        raise TemplateLimitError(f"a string is longer than {LONGEST} characters")
    return bounded(regexes.replace(value, text(pattern), text(new), once=once))


def _repeat(value: str, count: Any) -> str:
    times = whole(count)
    if times < 0 or len(value) * times > LONGEST:
        raise TemplateLimitError(f"repeat({times})")
    return value * times


def _format(value: str, *arguments: Any) -> str:
    """`String.format`, called on whatever string there is: the first argument is the format."""
    if not arguments:
        raise WrongArgumentsError
    remaining = (
        list(items(arguments[1])) if len(arguments) == 2 and isinstance(arguments[1], list) else [*arguments[1:]]
    )
    positional = list(remaining)

    def shown(found: re.Match[str]) -> str:
        position, flags, width, precision, kind = found.groups()
        if kind in "%n":
            return "%" if kind == "%" else "\n"
        if position is not None and int(position) > len(positional):
            raise TemplateRunError("a format names an argument that is not there")
        if position is None and not remaining:
            raise TemplateRunError("a format has more places than arguments")
        argument = positional[int(position) - 1] if position is not None else remaining.pop(0)
        return _one(argument, flags, width, precision, kind)

    return bounded(_FORMAT.sub(shown, text(arguments[0])))


def _one(argument: Any, flags: str, width: str, precision: str | None, kind: str) -> str:
    if kind in "scb":
        plain = "null" if argument is None else text_of(argument)
        plain = plain[: int(precision)] if precision else plain
        size = int(width or 0)
        return plain.ljust(size) if "-" in flags else plain.rjust(size)
    if isinstance(argument, bool) or not isinstance(argument, (int, float)):
        raise TemplateRunError(f"a format wants a number for %{kind}")
    if kind in "dxX" and not isinstance(argument, int):
        raise TemplateRunError(f"a format wants a whole number for %{kind}")
    align = "<" if "-" in flags else ("" if "0" in flags else ">")
    sign = "+" if "+" in flags else (" " if " " in flags else "")
    zero = "0" if "0" in flags and "-" not in flags and width else ""
    comma = "," if "," in flags and kind in "df" else ""
    points = f".{precision or 6}" if kind in "feE" else ""
    return format(argument, f"{align}{sign}{zero}{width}{comma}{points}{kind}")


def _few(pieces: list[str]) -> Listing:
    if len(pieces) > MOST:
        raise TemplateLimitError(f"a string in more than {MOST} pieces")
    return Listing(pieces)


def _join(value: str, between: Any, *parts: Any) -> str:
    """`String.join`, called on whatever string there is."""
    joined = parts[0] if len(parts) == 1 and isinstance(parts[0], list) else parts
    return bounded(text(between).join(text_of(part) for part in joined))


def _compare(value: str, other: str) -> int:
    for left, right in zip(value, other, strict=False):
        if left != right:
            return ord(left) - ord(right)
    return len(value) - len(other)


METHODS: Mapping[str, Method] = {
    "length": len,
    "isEmpty": lambda value: not value,
    "isBlank": lambda value: not value.strip(),
    "charAt": _char_at,
    "substring": _substring,
    "subSequence": _substring,
    "indexOf": lambda value, part, start=0: value.find(text(part), max(0, whole(start))),
    "lastIndexOf": lambda value, part: value.rfind(text(part)),
    "contains": lambda value, part: text(part) in value,
    "startsWith": lambda value, part, start=0: value.startswith(text(part), whole(start)),
    "endsWith": lambda value, part: value.endswith(text(part)),
    "equalsIgnoreCase": lambda value, other: isinstance(other, str) and value.casefold() == other.casefold(),
    "compareTo": lambda value, other: _compare(value, text(other)),
    "compareToIgnoreCase": lambda value, other: _compare(value.lower(), text(other).lower()),
    "concat": lambda value, other: bounded(value + text(other)),
    "replace": _replace,
    "replaceAll": _replace_by,
    "replaceFirst": lambda value, pattern, new: _replace_by(value, pattern, new, once=True),
    "matches": lambda value, pattern: regexes.matches(value, text(pattern)),
    "split": lambda value, pattern, limit=0: _few(regexes.split(value, text(pattern), whole(limit))),
    "toLowerCase": lambda value: value.lower(),
    "toUpperCase": lambda value: value.upper(),
    "trim": lambda value: value.strip(_SPACES),
    "strip": lambda value: value.strip(),
    "intern": lambda value: value,
    "repeat": _repeat,
    "toCharArray": lambda value: _few(list(value[: MOST + 1])),
    "valueOf": lambda value, other: text_of(other),
    "join": _join,
    "format": _format,
}
