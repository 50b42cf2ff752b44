"""Compression is undone piece by piece, whatever the sizes of the pieces, and never by more than was asked for."""

import gzip
import io
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mayfly.images.inside.expand import ERRORS, MAGIC_BYTES, Expanding, expander
from mayfly.images.inside.paths import BrokenError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SKIPPED = struct.pack("<II", 0x184D2A50, 5) + b"notes"
PACK = {"gzip": lambda data: gzip.compress(data, mtime=0), "zstd": zstd.compress}


class Slow(io.BytesIO):
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._most, size) if size is not None and size >= 0 else self._most)


def expanded(data: bytes, piece: int, most: int = 1 << 20) -> bytes:
    source = Slow(data, max(most, MAGIC_BYTES))
    first = source.read(MAGIC_BYTES)
    make = expander(first)
    assert make is not None
    stream, found = Expanding(first, source, make), b""
    while got := stream.read(piece):
        assert len(got) <= piece
        found += got
    assert stream.read(piece) == b""
    return found


@given(
    contents=some.lists(some.binary(max_size=3000), min_size=1, max_size=4),
    kind=some.sampled_from(sorted(PACK)),
    piece=some.integers(1, 4000),
    most=some.integers(4, 4000),
)
def test_parts_that_follow_one_another_are_one_content(contents: list[bytes], kind: str, piece: int, most: int) -> None:
    assert expanded(b"".join(map(PACK[kind], contents)), piece, most) == b"".join(contents)


@pytest.mark.parametrize("before", [b"", SKIPPED])
def test_parts_of_zstd_that_hold_nothing_of_the_content_are_skipped(before: bytes) -> None:
    data = before + zstd.compress(b"one") + SKIPPED + zstd.compress(b"two") + SKIPPED
    assert expanded(data, 100, 7) == b"onetwo"


@pytest.mark.parametrize("kind", sorted(PACK))
def test_zeros_at_the_end_are_nothing(kind: str) -> None:
    assert expanded(PACK[kind](b"content") + bytes(1000), 100) == b"content"


@pytest.mark.parametrize("kind", sorted(PACK))
@pytest.mark.parametrize("kept", [-1, -5, 5, 9])
def test_what_is_cut_short_is_told(kind: str, kept: int) -> None:
    with pytest.raises((BrokenError, *ERRORS)):
        expanded(PACK[kind](b"content" * 100)[:kept], 100)


@pytest.mark.parametrize("kind", sorted(PACK))
def test_rubbish_after_a_part_is_told(kind: str) -> None:
    with pytest.raises((BrokenError, *ERRORS)):
        expanded(PACK[kind](b"content") + b"rubbish that is no part", 100)


def test_a_window_that_is_too_large_is_refused() -> None:
    content = bytes(1 << 20)
    far = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    with pytest.raises(ERRORS, match="memory"):
        expanded(far.compress(content) + far.flush(), 1 << 16)


@pytest.mark.parametrize("first", [b"", b"a", b"app/", b"\x1e\x8b\x08\x00", b"\x60\x2a\x4d\x18", b"\x28\xb5\x2f\xfe"])
def test_what_is_not_compressed_is_left_alone(first: bytes) -> None:
    assert expander(first) is None
