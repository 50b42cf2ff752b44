"""Frames survive any cutting of the stream, and nonsense is told from them."""

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox import frames

JSON = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))
FRAMES = st.lists(st.tuples(st.integers(0, 2**32 - 1), JSON, st.binary(max_size=300)), max_size=6)


@given(FRAMES, st.data())
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(
    given_frames: list[tuple[int, dict[str, Any], bytes]], data: st.DataObject
) -> None:
    stream = b"".join(frames.encode(*frame) for frame in given_frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = frames.Decoder()
    out = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        out += list(decoder.feed(stream[start:end]))
    assert [tuple(frame) for frame in out] == given_frames
    assert decoder.buffered == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error(stream: bytes) -> None:
    with contextlib.suppress(frames.FrameError):
        assert all(isinstance(frame, frames.Frame) for frame in frames.Decoder().feed(stream))


@pytest.mark.parametrize(
    "header", [struct.pack("!III", 1, frames.MAX_JSON + 1, 0), struct.pack("!III", 1, 0, frames.MAX_PAYLOAD + 1)]
)
def test_a_frame_that_is_too_long_is_refused_before_it_is_read(header: bytes) -> None:
    with pytest.raises(frames.FrameError, match="exceeds"):
        list(frames.Decoder().feed(header))


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff"])
def test_a_frame_whose_json_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(frames.FrameError):
        list(frames.Decoder().feed(struct.pack("!III", 1, len(text), 0) + text))
