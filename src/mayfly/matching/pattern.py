"""EventBridge's event patterns: compiled once, asked of many events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mayfly.matching.branches import Branch
from mayfly.matching.document import read
from mayfly.matching.errors import EventPatternError
from mayfly.matching.fields import beginnings, fields
from mayfly.matching.grammar import Reading


@dataclass(frozen=True, slots=True)
class Pattern:
    """What an event must be like: it must meet one of the branches."""

    branches: tuple[Branch, ...]
    beginnings: frozenset[str]  # of every path that a branch speaks of

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether an event, parsed from JSON, is what the pattern means. Bounded in time whatever both say."""
        found = fields(event, self.beginnings)
        return any(branch.met(found) for branch in self.branches)


def pattern_of(branches: tuple[Branch, ...]) -> Pattern:
    """The pattern that these branches are."""
    return Pattern(branches, beginnings(path for branch in branches for path, _ in branch.fields))


def compile_pattern(document: str | Mapping[str, object]) -> Pattern:
    """A pattern from its JSON text, or from what that parses to; `EventPatternError`, which says why and where.

    Its size is for the caller to bound: a rule has 4,096 characters on AWS.
    """
    source = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    parsed = read(source, EventPatternError)
    return pattern_of(tuple(map(Branch.of, Reading(parsed, EventPatternError).branches())))
