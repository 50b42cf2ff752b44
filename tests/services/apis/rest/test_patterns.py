"""Regular expressions of APIs."""

import pytest

from mayfly.services.apis.rest import patterns


@pytest.mark.parametrize(
    ("pattern", "text", "whole", "some"),
    [
        ("^Bearer [-0-9a-z.]+$", "Bearer a.b-c", True, True),
        ("b", "abc", False, True),
        (".*not found.*", "it\nwas not found\n", True, True),
        ("(?i)ABC", "abc", True, True),
        ("(", "(", False, True),
    ],
)
def test_all_or_some_of_a_text_matches(pattern: str, text: str, whole: bool, some: bool) -> None:
    assert patterns.matches(pattern, text) is whole
    assert patterns.found(pattern, text) is some


def test_what_would_take_for_ever_matches_nothing() -> None:
    text = "a" * 60 + "!"
    assert not patterns.matches("(a|aa|a.)+[bc]", text)
    assert not patterns.found("^(a|aa|a.)+[bc]$", text)
