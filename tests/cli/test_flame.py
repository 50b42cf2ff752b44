"""The text flame of imports."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.cli.flame import BAR, MODULE, lines, shortened


def module(name: str, total_us: int, own_us: int, depth: int = 0) -> dict[str, Any]:
    return {"module": name, "total_us": total_us, "own_us": own_us, "depth": depth}


def test_bars_tell_own_time_from_that_of_what_was_imported() -> None:
    drawn = lines([module("json", 10_000, 5_000), module("json.decoder", 5_000, 5_000, 1)], 20.0, plain=True)
    assert drawn == [
        "Module                                   Own ms   All ms",
        "json                                        5.0     10.0  #####-----",
        "  json.decoder                              5.0      5.0  #####",
    ]


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=300),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 60),
    st.floats(0, 1e6),
)
def test_no_line_is_wider_than_a_terminal(name: str, total_us: int, own_us: int, depth: int, scale: float) -> None:
    for plain in (False, True):
        for line in lines([module(name, total_us, own_us, depth)], scale, plain=plain):
            assert len(line) <= MODULE + 2 * 10 + 1 + BAR <= 79
            assert line.isascii() or not plain


@pytest.mark.parametrize(("plain", "expected"), [(False, "  …ghij"), (True, "  ...ij")])
def test_a_name_that_is_too_long_keeps_its_indentation_and_its_end(plain: bool, expected: str) -> None:
    assert shortened("  abcdefghij", 7, plain=plain) == expected
