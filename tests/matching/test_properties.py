"""Patterns, and indexes over many of them, agree with a reference that tries everything."""

from typing import Any

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mayfly.matching.errors import EventPatternError
from mayfly.matching.index import Index
from mayfly.matching.pattern import Pattern, compile_pattern
from tests.matching.documents import events, patterns
from tests.matching.reference import reference


def compiled(pattern: dict[str, Any]) -> Pattern:
    """The pattern, unless its wildcards are too complex, which the reference does not know."""
    try:
        return compile_pattern(pattern)
    except EventPatternError as error:
        if "too complex" not in error.reason:
            raise
        reject()


@settings(max_examples=400, deadline=None)
@given(pattern=patterns, event=events)
def test_a_pattern_matches_what_the_reference_says(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    assert compiled(pattern).matches(event) is reference(pattern, event)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 6), patterns | st.none()), max_size=12),
    asked=st.lists(events, min_size=1, max_size=3),
)
def test_an_index_finds_the_patterns_that_the_reference_says_whatever_came_and_went(
    steps: list[tuple[int, dict[str, Any] | None]], asked: list[dict[str, Any]]
) -> None:
    index: Index[int] = Index()
    held: dict[int, dict[str, Any]] = {}
    for key, pattern in steps:
        held.pop(key, None)
        if pattern is None:
            index.remove(key)
        else:
            held[key] = pattern
            index.add(key, compiled(pattern))
    for event in asked:
        assert index.match(event) == [key for key, pattern in held.items() if reference(pattern, event)]
    for key in list(held):
        index.remove(key)
    assert len(index) == 0
    assert index.match(asked[0]) == []
