"""Filter criteria: which records of a source a function is for. Pure.

A record passes when it matches one of the patterns, or when there is none. Text that carries data (the body of a
message, the data of a stream's record) is matched as the JSON that it is, and as text where it is none: "Control which
events Lambda sends to your function" in AWS's developer guide.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from mayfly.matching.errors import EventPatternError
from mayfly.matching.pattern import Pattern, compile_pattern
from mayfly.services.functions import faults

MAX_FILTERS: Final = 10

_json = msgspec.json.Decoder()


class Filter:
    """Compiled criteria."""

    def __init__(self, patterns: Sequence[Pattern] = ()) -> None:
        self._patterns = tuple(patterns)

    def __bool__(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._patterns)

    def passes(self, event: Callable[[], Mapping[str, Any]]) -> bool:
        """`event` makes what is matched; it is only called where that is asked for."""
        if not self._patterns:
            return True
        found = event()
        return any(pattern.matches(found) for pattern in self._patterns)


def compiled(texts: Sequence[str] | None) -> Filter:
    """The filter of patterns that were checked."""
    return Filter([compile_pattern(text) for text in texts or ()])


def checked(criteria: Mapping[str, Any]) -> tuple[str, ...]:
    """The patterns of FilterCriteria; `ServiceError`."""
    texts = tuple(each.get("Pattern", "") for each in criteria.get("Filters", ()))
    if len(texts) > MAX_FILTERS:
        raise faults.invalid_parameter(f"An event source mapping has at most {MAX_FILTERS} filters.")
    for text in texts:
        try:
            compile_pattern(text)
        except EventPatternError:
            raise faults.invalid_parameter("Invalid filter pattern definition.") from None
    return texts


def data(text: str | bytes) -> Any:
    """Data as the JSON that it is, else as text."""
    try:
        return _json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return text if isinstance(text, str) else text.decode(errors="replace")
