"""Filter patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.telemetry.patterns import PatternError, parse

WORD = st.text("abcXYZ019_./", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("pattern", "message", "selected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR Timeout", "Timeout: ERROR", True),
        ("ERROR Timeout", "ERROR", False),
        ('"out of memory"', "ran out of memory", True),
        ('"out of memory"', "memory out of", False),
        ("ERROR -expected", "ERROR", True),
        ("ERROR -expected", "ERROR expected", False),
        ("?WARN ?ERROR", "a WARN", True),
        ("?WARN ?ERROR", "an INFO", False),
        ('"a \\" b"', 'x a " b y', True),
    ],
)
def test_a_pattern_selects_messages(pattern: str, message: str, selected: bool) -> None:
    assert parse(pattern).matches(message) is selected


@pytest.mark.parametrize("pattern", ['"open', "{ $.a = 1", "[a, b", "%re%", 'a "'])
def test_what_is_malformed_or_not_implemented_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse(pattern)


@given(st.lists(WORD, max_size=4), st.lists(WORD, max_size=3), st.text("abcXYZ019_./ ", max_size=40))
def test_terms_and_exclusions_agree_with_their_definition(wanted: list[str], unwanted: list[str], message: str) -> None:
    pattern = " ".join([*wanted, *(f"-{word}" for word in unwanted)])
    expected = all(word in message for word in wanted) and not any(word in message for word in unwanted)
    assert parse(pattern).matches(message) is expected
