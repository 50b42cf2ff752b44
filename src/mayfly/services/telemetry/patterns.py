"""Filter patterns, as `FilterLogEvents` takes them: those over unstructured messages. Pure.

Grammar (CloudWatch Logs, "Filter pattern syntax", unstructured part): terms separated by blanks, all of which must
occur; `-term` must not occur; where `?term`s stand, one of them suffices; quotes hold a phrase together; matching is
case-sensitive. Patterns over JSON fields (`{ … }`) are `json_patterns`; over columns (`[ … ]`), and regular expressions
(`%…%`), are refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mayfly.services.telemetry import json_patterns

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

    def matches(self, message: str) -> bool:
        """Whether the pattern selects `message`."""
        if self.selects is not None:
            return self.selects(message)
        return (
            all(term in message for term in self.all_of)
            and (not self.any_of or any(term in message for term in self.any_of))
            and not any(term in message for term in self.none_of)
        )


def parse(text: str) -> Pattern:
    """The pattern that `text` writes down; `PatternError`."""
    text = text.strip()
    if text[:1] == "{":
        try:
            return Pattern(selects=json_patterns.parse(text))
        except json_patterns.JsonPatternError as error:
            raise PatternError(str(error)) from error
    if text[:1] in {"[", "%"}:
        kind = {"[": "column", "%": "regular expression"}[text[0]]
        raise PatternError(f"{kind} filter patterns are not implemented by Mayfly; use terms")
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
