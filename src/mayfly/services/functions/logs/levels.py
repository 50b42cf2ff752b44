"""Which lines of a function's own are kept where it logs JSON: ApplicationLogLevel. Pure.

Runtimes that know the level do not write what is below it. Whatever else writes a JSON object names its level in the
member `level`, and counts as INFO where that is missing, or where the object has no time of its own. Lines that are no
objects have no level and are kept, and so are metrics in the embedded format, which are not there to be read.
"""

import re
from typing import Any

import msgspec

_ORDER = {
    "TRACE": 0,
    "DEBUG": 1,
    "INFO": 2,
    "WARN": 3,
    "WARNING": 3,
    "ERROR": 4,
    "FATAL": 5,
    "CRITICAL": 5,
}
_TIMES = ("timestamp", "time", "Timestamp", "@timestamp")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)")


def kept(line: str, least: str) -> bool:
    """Whether a line is kept in the log of a function whose ApplicationLogLevel is `least`."""
    if not line.startswith("{"):
        return True
    try:
        said = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return True
    return "_aws" in said or level(said) >= _ORDER[least]


def level(said: dict[str, Any]) -> int:
    """The level of a record; more is graver."""
    time = next((said[name] for name in _TIMES if name in said), None)
    named = said.get("level")
    if not isinstance(time, str) or _RFC_3339.fullmatch(time) is None or not isinstance(named, str):
        return _ORDER["INFO"]
    return _ORDER.get(named.upper(), _ORDER["INFO"])
