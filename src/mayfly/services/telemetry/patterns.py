"""Filter patterns, as FilterLogEvents and filters on groups take them: those over unstructured messages. Pure.

Grammar (CloudWatch Logs, "Filter pattern syntax", unstructured part): terms separated by blanks, all of which must
occur; `-term` must not occur; where `?term`s stand, one of them suffices; quotes hold a phrase together; matching is
case-sensitive. Patterns over JSON fields (`{ … }`) are `json_patterns`, over columns (`[ … ]`) `column_patterns`;
regular expressions (`%…%`) are refused.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mayfly.services.telemetry import column_patterns, json_patterns

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')


class PatternError(ValueError):
    """The pattern is malformed, or of a kind that is not implemented; the message says which."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern; an empty one matches everything."""

    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    selects: Callable[[str], bool] | None = None  # of a pattern over JSON
    named: tuple[str, ...] = ()  # the properties that it names
    columns: column_patterns.ColumnPattern | None = None

    def matches(self, message: str) -> bool:
        """Whether the pattern selects `message`."""
        if self.selects is not None:
            return self.selects(message)
        if self.columns is not None:
            return self.columns.columns(message) is not None
        return (
            all(term in message for term in self.all_of)
            and (not self.any_of or any(term in message for term in self.any_of))
            and not any(term in message for term in self.none_of)
        )

    def extracted(self, message: str) -> Mapping[str, str]:
        """What stands in the columns, or the properties, that the pattern names, of a message that it selects."""
        if self.columns is not None:
            return self.columns.columns(message) or {}
        values = {path: json_patterns.value(path, message) for path in self.named}
        return {path: written(value) for path, value in values.items() if value is not None}

    def value(self, selector: str, message: str) -> str | None:
        """What `$column` or `$.property` is in a message that the pattern selects."""
        if self.columns is not None:
            return (self.columns.columns(message) or {}).get(selector)
        found = json_patterns.value(selector, message) if self.selects is not None else None
        return None if found is None or isinstance(found, dict | list) else written(found)


def written(value: object) -> str:
    """A value of JSON as text."""
    return value if isinstance(value, str) else json.dumps(value)


def parse(text: str) -> Pattern:
    """The pattern that `text` writes down; `PatternError`."""
    text = text.strip()
    if text[:1] == "{":
        try:
            return Pattern(selects=json_patterns.parse(text), named=tuple(json_patterns.paths(text)))
        except json_patterns.JsonPatternError as error:
            raise PatternError(str(error)) from error
    if text[:1] == "[":
        try:
            return Pattern(columns=column_patterns.parse(text))
        except column_patterns.ColumnPatternError as error:
            raise PatternError(str(error)) from error
    if text[:1] == "%":
        raise PatternError("regular expression filter patterns are not implemented by Mayfly; use terms")
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise PatternError("Invalid filter pattern: a quotation mark is not closed")
        sign, phrase, word = match.groups()
        terms[sign].append(re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else word)
        position = match.end()
    return Pattern(tuple(terms[""]), tuple(terms["?"]), tuple(terms["-"]))
