"""Placeholders: what stands for a value that nobody knows yet. Pure.

They are texts that begin and end with NUL: good for comparing two templates, finding dependencies and checking shapes.
NUL cannot occur in a template: neither JSON nor YAML parsers let it through unescaped and the check of a template's
text refuses the escaped form.
"""

import json
from typing import Any

NUL = "\0"


def placeholder(logical_id: str, attribute: str | None) -> str:
    """What stands for a value that is not known yet."""
    return f"{NUL}{logical_id}{'' if attribute is None else '.' + attribute}{NUL}"


def is_unknown(value: Any) -> bool:
    """Whether `value` is a text with a placeholder in it."""
    return isinstance(value, str) and NUL in value


def has_unknown(value: Any) -> bool:
    """Whether a placeholder is anywhere in `value`."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            if NUL in item:
                return True
        elif isinstance(item, dict):
            left += item
            left += item.values()
        elif isinstance(item, list | tuple):
            left += item
    return False


def opaque(name: str, argument: Any) -> str:
    """A placeholder for a function of something unknown: equal for equal expressions."""
    return f"{NUL}{name} {json.dumps(argument, sort_keys=True).replace(NUL, '')}{NUL}"
