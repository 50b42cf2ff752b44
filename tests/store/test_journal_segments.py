import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.store import journal_segments
from mayfly.store.api import StorageFullError
from mayfly.store.journal_segments import Position, Segments, Tail, frames, unframe

RECORDS = st.lists(st.binary(max_size=50), max_size=20)


@given(RECORDS)
def test_records_come_back_as_they_went_in(records: list[bytes]) -> None:
    data = frames(records)
    assert unframe(data) == (records, len(data))


@given(RECORDS, st.data())
def test_a_file_cut_anywhere_gives_the_whole_records_before_the_cut(records: list[bytes], data: st.DataObject) -> None:
    whole = frames(records)
    cut = data.draw(st.integers(0, len(whole)))
    found, used = unframe(whole[:cut])
    assert found == records[: len(found)]
    assert used == len(frames(found)) <= cut
    if len(found) < len(records):
        assert len(frames(records[: len(found) + 1])) > cut


@given(RECORDS.filter(bool), st.data())
def test_a_flipped_bit_is_noticed(records: list[bytes], data: st.DataObject) -> None:
    damaged = bytearray(frames(records))
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    found, used = unframe(bytes(damaged))
    assert used <= bit // 8
    assert found == records[: len(found)]


@given(RECORDS, st.integers(0, 100))
def test_zeros_after_the_end_are_no_records(records: list[bytes], zeros: int) -> None:
    data = frames(records)
    assert unframe(data + bytes(zeros)) == (records, len(data))


def test_a_record_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_segments, "RECORD_LIMIT", 10)
    frames([bytes(10)])
    with pytest.raises(ValueError, match="at most 10 bytes"):
        frames([bytes(11)])


@given(records=st.lists(st.binary(max_size=50), min_size=1, max_size=20), limit=st.integers(1, 80))
def test_reading_in_batches_gives_every_record_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], limit: int
) -> None:
    segments = Segments(tmp_path_factory.mktemp("journal"), "j")
    tail = Tail(segments, 1)
    tail.write(frames(records))
    tail.close()
    position, found = Position(1, 0), list[bytes]()
    while position.offset < tail.size:
        batch = segments.read(position, tail.size, limit)
        assert batch.records
        assert len(frames(batch.records)) <= limit or len(batch.records) == 1
        found += batch.records
        position = batch.next
    assert found == records


def test_segments_are_told_by_name_and_listed_in_order(tmp_path: Path) -> None:
    segments = Segments(tmp_path, "logs")
    for number in (10, 9, 11):
        tail = Tail(segments, number)
        tail.write(bytes(number))
        tail.close()
    Tail(Segments(tmp_path, "usage"), 3).close()
    (tmp_path / "logs-1.journal").touch()
    assert list(segments.sizes().items()) == [(9, 9), (10, 10), (11, 11)]


def test_a_segment_is_never_made_over_an_old_one(tmp_path: Path) -> None:
    segments = Segments(tmp_path, "logs")
    Tail(segments, 1).close()
    with pytest.raises(Exception, match="exists"):
        Tail(segments, 1)


def test_a_write_that_the_disk_cuts_short_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Segments(tmp_path, "logs")
    tail = Tail(segments, 1)
    tail.write(frames([b"first"]))
    write, room = os.write, [7]

    def nearly_full(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(fd, data[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        with pytest.raises(StorageFullError):
            tail.write(frames([b"second"]))
    tail.write(frames([b"third"]))
    tail.close()
    assert unframe(segments.path(1).read_bytes()) == ([b"first", b"third"], tail.size)
