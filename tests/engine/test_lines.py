"""Cutting output into lines."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.engine.lines import LineSplitter


def split(chunks: list[bytes], max_bytes: int = 1000) -> list[str]:
    splitter = LineSplitter(max_bytes)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.flush()


def test_a_line_that_comes_in_parts_is_one_line() -> None:
    assert split([b"he", b"llo\nwor", b"ld"]) == ["hello", "world"]


def test_a_long_line_comes_in_pieces() -> None:
    assert split([b"abcdefghij\nk\n"], max_bytes=4) == ["abcd", "efgh", "ij", "k"]


def test_a_long_line_without_an_end_is_not_kept_in_memory() -> None:
    splitter = LineSplitter(4)
    assert splitter.feed(b"abcdefghij") == ["abcd", "efgh"]
    assert splitter.partial
    assert splitter.flush() == ["ij"]
    assert not splitter.partial


def test_characters_are_never_cut() -> None:
    assert split(["aüüüü".encode()], max_bytes=4) == ["aü", "üü", "ü"]


def test_bytes_that_are_not_utf8_may_be_cut_anywhere() -> None:
    pieces = split([b"\xc3" + b"\x80" * 8], max_bytes=4)
    assert "".join(pieces).count("\ufffd") == 7
    assert pieces[0].startswith("\u00c0")


def test_empty_lines_are_lines() -> None:
    assert split([b"\n\r\na\r\n"]) == ["", "", "a"]


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), st.data())
def test_however_the_bytes_arrive_the_text_is_the_same(text: str, data: st.DataObject) -> None:
    whole = f"{text}\n{text}".encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert split(chunks) == ([text, text] if text else [""])


@given(st.lists(st.binary(max_size=40), max_size=10), st.integers(4, 20))
def test_any_bytes_come_out_in_bounded_pieces_and_none_is_lost(chunks: list[bytes], max_bytes: int) -> None:
    lines = split(chunks, max_bytes)
    assert all(len(line) <= max_bytes for line in lines)
    expected = b"".join(chunks).replace(b"\r\n", b"").replace(b"\n", b"")
    if expected.isascii():
        assert "".join(lines).encode().replace(b"\r", b"") == expected.replace(b"\r", b"")
