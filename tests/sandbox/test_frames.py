"""Frames survive any cutting of the stream, and nonsense is told from them."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox import frames

JSON = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))
NUMBERS = st.integers(0, 2**32 - 1)
FLAGS = st.integers(0, 2**16 - 1)
FRAMES = st.lists(st.tuples(st.integers(0, 2**16 - 1), JSON, st.binary(max_size=300), NUMBERS, FLAGS), max_size=6)
TEXT = st.text(st.characters(exclude_characters="\0"))


@given(FRAMES, st.data())
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(
    given_frames: list[tuple[int, dict[str, Any], bytes, int, int]], data: st.DataObject
) -> None:
    stream = b"".join(frames.encode(*frame) for frame in given_frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = frames.Decoder()
    out = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        out += list(decoder.feed(stream[start:end]))
    assert [(frame.kind, frame.meta, frame.payload, frame.number, frame.flags) for frame in out] == given_frames
    assert decoder.buffered == 0


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_while_frames_are_taken_the_decoder_knows_what_is_left(payloads: list[bytes]) -> None:
    sizes = [len(frames.encode_result(1, payload)) for payload in payloads]
    decoder = frames.Decoder()
    left = sum(sizes)
    for size, _ in zip(sizes, decoder.feed(b"".join(frames.encode_result(1, p) for p in payloads)), strict=True):
        left -= size
        assert decoder.buffered == left


@given(TEXT, st.integers(0, 2**53), TEXT, TEXT, TEXT, TEXT, TEXT, NUMBERS, st.binary(max_size=100))
def test_a_call_says_what_it_was_made_with(
    request_id: str,
    deadline_ms: int,
    arn: str,
    trace: str,
    client: str,
    identity: str,
    tenant: str,
    number: int,
    payload: bytes,
) -> None:
    head = frames.call_head(request_id, deadline_ms, arn, trace, client, identity, tenant)
    (frame,) = frames.Decoder().feed(frames.encode_call(number, head, payload))
    assert (frame.kind, frame.number, frame.payload) == (frames.INVOKE, number, payload)
    assert frames.call_fields(frame.head) == [request_id, str(deadline_ms), arn, trace, client, identity, tenant]


@given(st.text(), st.text())
def test_no_field_of_a_call_can_become_two(arn: str, client: str) -> None:
    fields = frames.call_fields(frames.call_head("r", 1, arn, "", client))
    assert fields == ["r", "1", arn.replace("\0", ""), "", client.replace("\0", ""), "", ""]


@pytest.mark.parametrize("head", [b"", b"a\0b", b"\0" * 5, b"\0" * 7])
def test_a_call_without_its_fields_is_refused(head: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.call_fields(head)


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error(stream: bytes) -> None:
    with contextlib.suppress(frames.FrameError):
        assert all(isinstance(frame, frames.Frame) for frame in frames.Decoder().feed(stream))


@pytest.mark.parametrize("lengths", [(frames.MAX_HEAD + 1, 0), (0, frames.MAX_PAYLOAD + 1)])
def test_a_frame_that_is_too_long_is_refused_before_it_is_read(lengths: tuple[int, int]) -> None:
    with pytest.raises(frames.FrameError, match="exceeds"):
        list(frames.Decoder().feed(frames.HEADER.pack(1, 0, 0, *lengths)))


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff"])
def test_a_head_that_is_no_object_is_refused(text: bytes) -> None:
    (frame,) = frames.Decoder().feed(frames.HEADER.pack(1, 0, 0, len(text), 0) + text)
    with pytest.raises(frames.FrameError):
        frame.meta  # noqa: B018 (reading it parses it)
