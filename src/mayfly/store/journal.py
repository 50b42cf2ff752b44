"""A journal in files: append now, fold into the database later, each record exactly once.

`append` is one `write(2)` of all its records, into the page cache. Two background tasks follow: one fsyncs what is
dirty every `sync_s`, one folds batches into the database, position and effect in one transaction. Every opening starts
a fresh segment, so that a torn end of an old one is never appended to; segments are deleted once folded.

When folding falls behind. Records stay in their files, where they cost disk and not memory, and are folded later. Above
`backlog_bytes` the policy is to *refuse*: `append` raises `JournalFullError` and records nothing of that call, so what
was accepted is never lost. A fold that fails is logged and tried again with backoff, in ever smaller batches down to a
single record, so that everything before a record that cannot be folded gets through; that one blocks those after it
until it folds, because dropping it would lose it.
"""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mayfly.clock import Clock
from mayfly.store.api import (
    JournalFullError,
    StorageFailedError,
    StorageFullError,
    Store,
    StoreClosedError,
    Tx,
)
from mayfly.store.blob_files import sync_directory
from mayfly.store.journal_segments import Batch, Position, Segments, joined

SEGMENT_BYTES = 16 * 1024 * 1024
BACKLOG_BYTES = 1024 * 1024 * 1024
BATCH_BYTES = 512 * 1024
SYNC_S = 0.1
FOLD_S = 0.05  # records gather this long, so that a fold is worth its commit
BACKOFF_S = (0.1, 30.0)

SELECT_POSITION = "SELECT segment, position FROM journal_positions WHERE name = :name"
UPSERT_POSITION = """
INSERT INTO journal_positions (name, segment, position) VALUES (:name, :segment, :position)
ON CONFLICT (name) DO UPDATE SET segment = excluded.segment, position = excluded.position
"""

Fold = Callable[[Tx, list[bytes]], None]
_log = logging.getLogger(__name__)


class FileJournal:
    """`Journal` in a directory. Opened by `open`; close it before the store."""

    def __init__(
        self,
        segments: Segments,
        directory: Path,
        name: str,
        store: Store,
        fold: Fold,
        *,
        segment_bytes: int,
        backlog_bytes: int,
        sync_s: float,
        fold_s: float,
    ) -> None:
        self._segments = segments
        self._directory = directory
        self._name = name
        self._store = store
        self._fold = fold
        self._segment_bytes = segment_bytes
        self._backlog_bytes = backlog_bytes
        self._sync_s = sync_s
        self._fold_s = fold_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mayfly-journal-{name}")
        self._fd = -1
        self._segment = 0  # the one appended to
        self._size = 0  # its bytes
        self._ends: dict[int, int] = {}  # sizes of the full segments that are not folded yet
        self._backlog = 0  # bytes appended and not folded
        self._folded = Position(0, 0)
        self._dirty = asyncio.Event()
        self._behind = asyncio.Event()
        self._progress = asyncio.Condition()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls,
        directory: Path,
        name: str,
        store: Store,
        fold: Fold,
        clock: Clock,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        backlog_bytes: int = BACKLOG_BYTES,
        sync_s: float = SYNC_S,
        fold_s: float = FOLD_S,
    ) -> "FileJournal":
        """Open or create the journal `name` in `directory`; one process at a time.

        `fold` runs in the writer thread as part of a store body, with records in order of their appending.
        """
        journal = cls(
            Segments(directory, name),
            directory,
            name,
            store,
            fold,
            segment_bytes=segment_bytes,
            backlog_bytes=backlog_bytes,
            sync_s=sync_s,
            fold_s=fold_s,
        )
        row = await store.read(lambda reader: reader.one(SELECT_POSITION, {"name": name}))
        await asyncio.get_running_loop().run_in_executor(
            journal._thread, journal._resume, Position(*row) if row else Position(0, 0)
        )
        if journal._backlog:
            journal._behind.set()
        journal._tasks = [
            asyncio.create_task(journal._sync_forever(), name=f"mayfly-journal-{name}-sync"),
            asyncio.create_task(journal._fold_forever(), name=f"mayfly-journal-{name}-fold"),
        ]
        return journal

    def append(self, records: Sequence[bytes]) -> None:
        """Raises `JournalFullError`, `StorageFullError` or `StorageFailedError`; nothing was recorded then."""
        if self._closing:
            raise StoreClosedError(f"the journal {self._name} is closed")
        data = joined(records)
        if not data:
            return
        if self._backlog + len(data) > self._backlog_bytes:
            raise JournalFullError(
                f"the journal {self._name} has {self._backlog} bytes that are not in the database yet; "
                f"the limit is {self._backlog_bytes}"
            )
        if self._size and self._size + len(data) > self._segment_bytes:
            self._rotate()
        self._write(data)
        self._size += len(data)
        self._backlog += len(data)
        self._dirty.set()
        self._behind.set()

    async def flush(self) -> None:
        target = Position(self._segment, self._size)
        async with self._progress:
            await self._progress.wait_for(lambda: self._folded >= target or not self._backlog)

    async def close(self) -> None:
        """`flush`, then release the file. If folding fails now, the rest stays in the file for the next opening."""
        if self._closing:
            return
        self._closing = True
        self._behind.set()
        sync, fold = self._tasks
        await fold
        sync.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sync
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release, self._fd)
        self._thread.shutdown()

    def _resume(self, folded: Position) -> None:
        """Find what a former process left, and start a fresh segment after it. Runs in the journal's thread."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._segments.delete_before(folded.segment)
        numbers = self._segments.numbers()
        self._ends = {number: self._segments.size(number) for number in numbers}
        self._folded = folded if folded.segment in self._ends else Position(min(numbers, default=0), 0)
        self._backlog = max(0, sum(self._ends.values()) - self._folded.offset)
        self._segment = max([folded.segment, *numbers]) + 1
        if not numbers:
            self._folded = Position(self._segment, 0)
        self._fd = self._segments.create(self._segment)
        sync_directory(self._directory)

    def _write(self, data: bytes) -> None:
        """All of `data`, or none of it."""
        written = 0
        try:
            written = os.write(self._fd, data)
            while written < len(data):  # a full disk or a signal cut it short
                written += os.write(self._fd, data[written:])
        except OSError as error:
            if written:
                os.ftruncate(self._fd, self._size)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            kind = StorageFullError if full else StorageFailedError
            raise kind(f"the journal {self._name} cannot be written: {error}") from error

    def _rotate(self) -> None:
        fd = self._segments.create(self._segment + 1)
        self._thread.submit(self._release, self._fd)
        self._ends[self._segment] = self._size
        self._fd, self._segment, self._size = fd, self._segment + 1, 0

    def _release(self, fd: int) -> None:
        try:
            os.fdatasync(fd)
        except OSError:
            _log.exception("the journal %s was not synced", self._name)
        os.close(fd)
        sync_directory(self._directory)

    def _sync(self) -> None:
        fd = os.dup(self._fd)  # a rotation may close the original meanwhile
        try:
            os.fdatasync(fd)
        except OSError:
            _log.exception("the journal %s was not synced", self._name)
        finally:
            os.close(fd)

    async def _sync_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._dirty.wait()
            await asyncio.sleep(self._sync_s)
            self._dirty.clear()
            await loop.run_in_executor(self._thread, self._sync)

    async def _fold_forever(self) -> None:
        batch_bytes, delay = BATCH_BYTES, BACKOFF_S[0]
        while True:
            await self._behind.wait()
            if not self._closing:
                await asyncio.sleep(self._fold_s)
            self._behind.clear()
            while self._backlog:
                try:
                    await self._fold_batch(batch_bytes)
                    batch_bytes, delay = BATCH_BYTES, BACKOFF_S[0]
                except Exception:
                    _log.exception("folding the journal %s failed; its records are kept", self._name)
                    if self._closing:
                        return
                    batch_bytes //= 2
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, BACKOFF_S[1])
            if self._closing:
                return

    async def _fold_batch(self, batch_bytes: int) -> None:
        """Fold one batch, or go on to the next segment at the end of one."""
        start = self._folded
        full = start.segment < self._segment
        end = self._ends.get(start.segment, 0) if full else self._size
        batch = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._segments.read, start, end, max(batch_bytes, 1)
        )
        if batch.records:
            await self._store.write(lambda tx: self._commit(tx, start, batch))
            self._advance(batch.next)
        elif full:
            if batch.next.offset < end:
                _log.warning(
                    "%s: %d bytes after the last whole record dropped",
                    self._segments.path(start.segment),
                    end - batch.next.offset,
                )
            self._backlog -= end - batch.next.offset
            del self._ends[start.segment]
            self._advance(Position(start.segment + 1, 0))
            await asyncio.get_running_loop().run_in_executor(
                self._thread, self._segments.delete_before, self._folded.segment
            )
        else:
            raise StorageFailedError(f"{self._segments.path(start.segment)} is damaged at byte {batch.next.offset}")
        async with self._progress:
            self._progress.notify_all()

    def _commit(self, tx: Tx, start: Position, batch: Batch) -> None:
        self._fold(tx, batch.records)
        position = {"name": self._name, "segment": batch.next.segment, "position": batch.next.offset}
        tx.run(UPSERT_POSITION, position)

    def _advance(self, position: Position) -> None:
        if position.segment == self._folded.segment:
            self._backlog -= position.offset - self._folded.offset
        self._folded = position
