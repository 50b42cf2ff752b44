"""Ranges: the pure decisions."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.objects import ranges

NUMBERS = st.integers(0, 30)


@settings(deadline=None)
@given(st.one_of(st.none(), NUMBERS), st.one_of(st.none(), NUMBERS), st.integers(0, 20))
def test_a_range_selects_what_a_naive_reading_of_it_selects(first: int | None, last: int | None, size: int) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    offsets = range(size)
    if first is None and last is None:
        expected: list[int] | None = None
    elif first is None:
        assert last is not None
        expected = list(offsets[max(0, size - last) :])
    elif last is not None and last < first:
        expected = None
    else:
        expected = [offset for offset in offsets if offset >= first and (last is None or offset <= last)]
    if expected == []:
        with pytest.raises(ServiceError, match="InvalidRange"):
            ranges.parse(header, size)
        return
    span = ranges.parse(header, size)
    assert (None if span is None else list(offsets[span.start : span.end])) == expected


@settings(deadline=None)
@given(st.text(max_size=20), st.integers(0, 20))
def test_nonsense_is_ignored_or_refused_but_never_fails(header: str, size: int) -> None:
    with contextlib.suppress(ServiceError):
        span = ranges.parse(header, size)
        assert span is None or 0 <= span.start < span.end <= size


@pytest.mark.parametrize("header", ["bytes=1-", "bytes=-5", "bytes=3-2", "0-4", "bytes=0-10"])
def test_the_range_of_a_copy_lies_within_its_source(header: str) -> None:
    with pytest.raises(ServiceError, match="InvalidArgument"):
        ranges.parse_copy(header, 10)
    assert ranges.parse_copy("bytes=0-9", 10) == ranges.Span(0, 10)


def test_a_range_of_absurd_length_is_ignored() -> None:
    assert ranges.parse(f"bytes=0-{'9' * 5000}", 10) is None
    assert ranges.parse(f"bytes=0-{'9' * 30}", 10) == ranges.Span(0, 10)
