"""The files of a journal: framed records in numbered segments. Sans policy: `journal.FileJournal` decides when.

A frame is the record's length and a CRC-32 over length and record (both 32 bits, little-endian), then the record. The
checksum covers the length so that a run of zeros, which a crash may leave, is no record.
"""

import os
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HEADER = struct.Struct("<II")
LENGTH = struct.Struct("<I")
RECORD_LIMIT = 16 * 1024 * 1024  # bytes


def frame(record: bytes) -> bytes:
    """One record as it stands in a file; ValueError if it is too large."""
    if len(record) > RECORD_LIMIT:
        raise ValueError(f"a record has at most {RECORD_LIMIT} bytes, not {len(record)}")
    return HEADER.pack(len(record), _checksum(record)) + record


def unframe(data: bytes) -> tuple[list[bytes], int]:
    """The whole records at the start of `data`, and how many bytes they take; what follows is torn or incomplete."""
    records = []
    position = 0
    while position + HEADER.size <= len(data):
        length, checksum = HEADER.unpack_from(data, position)
        end = position + HEADER.size + length
        if length > RECORD_LIMIT or end > len(data):
            break
        record = data[position + HEADER.size : end]
        if _checksum(record) != checksum:
            break
        records.append(record)
        position = end
    return records, position


def _checksum(record: bytes) -> int:
    return zlib.crc32(record, zlib.crc32(LENGTH.pack(len(record))))


class Position(NamedTuple):
    """A place in a journal; positions compare in the order of the records."""

    segment: int
    offset: int


class Batch(NamedTuple):
    """Records read in order, and where the next ones start."""

    records: list[bytes]
    next: Position


class Segments:
    """The segment files `<name>-<number>.journal` of one journal in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._pattern = re.compile(re.escape(name) + r"-(\d{10})\.journal")

    def path(self, number: int) -> Path:
        return self._directory / f"{self._name}-{number:010d}.journal"

    def numbers(self) -> list[int]:
        found = (self._pattern.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def create(self, number: int) -> int:
        """A file descriptor to append with."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.path(number), flags, 0o600)

    def size(self, number: int) -> int:
        return self.path(number).stat().st_size

    def delete_before(self, number: int) -> int:
        """Delete segments that are wholly folded; the bytes that this freed."""
        freed = 0
        for old in self.numbers():
            if old < number:
                freed += self.size(old)
                self.path(old).unlink()
        return freed

    def read(self, start: Position, end: int, limit: int) -> Batch:
        """Records of one segment from `start`, about `limit` bytes of them, none beyond offset `end`.

        No records means that there is no whole one before `end`.
        """
        with open(self.path(start.segment), "rb") as file:
            file.seek(start.offset)
            data = file.read(min(limit, end - start.offset))
            records, used = unframe(data)
            if not records and len(data) >= HEADER.size:
                # The first record may be larger than the limit.
                whole = min(HEADER.size + LENGTH.unpack_from(data)[0], HEADER.size + RECORD_LIMIT, end - start.offset)
                if whole > len(data):
                    records, used = unframe(data + file.read(whole - len(data)))
        return Batch(records, Position(start.segment, start.offset + used))


def joined(records: Sequence[bytes]) -> bytes:
    return b"".join(frame(record) for record in records)
