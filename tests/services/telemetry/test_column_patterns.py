"""Patterns over columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.telemetry.column_patterns import ColumnPatternError, parse, split

ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
ALL = "[ip, id, user, timestamp, request, status, size]"


def test_quotes_and_brackets_hold_a_column_together() -> None:
    assert split(ACCESS) == [
        "127.0.0.1", "-", "frank", "10/Oct/2000:13:25:15 -0700", "GET /index.html HTTP/1.0", "404", "1534"
    ]  # fmt: skip


def test_every_column_is_known_by_its_name_or_its_place() -> None:
    assert parse("[a, , c]").columns("x y z") == {"$a": "x", "$2": "y", "$c": "z"}
    found = parse("[ip, ..., size]").columns(ACCESS)
    assert found == {"$ip": "127.0.0.1", "$size": "1534"}


@pytest.mark.parametrize(
    ("pattern", "selected"),
    [
        (ALL, True),
        ("[ip, id, user]", False),
        ("[...]", True),
        ("[..., size]", True),
        ("[ip, ...]", True),
        ("[..., status = 4*, size]", True),
        ("[..., status = 5*, size]", False),
        ("[..., status = 404 || status = 410, size]", True),
        ("[..., status, size > 1000]", True),
        ("[..., status, size > 1000 && size <= 1500]", False),
        ("[..., request = *html*, status, size]", True),
        ('[..., request = "GET /index.html HTTP/1.0", status, size]', True),
        ("[..., request != *html*, status, size]", False),
        ("[ip = 127.0.0.*, ...]", True),
        ("[..., (status = 404 || status = 410) && status != 410, size]", True),
        ("[ip > 5, ...]", False),
    ],
)
def test_a_pattern_selects_messages_by_their_columns(pattern: str, selected: bool) -> None:
    assert (parse(pattern).columns(ACCESS) is not None) is selected


@pytest.mark.parametrize(
    "pattern",
    ["[a, b", "[..., a, ...]", "[a, a]", "[a = ]", "[a = 1 || b = 2]", "[a > x]", "[(a = 1]", '[a = "x]', "[a = %x%]",
     "[a b]", "[= 1]", "[a = 1 2]"],
)  # fmt: skip
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ColumnPatternError):
        parse(pattern)


WORD = st.text("abcXYZ019_./-", min_size=1, max_size=8)


@given(st.lists(WORD, max_size=6), st.integers(0, 6))
def test_an_ellipsis_stands_for_any_number_of_columns(words: list[str], named: int) -> None:
    pattern = parse("[" + ", ".join([*(f"c{place}" for place in range(named)), "..."]) + "]")
    found = pattern.columns(" ".join(words))
    assert (found is not None) is (named <= len(words))
    if found is not None:
        assert list(found.values()) == words[:named]


@given(st.text(max_size=40))
def test_any_text_in_brackets_is_a_pattern_or_refused(text: str) -> None:
    try:
        pattern = parse(f"[{text}]")
    except ColumnPatternError:
        return
    pattern.columns(text)
