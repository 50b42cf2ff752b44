"""Journals that another process writes and this one folds.

A front process appends to a journal of its own, through a `Writer`, before it acknowledges anything; this process reads
those files into the database like its own, through a `FollowedJournal`, each record exactly once. There is one writer a
name at a time, and it numbers its segments upwards from where it was told; a segment is complete when a higher number
exists. Whatever either process dies of, what was written is folded by this process, or by the next one.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mayfly.errors import PlatformError
from mayfly.store.disk import storage_errors
from mayfly.store.journal import FileJournal
from mayfly.store.journal_segments import Position, Segments, Tail, frames

SEGMENT_BYTES = 16 * 1024 * 1024
_AGAIN_S = 0.002  # after which a record that was being written is whole
_FILE = re.compile(r"(.+)-\d{10}\.journal")


class Writer:
    """The writing end: `append` only."""

    def __init__(self, directory: Path, name: str, first: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Creates segment number `first`, which must be above all that there are."""
        self._segments = Segments(directory, name)
        self._segment_bytes = segment_bytes
        self._tail = Tail(self._segments, first)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mayfly-journal-{name}")

    def append(self, records: Sequence[bytes]) -> None:
        """One write(2) of all records; they survive the death of this process. `PlatformError`: none was recorded."""
        data = frames(records)
        if not data:
            return
        if self._tail.size and self._tail.size + len(data) > self._segment_bytes:
            full, self._tail = self._tail, Tail(self._segments, self._tail.number + 1)
            self._thread.submit(full.close)  # which waits for the disk
        self._tail.write(data)

    async def close(self) -> None:
        """Make durable what was written, and release the file."""
        self._tail.close()
        self._thread.shutdown()


class FollowedJournal(FileJournal):
    """The folding end. `noticed` whenever the writer may have written; `renew` when there is none any more."""

    def append(self, records: Sequence[bytes]) -> None:
        """Only the writer does."""
        raise PlatformError(f"the journal {self._name} is written by another process")

    @property
    def next_segment(self) -> int:
        """Where a new writer begins; right after `open` or `renew`."""
        return self._tail.number

    @property
    def backlog(self) -> int:
        """Bytes written and not folded yet."""
        return sum(self._ends.values()) + self._tail.size - self._folded.offset

    def noticed(self) -> None:
        """Fold what was written since; costs a look at the directory."""
        self._look(ended=False)
        if self._unfolded():
            self._dirty.set()
            self._behind.set()

    async def flush(self) -> None:
        """Return when everything that was written before the call is in the database."""
        self.noticed()
        await super().flush()

    def renew(self) -> None:
        """The writer is no more, and has left what it has left."""
        self._look(ended=True)
        if self._unfolded():
            self._behind.set()

    def _look(self, *, ended: bool) -> None:
        """See how far the writer is: all segments but the newest are complete, and that one too if it `ended`."""
        while self._segments.path(self._tail.number + 1).exists() or (
            ended and self._segments.path(self._tail.number).exists()
        ):
            self._ends[self._tail.number] = self._tail.size
            self._tail = _Followed(self._segments, self._tail.number + 1)

    def _resume(self, folded: Position) -> None:
        """Nobody writes yet: everything that is there is complete."""
        self._ends = self._segments.sizes()
        for old in [old for old in self._ends if old < folded.segment]:
            self._segments.delete(old)
            del self._ends[old]
        number = max([folded.segment, *self._ends]) + 1
        first = min(self._ends, default=number)
        offset = min(folded.offset, self._ends[first]) if first == folded.segment else 0
        self._folded = Position(first, offset)
        self._tail = _Followed(self._segments, number)
        if self._ends:
            self._behind.set()

    async def _torn(self, at: Position) -> None:
        """The writer is in the middle of a record, or died there; `renew` tells."""
        await asyncio.sleep(_AGAIN_S)


class _Followed:
    """The newest segment as its reader sees it: it grows by another's hand, and may not be there yet."""

    def __init__(self, segments: Segments, number: int) -> None:
        self._path = segments.path(number)
        self.number = number

    @property
    def size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, data: bytes) -> None:
        raise AssertionError("another process writes this")

    def sync(self) -> None:
        with storage_errors(self._path):
            try:
                descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Nothing is held open."""


def names(directory: Path, prefix: str) -> list[str]:
    """The journals in `directory` whose names begin so."""
    found = {match[1] for entry in directory.iterdir() if (match := _FILE.fullmatch(entry.name))}
    return sorted(name for name in found if name.startswith(prefix))
