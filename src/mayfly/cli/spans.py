"""Spans of time as people write them. Pure."""

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")


def parse_span(text: str) -> float:
    """Seconds in `text`: a number with a unit of s, m, h, d or w, or of seconds without one. ValueError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a span of time; write 30s, 10m, 2h, 7d or 1w")
    return float(match[1]) * _UNITS[match[2] or "s"]
