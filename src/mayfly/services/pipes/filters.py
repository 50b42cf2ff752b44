"""Filter criteria: which records of a source a pipe is for. Pure.

A record passes when it matches one of the patterns, or when there is none. Text that carries data is matched as the
JSON that it is, if it is.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.matching.errors import EventPatternError
from mayfly.matching.pattern import Pattern, compile_pattern
from mayfly.services.pipes import faults, paths

MAX_FILTERS = 5


class Filter:
    """Compiled criteria."""

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self._patterns = patterns

    def passes(self, event: Mapping[str, Any]) -> bool:
        if not self._patterns:
            return True
        read = {name: paths.parsed(value) if name in ("body", "data") else value for name, value in event.items()}
        return any(pattern.matches(read) for pattern in self._patterns)


def filter_of(source_parameters: Mapping[str, Any]) -> Filter:
    """The filter of a pipe's source parameters; ValidationException."""
    texts = [each.get("Pattern", "") for each in source_parameters.get("FilterCriteria", {}).get("Filters", ())]
    try:
        return Filter(tuple(compile_pattern(text) for text in texts if text))
    except EventPatternError as error:
        raise faults.invalid(str(error)) from None
