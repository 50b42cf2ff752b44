"""Tokens of pages come back as they were made, and nothing else does."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services import page_tokens


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_a_place_makes_the_round_trip(place: list[str]) -> None:
    assert page_tokens.decode(page_tokens.encode(*place), len(place)) == place


@given(st.text(max_size=40), st.integers(1, 3))
def test_what_nobody_made_is_refused(token: str, length: int) -> None:
    try:
        place = page_tokens.decode(token, length)
    except ValueError:
        place = None
    assert place is None or len(place) == length


@pytest.mark.parametrize("content", ["", "{}", '["a", "b"]', "[1]", '"a"', "[" * 100_000])
def test_a_token_of_something_else_is_refused(content: str) -> None:
    token = base64.urlsafe_b64encode(content.encode()).decode()
    with pytest.raises(ValueError, match=r"."):
        page_tokens.decode(token, 1)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "٣", "9" * 19])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        page_tokens.number(text)


def test_a_number_is_read() -> None:
    assert page_tokens.number("120") == 120


class Refused(Exception):  # noqa: N818
    """What a service answers to a token that it never gave."""


def test_a_request_without_a_token_begins_at_the_beginning() -> None:
    assert page_tokens.after(None, Refused) == ""
    assert page_tokens.places(None, 2, Refused) == ["", ""]
    assert page_tokens.number_after(None, Refused) == 0
    assert page_tokens.number_after(None, Refused, first=9) == 9


def test_a_request_with_a_token_goes_on_behind_its_place() -> None:
    assert page_tokens.after(page_tokens.encode("a"), Refused) == "a"
    assert page_tokens.places(page_tokens.encode("a", "b"), 2, Refused) == ["a", "b"]
    assert page_tokens.number_after(page_tokens.encode("7"), Refused, first=9) == 7


@pytest.mark.parametrize("token", ["", "x", page_tokens.encode("a", "b", "c")])
def test_a_request_with_what_is_no_token_is_refused_in_the_words_of_its_service(token: str) -> None:
    for read in (page_tokens.after, page_tokens.number_after):
        with pytest.raises(Refused):
            read(token, Refused)
    with pytest.raises(Refused):
        page_tokens.places(token, 2, Refused)


def test_a_token_that_says_no_number_is_refused_where_one_is_wanted() -> None:
    with pytest.raises(Refused):
        page_tokens.number_after(page_tokens.encode("a"), Refused)
