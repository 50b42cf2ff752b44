"""What filter patterns over JSON and over columns compare alike."""

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import translate
from typing import Final

# A value with the number that is written, by the mark between them.
NUMBERS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def like(kind: str, text: str) -> re.Pattern[str]:
    """What texts are like that are written `text`: `*` is any part, `?` and brackets are themselves; where `kind` is
    "text", it stood in quotes, and backslashes escape."""
    literal = re.sub(r"\\(.)", r"\1", text) if kind == "text" else text
    return re.compile(translate(literal.replace("[", "[[]").replace("?", "[?]")))
