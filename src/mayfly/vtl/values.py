"""The values that templates work on, and what they look like as text. Pure.

A template sees Java objects. Here these are Python's: None, bool, int, float and str stand for themselves; a `list` is
a JSON array, as the payload has them, and looks like JSON; a `Listing` is a list of the template's own (literals,
ranges, what methods return) and looks as Java shows it; a `dict` looks as Java shows it, `{a=1, b=2}`, whatever it came
from; a `Section` is a part of `$context`, which looks like nothing.
"""

from collections.abc import Mapping
from math import isinf, isnan
from typing import Any

import msgspec

from mayfly.vtl.errors import TemplateLimitError

_DEEPEST = 100  # values within values that are shown


class Listing(list[Any]):
    """A list that looks like `[a, b]`."""

    __slots__ = ()


class Section(dict[str, Any]):
    """A part of `$context`: its members are there, and as text it is empty, as recorded of API Gateway."""

    __slots__ = ()


def text_of(value: Any, depth: int = 0) -> str:
    """A value as Java's `toString` would show it; null is nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, int):
        return str(value)
    if depth > _DEEPEST:
        raise TemplateLimitError(f"a value nests deeper than {_DEEPEST}")
    if isinstance(value, Section):
        return ""
    if isinstance(value, Mapping):
        inner = [f"{text_of(key)}={_member(item, depth)}" for key, item in value.items()]
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, Listing):
        return "[" + ", ".join([_member(item, depth) for item in value]) + "]"
    if isinstance(value, list):
        return json_of(value)
    return str(value)


def _member(value: Any, depth: int) -> str:
    return "null" if value is None else text_of(value, depth + 1)


def json_of(value: Any) -> str:
    """A value as compact JSON."""
    try:
        return msgspec.json.encode(_plain(value, 0)).decode()
    except (msgspec.MsgspecError, ValueError) as error:
        raise TemplateLimitError("a value cannot be shown as JSON") from error


def _plain(value: Any, depth: int) -> Any:
    """Only what JSON has: keys that are text, numbers as Java writes them."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else msgspec.Raw(str(value).encode())
    if isinstance(value, float):
        return msgspec.Raw(float_text(value).encode()) if not isnan(value) and not isinf(value) else None
    if depth > _DEEPEST:
        raise TemplateLimitError(f"a value nests deeper than {_DEEPEST}")
    if isinstance(value, Mapping):
        return {text_of(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    return str(value)


def float_text(value: float) -> str:
    """A double as Java shows it: `1.0`, `1.0E10`, `1.5E-4`."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = repr(value)
        return plain if "e" not in plain else f"{value:.17f}".rstrip("0")
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        shortest = f"{value:.17e}"
        for digits in range(17):
            candidate = f"{value:.{digits}e}"
            if float(candidate) == value:
                shortest = candidate
                break
        mantissa, _, exponent = shortest.partition("e")
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"


class Fields(dict[str, Any]):
    """Header fields: as they came, and found whatever case their names are asked for in."""

    __slots__ = ()

    def field(self, name: str) -> Any:
        """A field by its name; None where there is none."""
        if name in self:
            return self[name]
        wanted = name.lower()
        return next((value for key, value in self.items() if key.lower() == wanted), None)
