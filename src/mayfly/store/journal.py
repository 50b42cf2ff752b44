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
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.store.api import JournalFullError, StorageFailedError, StorageFullError, Store, StoreClosedError, Tx
from mayfly.store.journal_segments import Batch, Position, Segments, Tail, frames

T = TypeVar("T")
Fold = Callable[[Tx, list[bytes]], None]

BACKOFF_S = (0.1, 30.0)  # first, longest

SELECT_POSITION = "SELECT segment, position FROM journal_positions WHERE name = :name"
UPSERT_POSITION = """
INSERT INTO journal_positions (name, segment, position) VALUES (:name, :segment, :position)
ON CONFLICT (name) DO UPDATE SET segment = excluded.segment, position = excluded.position
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """How a journal trades delay for work."""

    segment_bytes: int = 16 * 1024 * 1024
    backlog_bytes: int = 1024 * 1024 * 1024  # appended and not folded; above it, `append` refuses
    batch_bytes: int = 1024 * 1024  # folded in one transaction
    sync_s: float = 0.1  # between fsyncs of a dirty file
    linger_s: float = 0.2  # records gather this long, so that a fold is worth its commit


class Newest(Protocol):
    """The segment that grows."""

    @property
    def number(self) -> int: ...

    @property
    def size(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def sync(self) -> None: ...

    def close(self) -> None: ...


class FileJournal:
    """`Journal` in a directory. Opened by `open`; close it before the store."""

    def __init__(self, segments: Segments, name: str, store: Store, fold: Fold, clock: Clock, limits: JournalLimits):
        self._segments = segments
        self._name = name
        self._store = store
        self._fold = fold
        self._clock = clock
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mayfly-journal-{name}")
        self._tail: Newest
        self._ends: dict[int, int] = {}  # sizes of the older segments that are not folded yet, in order
        self._folded = Position(0, 0)
        self._backlog = 0  # bytes appended and not folded
        self._behind_since = clock.monotonic()
        self._batch_bytes = limits.batch_bytes
        self._dirty = asyncio.Event()
        self._behind = asyncio.Event()
        self._hurry = asyncio.Event()  # somebody waits in `flush` or `close`: no lingering
        self._closing = asyncio.Event()
        self._stopped = False
        self._refused = 0  # how often nothing could be folded because the disk was full
        self._progress = asyncio.Condition()
        self._main: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        directory: Path,
        name: str,
        store: Store,
        fold: Fold,
        clock: Clock,
        limits: JournalLimits | None = None,
    ) -> Self:
        """Open or create the journal `name` in `directory`. One process at a time; `name` is unique in the database.

        `fold` runs as part of a store body, with records in the order of their appending.
        """
        journal = cls(Segments(directory, name), name, store, fold, clock, limits or JournalLimits())
        row = await store.read(lambda reader: reader.one(SELECT_POSITION, {"name": name}))
        await journal._in_thread(lambda: journal._resume(Position(*row) if row else Position(0, 0)))
        journal._main = asyncio.create_task(journal._run(), name=f"mayfly-journal-{name}")
        return journal

    @property
    def backlog(self) -> int:
        """Bytes appended and not folded yet."""
        return self._backlog

    def append(self, records: Sequence[bytes]) -> None:
        """Raises `JournalFullError`, `StorageFullError` or `StorageFailedError`; nothing was recorded then."""
        if self._closing.is_set():
            raise StoreClosedError(f"the journal {self._name} is closed")
        data = frames(records)
        if not data:
            return
        if self._backlog + len(data) > self._limits.backlog_bytes:
            behind_s = self._clock.monotonic() - self._behind_since
            raise JournalFullError(
                f"the journal {self._name} is {behind_s:.0f} s behind: {self._backlog} bytes are not in the database "
                f"yet, and the limit is {self._limits.backlog_bytes}; the log says why folding fails or lags"
            )
        if self._tail.size and self._tail.size + len(data) > self._limits.segment_bytes:
            self._rotate()
        self._tail.write(data)
        if not self._backlog:
            self._behind_since = self._clock.monotonic()
        self._backlog += len(data)
        self._dirty.set()
        self._behind.set()

    async def flush(self) -> None:
        """Raises `StorageFullError` if the disk is too full to fold any, and `StorageFailedError` if the journal was
        closed meanwhile and its records could not be folded."""
        target, refused = Position(self._tail.number, self._tail.size), self._refused
        self._hurry.set()
        async with self._progress:
            await self._progress.wait_for(lambda: self._folded >= target or self._stopped or self._refused != refused)
        if self._folded < target and self._stopped:
            raise StorageFailedError(f"the journal {self._name} closed before its records could be folded")
        if self._folded < target:
            raise StorageFullError(f"the disk is full: records of the journal {self._name} are not in the database yet")

    async def close(self) -> None:
        """`flush`, then release the file. If folding fails now, the rest stays in the file for the next opening."""
        self._closing.set()
        self._hurry.set()
        self._behind.set()
        if self._main is not None:
            await asyncio.shield(self._main)

    def _resume(self, folded: Position) -> None:
        """Find what a former process left, and start a fresh segment after it. Runs in the journal's thread."""
        self._ends = self._segments.sizes()
        number = max([folded.segment, *self._ends]) + 1
        for old in [old for old in self._ends if old < folded.segment]:
            self._segments.delete(old)
            del self._ends[old]
        first = min(self._ends, default=number)
        # A crash of the machine may have lost bytes that were folded already: the position is clipped to the file.
        offset = min(folded.offset, self._ends[first]) if first == folded.segment else 0
        self._folded = Position(first, offset)
        self._backlog = sum(self._ends.values()) - offset
        if self._ends:
            self._behind.set()
        self._tail = Tail(self._segments, number)

    def _rotate(self) -> None:
        old = self._tail
        self._tail = Tail(self._segments, old.number + 1)
        self._ends[old.number] = old.size
        self._thread.submit(self._logged, old.close)

    async def _run(self) -> None:
        """Owns the background work from opening to closing."""
        syncing = asyncio.create_task(self._sync_forever(), name=f"mayfly-journal-{self._name}-sync")
        try:
            await self._fold_until_closed()
        finally:
            syncing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await syncing
            self._stopped = True
            async with self._progress:
                self._progress.notify_all()
            self._thread.submit(self._logged, self._tail.close)
            await asyncio.to_thread(self._thread.shutdown)

    async def _sync_forever(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(self._limits.sync_s)
            self._dirty.clear()
            # A rotation closes the old tail in this same thread, hence after this.
            await self._in_thread(lambda: self._logged(self._tail.sync))

    async def _fold_until_closed(self) -> None:
        delay_s = BACKOFF_S[0]
        while self._unfolded() or not self._closing.is_set():
            await self._behind.wait()
            await _pause(self._hurry, self._limits.linger_s)
            self._behind.clear()
            self._hurry.clear()
            # Only what is there now: what comes meanwhile gathers again, or a busy journal commits record by record.
            goal = Position(self._tail.number, self._tail.size)
            while self._folded < goal and self._unfolded():
                last_try = self._closing.is_set()
                if await self._fold_or_log():
                    delay_s = BACKOFF_S[0]
                elif last_try:
                    return
                else:
                    await _pause(self._hurry, delay_s)
                    self._hurry.clear()
                    delay_s = min(delay_s * 2, BACKOFF_S[1])
            if self._unfolded():
                self._behind.set()

    def _unfolded(self) -> bool:
        return bool(self._ends) or self._folded.offset < self._tail.size

    async def _fold_or_log(self) -> bool:
        """Whether a step forward was made; if not, the next one is smaller, to get as far as possible."""
        try:
            await self._step()
        except Exception as error:
            if isinstance(error, StorageFullError):
                self._refused += 1
                async with self._progress:
                    self._progress.notify_all()
            self._batch_bytes = max(1, self._batch_bytes // 8)
            _log.exception("folding the journal %s failed at %s; its records are kept", self._name, self._folded)
            return False
        self._batch_bytes = min(self._batch_bytes * 2, self._limits.batch_bytes)
        async with self._progress:
            self._progress.notify_all()
        return True

    async def _step(self) -> None:
        """Fold one batch, or go on to the next segment at the end of one."""
        start = self._folded
        end = self._ends.get(start.segment, self._tail.size)
        batch = await self._in_thread(lambda: self._segments.read(start, end, self._batch_bytes))
        if batch.records:
            committed = await self._store.write(lambda tx: self._commit(tx, batch))
            self._backlog -= committed.offset - start.offset
            self._folded = committed
        elif start.segment in self._ends:
            if start.offset < end:
                path = self._segments.path(start.segment)
                _log.warning("%s: %d bytes after the last whole record are dropped", path, end - start.offset)
            await self._in_thread(lambda: self._segments.delete(start.segment))
            del self._ends[start.segment]
            self._backlog -= end - start.offset
            self._folded = Position(min(self._ends, default=self._tail.number), 0)
        else:
            await self._torn(start)

    async def _torn(self, at: Position) -> None:
        """There are bytes in the newest segment, and no whole record begins there."""
        raise StorageFailedError(f"{self._segments.path(at.segment)} is damaged at byte {at.offset}")

    def _commit(self, tx: Tx, batch: Batch) -> Position:
        """Fold `batch`, unless a commit whose answer was lost did so already; how far the journal is folded now."""
        row = tx.one(SELECT_POSITION, {"name": self._name})
        if row is not None and Position(*row) >= batch.next:
            return batch.next
        self._fold(tx, batch.records)
        position = {"name": self._name, "segment": batch.next.segment, "position": batch.next.offset}
        tx.run(UPSERT_POSITION, position)
        return batch.next

    def _logged(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, MayflyError):
            _log.exception("the journal %s could not be synced", self._name)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


async def _pause(event: asyncio.Event, seconds: float) -> None:
    """Wait for `event`, `seconds` at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
