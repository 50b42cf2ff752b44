import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.store import journal
from mayfly.store.api import (
    JournalFullError,
    StorageFailedError,
    StorageFullError,
    StoreClosedError,
    Tx,
)
from mayfly.store.journal import FileJournal, Fold, JournalLimits
from mayfly.store.journal_segments import Tail, frames
from mayfly.store.sqlite import SqliteStore

SMALL = JournalLimits(segment_bytes=200, batch_bytes=100, linger_s=0.001, sync_s=0.001)
INSERT = "INSERT INTO folded (record) VALUES (:record)"


def fold(tx: Tx, records: list[bytes]) -> None:
    tx.many(INSERT, ({"record": record} for record in records))


@pytest.fixture
async def store(open_store: Callable[..., Any]) -> SqliteStore:
    store: SqliteStore = await open_store()
    await store.write(lambda tx: tx.run("CREATE TABLE folded (id INTEGER PRIMARY KEY, record BLOB NOT NULL)"))
    return store


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journals"


Open = Callable[..., contextlib.AbstractAsyncContextManager[FileJournal]]


@pytest.fixture
def opened(directory: Path, store: SqliteStore, clock: ManualClock) -> Open:
    @contextlib.asynccontextmanager
    async def opened(fold: Fold = fold, limits: JournalLimits = SMALL, name: str = "j") -> AsyncIterator[FileJournal]:
        journal = await FileJournal.open(directory, name, store, fold, clock, limits)
        try:
            yield journal
        finally:
            await journal.close()

    return opened


async def folded(store: SqliteStore) -> list[bytes]:
    rows = await store.read(lambda reader: reader.all("SELECT record FROM folded ORDER BY id"))
    return [row[0] for row in rows]


def numbered(first: int, last: int) -> list[bytes]:
    return [b"record %d" % number for number in range(first, last)]


class Failing:
    """A fold that fails for certain records until it is mended."""

    def __init__(self, *poison: bytes) -> None:
        self.poison = set(poison)
        self.failed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, tx: Tx, records: list[bytes]) -> None:
        fold(tx, records)
        if self.poison & set(records):
            self._loop.call_soon_threadsafe(self.failed.set)
            raise LookupError("cannot fold this")


async def test_flushed_records_are_in_the_database_in_order(store: SqliteStore, opened: Open) -> None:
    async with opened() as journal:
        journal.append(numbered(0, 3))
        journal.append(numbered(3, 100))
        await journal.flush()
        assert await folded(store) == numbered(0, 100)
        assert journal.backlog == 0


async def test_records_are_folded_without_a_flush(store: SqliteStore, opened: Open) -> None:
    seen = asyncio.Event()

    def telling(tx: Tx, records: list[bytes]) -> None:
        fold(tx, records)
        tx.after_commit(seen.set)

    async with opened(telling) as journal:
        journal.append([b"a"])
        await seen.wait()
        assert await folded(store) == [b"a"]


async def test_closing_folds_what_is_left(store: SqliteStore, opened: Open) -> None:
    async with opened(limits=JournalLimits(linger_s=1000)) as journal:
        journal.append(numbered(0, 50))
    assert await folded(store) == numbered(0, 50)


async def test_an_append_is_in_the_file_when_it_returns(directory: Path, opened: Open) -> None:
    async with opened(limits=JournalLimits(linger_s=1000)) as journal:
        journal.append([b"a", b"b"])
        assert [path.read_bytes() for path in files(directory)] == [frames([b"a", b"b"])]


async def test_segments_are_rotated_and_deleted_once_folded(directory: Path, store: SqliteStore, opened: Open) -> None:
    async with opened() as journal:
        for record in numbered(0, 100):
            journal.append([record])
        assert len(files(directory)) > 5
        await journal.flush()
        assert len(files(directory)) == 1
        assert await folded(store) == numbered(0, 100)


async def test_a_reopened_journal_goes_on_where_the_last_commit_left_off(store: SqliteStore, opened: Open) -> None:
    for first in (0, 50, 100):
        async with opened() as journal:
            journal.append(numbered(first, first + 50))
            await journal.flush()
    assert await folded(store) == numbered(0, 150)


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def written(directory: Path, number: int, data: bytes) -> None:
    """What a process that died has left."""
    directory.mkdir(exist_ok=True)
    (directory / f"j-{number:010d}.journal").write_bytes(data)


async def position(store: SqliteStore, segment: int, offset: int) -> None:
    row = {"name": "j", "segment": segment, "position": offset}
    await store.write(lambda tx: tx.run(journal.UPSERT_POSITION, row))


async def test_what_a_dead_process_appended_is_folded_from_its_position_on(
    directory: Path, store: SqliteStore, opened: Open
) -> None:
    written(directory, 3, frames(numbered(0, 10)))
    written(directory, 4, frames(numbered(10, 20)))
    await position(store, 3, len(frames(numbered(0, 4))))
    async with opened() as journal:
        journal.append(numbered(20, 25))
        await journal.flush()
        assert await folded(store) == numbered(4, 25)


async def test_a_torn_record_at_the_end_is_dropped_and_said(
    directory: Path, store: SqliteStore, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    written(directory, 1, frames(numbered(0, 3))[:-4])
    async with opened() as journal:
        journal.append([b"after"])
        await journal.flush()
    assert await folded(store) == [b"record 0", b"record 1", b"after"]
    assert "after the last whole record are dropped" in caplog.text


async def test_bytes_that_the_machine_lost_after_they_were_folded_do_no_harm(
    directory: Path, store: SqliteStore, opened: Open
) -> None:
    written(directory, 2, frames(numbered(0, 1)))
    await position(store, 2, 10_000)
    async with opened() as journal:
        journal.append([b"after"])
        await journal.flush()
        assert journal.backlog == 0
    assert await folded(store) == [b"after"]


async def test_all_files_lost_does_not_make_new_records_look_old(store: SqliteStore, opened: Open) -> None:
    await position(store, 7, 10_000)
    async with opened() as journal:
        journal.append([b"new"])
        await journal.flush()
    assert await folded(store) == [b"new"]


async def test_a_gap_between_segments_is_passed_over(directory: Path, store: SqliteStore, opened: Open) -> None:
    written(directory, 2, frames([b"a"]))
    written(directory, 9, frames([b"b"]))
    async with opened() as journal:
        await journal.flush()
    assert await folded(store) == [b"a", b"b"]


async def test_a_record_larger_than_a_batch_and_a_segment_is_folded(store: SqliteStore, opened: Open) -> None:
    large = bytes(5000)
    async with opened() as journal:
        for record in (b"a", large, b"b", large):
            journal.append([record])
        await journal.flush()
    assert await folded(store) == [b"a", large, b"b", large]


async def test_a_fold_that_fails_is_logged_and_tried_again_and_nothing_is_lost_or_doubled(
    store: SqliteStore, opened: Open, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "BACKOFF_S", (0.001, 0.002))
    failing = Failing(b"record 5")
    async with opened(failing) as opened_journal:
        opened_journal.append(numbered(0, 10))
        flushing = asyncio.create_task(opened_journal.flush())
        # Everything before the one that cannot be folded gets through.
        while await folded(store) != numbered(0, 5):
            await failing.failed.wait()
            failing.failed.clear()
        assert not flushing.done()
        failing.poison.clear()
        await flushing
    assert await folded(store) == numbered(0, 10)
    assert "cannot fold this" in caplog.text


async def test_who_waits_for_records_is_told_that_the_disk_is_full_and_finds_them_once_it_is_not(
    store: SqliteStore, opened: Open
) -> None:
    room = False

    def folding(tx: Tx, records: list[bytes]) -> None:
        if not room:
            raise StorageFullError("the database failed: database or disk is full")
        fold(tx, records)

    async with opened(folding) as full:
        full.append(numbered(0, 3))
        for _ in range(2):
            with pytest.raises(StorageFullError, match="the disk is full"):
                await full.flush()
        room = True
        await full.flush()
        assert await folded(store) == numbered(0, 3)


async def test_what_cannot_be_folded_at_closing_waits_for_the_next_opening(store: SqliteStore, opened: Open) -> None:
    failing = Failing(b"record 1")
    async with opened(failing) as first:
        first.append(numbered(0, 3))
        flushing = asyncio.create_task(first.flush())
        await failing.failed.wait()
        await first.close()
        with pytest.raises(StorageFailedError, match="closed before"):
            await flushing
    async with opened():
        pass
    assert await folded(store) == numbered(0, 3)


async def test_a_backlog_at_its_limit_refuses_and_keeps_what_it_took(store: SqliteStore, opened: Open) -> None:
    failing = Failing(b"record 0")
    room = len(frames(numbered(0, 9)))
    async with opened(failing, JournalLimits(backlog_bytes=room, linger_s=0)) as full:
        full.append(numbered(0, 9))
        with pytest.raises(JournalFullError, match=f"{room} bytes are not in the database"):
            full.append([b"one too many"])
        await failing.failed.wait()
        failing.poison.clear()
    assert await folded(store) == numbered(0, 9)


async def test_a_disk_that_is_full_refuses_the_append(
    store: SqliteStore, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    async with opened() as opened_journal:
        opened_journal.append([b"before"])
        with monkeypatch.context() as patch:
            patch.setattr("os.write", full)
            with pytest.raises(StorageFullError):
                opened_journal.append([b"refused"])
        opened_journal.append([b"after"])
    assert await folded(store) == [b"before", b"after"]


async def test_an_answer_that_was_lost_does_not_fold_twice(
    store: SqliteStore, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "BACKOFF_S", (0.001, 0.002))
    write, lost = store.write, [True]

    async def losing(body: Any) -> Any:
        answer = await write(body)
        if lost:
            lost.clear()
            raise StorageFailedError("the answer of a commit was lost")
        return answer

    monkeypatch.setattr(store, "write", losing)
    async with opened() as journal_:
        journal_.append(numbered(0, 5))
        await journal_.flush()
        journal_.append(numbered(5, 7))
    assert await folded(store) == numbered(0, 7)


async def test_a_dirty_file_is_synced_soon(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, synced = asyncio.get_running_loop(), asyncio.Event()
    sync = Tail.sync

    def spied(self: Tail) -> None:
        sync(self)
        loop.call_soon_threadsafe(synced.set)

    monkeypatch.setattr(Tail, "sync", spied)
    async with opened() as journal_:
        assert not synced.is_set()
        journal_.append([b"a"])
        await synced.wait()


async def test_a_closed_journal_refuses_and_closing_twice_is_nothing(opened: Open) -> None:
    async with opened() as closed:
        await closed.close()
        with pytest.raises(StoreClosedError):
            closed.append([b"a"])
        await closed.flush()


async def test_appending_nothing_is_nothing(directory: Path, opened: Open) -> None:
    async with opened() as empty:
        empty.append([])
        await empty.flush()
        assert [file.stat().st_size for file in files(directory)] == [0]


async def test_journals_of_one_directory_do_not_mix(store: SqliteStore, opened: Open) -> None:
    def folding(prefix: bytes) -> Fold:
        return lambda tx, records: fold(tx, [prefix + record for record in records])

    async with opened(folding(b"a:"), name="a") as one, opened(folding(b"b:"), name="b") as other:
        one.append([b"1"])
        other.append([b"1"])
        await one.flush()
        await other.flush()
        one.append([b"2"])
    assert sorted(await folded(store)) == [b"a:1", b"a:2", b"b:1"]


async def test_concurrent_flushes_all_return(store: SqliteStore, opened: Open) -> None:
    async def add(journal: FileJournal, records: Sequence[bytes]) -> None:
        for record in records:
            journal.append([record])
            await journal.flush()

    async with opened() as journal_:
        await asyncio.gather(*(add(journal_, numbered(n * 10, n * 10 + 10)) for n in range(8)))
        assert sorted(await folded(store)) == sorted(numbered(0, 80))
