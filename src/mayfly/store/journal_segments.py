"""The files of a journal: framed records in numbered segments. `journal.FileJournal` decides what to do when.

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

from mayfly.store.disk import storage_errors, sync_directory

HEADER = struct.Struct("<II")
LENGTH = struct.Struct("<I")
RECORD_LIMIT = 16 * 1024 * 1024  # bytes


def frames(records: Sequence[bytes]) -> bytes:
    """Records as they stand in a file; ValueError if one is too large."""
    parts = []
    for record in records:
        if len(record) > RECORD_LIMIT:
            raise ValueError(f"a record has at most {RECORD_LIMIT} bytes, not {len(record)}")
        parts.append(HEADER.pack(len(record), _checksum(record)))
        parts.append(record)
    return b"".join(parts)


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
    """The files `<name>-<number>.journal` of one journal in a directory. All methods block."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._pattern = re.compile(re.escape(name) + r"-(\d{10})\.journal")

    def path(self, number: int) -> Path:
        return self._directory / f"{self._name}-{number:010d}.journal"

    def sizes(self) -> dict[int, int]:
        """The segments that exist, in order, with their sizes."""
        self._directory.mkdir(parents=True, exist_ok=True)
        found = ((self._pattern.fullmatch(entry.name), entry) for entry in os.scandir(self._directory))
        return dict(sorted((int(match[1]), entry.stat().st_size) for match, entry in found if match))

    def delete(self, number: int) -> None:
        self.path(number).unlink(missing_ok=True)

    def read(self, start: Position, end: int, limit: int) -> Batch:
        """Records of one segment from `start`, about `limit` bytes of them and one at least, none beyond `end`.

        No records means that there is no whole one before offset `end`.
        """
        with open(self.path(start.segment), "rb") as file:
            file.seek(start.offset)
            data = file.read(min(max(limit, HEADER.size), end - start.offset))
            records, used = unframe(data)
            if not records and len(data) >= HEADER.size:
                # The first record may be longer than the limit.
                length = min(LENGTH.unpack_from(data)[0], RECORD_LIMIT)
                data += file.read(max(0, min(HEADER.size + length, end - start.offset) - len(data)))
                records, used = unframe(data)
        return Batch(records, Position(start.segment, start.offset + used))


class Tail:
    """The segment that is appended to."""

    def __init__(self, segments: Segments, number: int) -> None:
        """Creates the file, its name durable."""
        self._path = segments.path(number)
        self.number = number
        self.size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        with storage_errors(self._path):
            self._fd = os.open(self._path, flags, 0o600)

    def write(self, data: bytes) -> None:
        """All of `data` in one write(2), or none of it; `StorageFullError`, `StorageFailedError`."""
        with storage_errors(self._path):
            written = 0
            try:
                written = os.write(self._fd, data)
                while written < len(data):  # a disk that is nearly full cut it short
                    written += os.write(self._fd, data[written:])
            except OSError:
                if written:
                    os.ftruncate(self._fd, self.size)
                raise
        self.size += len(data)

    def sync(self) -> None:
        with storage_errors(self._path):
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Sync, also the directory, then release the file whatever came of it."""
        try:
            self.sync()
            sync_directory(self._path.parent)
        finally:
            os.close(self._fd)
