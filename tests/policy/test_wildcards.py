"""IAM's wildcards."""

import re
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.wildcards import like


@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=8))
def test_wildcards_match_as_their_regular_expression_does(pattern: str, text: str) -> None:
    expression = pattern.replace("*", ".*").replace("?", ".")
    assert like(pattern, text) == (re.fullmatch(expression, text) is not None)


@given(st.text("ab*?", max_size=8), st.text("ab*?", max_size=8))
def test_wildcards_mean_what_shells_mean_by_them(pattern: str, text: str) -> None:
    assert like(pattern, text) is fnmatchcase(text, pattern)
