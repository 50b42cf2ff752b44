"""Paths into an event (`$.body.items[0].id`), through text that is JSON where the source has some. Pure.

"Amazon EventBridge Pipes input transformation": dots, names of letters, digits, dashes and underscores, array indices
and `[*]`. Members that carry the data of their source (`body` of queues, `data` of streams) are read as JSON on the
way, where they are ("implicit body data parsing").
"""

import json
import re
from typing import Any, Final

PATH: Final = re.compile(r"\$((?:\.[\w/-]+(?:\[(?:\d+|\*)\])*)*)")
_STEP = re.compile(r"\.([\w/-]+)|\[(\d+|\*)\]")
_CARRIERS: Final = frozenset({"body", "data"})


class Missing:
    """What a path that leads nowhere leads to."""


MISSING: Final = Missing()


def find(event: Any, path: str) -> Any:
    """The value at `path`, which must match `PATH`; `MISSING` when there is none."""
    found = [event]
    spread = False
    for depth, step in enumerate(_STEP.finditer(path[1:])):
        name, index = step.groups()
        if index == "*":
            spread = True
            found = [item for value in found if isinstance(value, list) for item in value]
        elif index is not None:
            found = [value[int(index)] for value in found if isinstance(value, list) and int(index) < len(value)]
        else:
            held = [value[name] for value in found if isinstance(value, dict) and name in value]
            found = [parsed(value) for value in held] if depth == 0 and name in _CARRIERS else held
    if spread:
        return found
    return found[0] if found else MISSING


def parsed(value: Any) -> Any:
    """Text as the JSON that it is, and everything else, and other text, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def dynamic(given: str, event: Any) -> str | None:
    """A parameter that may be a path into the event: its text; None when the path leads nowhere."""
    if not PATH.fullmatch(given):
        return given
    value = find(event, given)
    if value is MISSING or value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
