"""What is particular to the embedded store: groups, threads, and disks that fail."""

import asyncio
import contextlib
import os
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mayfly.clock import ManualClock
from mayfly.store import sqlite, sqlite_connection, sqlite_threads
from mayfly.store.api import StorageFailedError, StorageFullError, StoreBusyError, Tx
from mayfly.store.sqlite import SqliteStore

INSERT = "INSERT INTO letters (data) VALUES (:data)"
COUNT = "SELECT count(*) FROM letters"


@pytest.fixture
async def store(open_store: Callable[..., Any]) -> SqliteStore:
    store: SqliteStore = await open_store()
    await store.write(lambda tx: tx.run("CREATE TABLE letters (id INTEGER PRIMARY KEY, data BLOB)"))
    return store


def inserting(data: bytes) -> Callable[[Tx], int]:
    return lambda tx: tx.run(INSERT, {"data": data})


async def count(store: SqliteStore) -> int:
    row = await store.read(lambda reader: reader.one(COUNT))
    assert row is not None
    return int(row[0])


def log_in(directory: Path) -> Path:
    (log,) = directory.rglob("*-wal")
    return log


async def occupy(store: SqliteStore) -> tuple["asyncio.Task[bool]", threading.Event]:
    """Hold the writer thread in a body, so that whatever comes now waits for the next group."""
    started, go_on = threading.Event(), threading.Event()

    def body(_: Tx) -> bool:
        started.set()
        return go_on.wait(30)

    task = asyncio.create_task(store.write(body))
    await asyncio.to_thread(started.wait, 30)
    return task, go_on


async def test_all_that_waits_shares_one_commit(store: SqliteStore) -> None:
    task, go_on = await occupy(store)
    before = store.commits
    writes = [asyncio.create_task(store.write(inserting(b"x"))) for _ in range(300)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(task, *writes)
    assert store.commits - before == 2  # the occupier's own, and one for all the rest
    assert await count(store) == 300


async def test_concurrent_writers_make_far_fewer_commits_than_writes(store: SqliteStore) -> None:
    before = store.commits

    async def writer() -> None:
        for _ in range(20):
            await store.write(inserting(b"x"))

    await asyncio.gather(*(writer() for _ in range(64)))
    assert await count(store) == 1280
    assert store.commits - before <= 1280 // 4


async def test_a_flood_is_cut_into_groups_so_that_the_first_need_not_wait_for_the_last(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_threads, "GROUP_BODIES", 10)
    task, go_on = await occupy(store)
    before = store.commits
    writes = [asyncio.create_task(store.write(inserting(b"x"))) for _ in range(95)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(task, *writes)
    assert store.commits - before == 1 + 10


async def test_nobody_else_may_read_the_database(store: SqliteStore, tmp_path: Path) -> None:
    await store.write(inserting(b"x"))
    modes = {name: os.stat(tmp_path / name).st_mode & 0o777 for name in os.listdir(tmp_path) if "mayfly.db" in name}
    assert modes == {"mayfly.db": 0o600, "mayfly.db-wal": 0o600, "mayfly.db-shm": 0o600}


async def test_a_lone_write_is_a_commit_of_its_own(store: SqliteStore) -> None:
    before = store.commits
    for _ in range(10):
        await store.write(inserting(b"x"))
    assert store.commits - before == 10


async def test_a_group_wakes_the_loop_once(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    task, go_on = await occupy(store)
    writes = [asyncio.create_task(store.write(inserting(b"x"))) for _ in range(100)]
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    wake, wakes = loop.call_soon_threadsafe, list[threading.Thread]()

    def counted(*args: Any, **kwargs: Any) -> asyncio.Handle:
        if threading.current_thread().name == "mayfly-store-writer":
            wakes.append(threading.current_thread())
        return wake(*args, **kwargs)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    go_on.set()
    await asyncio.gather(task, *writes)
    assert len(wakes) <= 2


async def test_a_full_disk_fails_the_group_and_leaves_the_store_usable(store: SqliteStore) -> None:
    pages = await store.read(lambda reader: reader.one("PRAGMA page_count"))
    assert pages is not None
    await store.write(lambda tx: tx.one(f"PRAGMA max_page_count = {pages[0] + 10}"))
    await store.write(inserting(b"before"))
    called: list[str] = []

    def innocent(tx: Tx) -> None:
        tx.run(INSERT, {"data": b"innocent"})
        tx.after_commit(lambda: called.append("never"))

    task, go_on = await occupy(store)
    writes = [asyncio.create_task(store.write(body)) for body in (innocent, inserting(bytes(1_000_000)), innocent)]
    await asyncio.sleep(0)
    go_on.set()
    results = await asyncio.gather(task, *writes, return_exceptions=True)
    assert results[0] is True
    assert [type(result) for result in results[1:]] == [StorageFullError] * 3
    assert len({id(result) for result in results}) == 4
    assert called == []
    assert await count(store) == 1
    await store.write(lambda tx: tx.one("PRAGMA max_page_count = 1000000"))
    await store.write(inserting(bytes(1_000_000)))
    assert await count(store) == 2


async def test_a_full_disk_that_a_body_swallows_fails_the_group_nevertheless(store: SqliteStore) -> None:
    pages = await store.read(lambda reader: reader.one("PRAGMA page_count"))
    assert pages is not None
    await store.write(lambda tx: tx.one(f"PRAGMA max_page_count = {pages[0] + 10}"))

    def swallowing(tx: Tx) -> str:
        try:
            tx.run(INSERT, {"data": bytes(1_000_000)})
        except StorageFullError:
            return "all is well"
        return "stored"

    with pytest.raises(StorageFullError):
        await store.write(swallowing)


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let every write(2) beyond `size` fail, as a failing disk would; Python ignores the signal that goes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fails_at_the_commit_fails_the_group_and_leaves_the_store_usable(store: SqliteStore) -> None:
    await store.write(inserting(b"before"))
    task, go_on = await occupy(store)
    writes = [asyncio.create_task(store.write(inserting(bytes(100_000)))) for _ in range(3)]
    await asyncio.sleep(0)
    with files_no_larger_than(64 * 1024):
        go_on.set()
        results = await asyncio.gather(task, *writes, return_exceptions=True)
    assert results[0] is True
    assert [type(result) for result in results[1:]] == [StorageFailedError] * 3
    assert await count(store) == 1
    await asyncio.gather(*(store.write(inserting(bytes(100_000))) for _ in range(3)))
    assert await count(store) == 4


async def test_a_connection_that_breaks_is_replaced(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    await store.write(inserting(b"before"))
    store._writer._connection.close()
    with pytest.raises(Exception, match="closed"):
        await store.write(inserting(b"lost"))
    assert await store.write(inserting(b"after")) == 1
    assert await count(store) == 2
    assert "connecting anew" in caplog.text


async def test_a_database_that_another_process_holds_is_busy(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT_S", 0.01)
    store = await SqliteStore.open(tmp_path / "held.db", [], clock)
    holder = sqlite3.connect(tmp_path / "held.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            await store.write(lambda tx: tx.run("CREATE TABLE t (a INTEGER)"))
        holder.execute("ROLLBACK")
        await store.write(lambda tx: tx.run("CREATE TABLE t (a INTEGER)"))
    finally:
        holder.close()
        await store.close()


async def test_more_waiting_calls_than_the_limit_are_refused(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAITING_LIMIT", 3)
    task, go_on = await occupy(store)
    accepted = [asyncio.create_task(store.write(inserting(b"x"))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusyError):
        await store.write(inserting(b"refused"))
    go_on.set()
    await asyncio.gather(task, *accepted)
    await store.write(inserting(b"x"))
    assert await count(store) == 3


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "picture.db"
    path.write_bytes(b"\x89PNG" * 1000)
    with pytest.raises(StorageFailedError, match=r"picture\.db"):
        await SqliteStore.open(path, [], clock)


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailedError, match=r"file/a\.db"):
        await SqliteStore.open(tmp_path / "file" / "a.db", [], clock)


def test_stores_that_are_closed_leave_one_file_each(tmp_path: Path, clock: ManualClock) -> None:
    async def main(path: Path) -> None:
        store = await SqliteStore.open(path, ["mayfly.store"], clock)
        await asyncio.gather(store.write(lambda tx: None), *(store.read(lambda tx: None) for _ in range(8)))
        await store.close()

    paths = [tmp_path / f"{number}.db" for number in range(20)]
    for path in paths:
        asyncio.run(main(path))
    assert set(tmp_path.iterdir()) == set(paths)


async def test_a_store_that_is_closed_leaves_no_thread_behind(tmp_path: Path, clock: ManualClock) -> None:
    store = await SqliteStore.open(tmp_path / "a.db", [], clock)
    await store.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("mayfly-store")] == []


async def test_a_commit_is_synchronous_and_in_the_write_ahead_log(store: SqliteStore) -> None:
    assert await store.write(lambda tx: (tx.one("PRAGMA synchronous"), tx.one("PRAGMA journal_mode"))) == (
        (2,),
        ("wal",),
    )


def test_the_store_works_on_uvloop(tmp_path: Path) -> None:
    async def main() -> int:
        store = await SqliteStore.open(tmp_path / "uv.db", [], ManualClock())
        await store.write(lambda tx: tx.run("CREATE TABLE letters (id INTEGER PRIMARY KEY, data BLOB)"))
        await asyncio.gather(*(store.write(inserting(b"x")) for _ in range(100)))
        found = await count(store)
        await store.close()
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == 100


async def test_the_log_stays_short_though_there_is_always_somebody_who_reads(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reader ends when the next one has begun, so that there is no moment without one."""
    limit = 1_000_000
    monkeypatch.setattr(sqlite_threads, "LOG_BYTES", limit)
    monkeypatch.setattr(sqlite_threads.Writer, "_log_limit", limit)
    log = log_in(tmp_path)
    begun = [threading.Event() for _ in range(200)]
    over = False

    async def reading() -> int:
        def body(reader: Any, at: int) -> None:
            reader.one(COUNT)  # the snapshot is taken here
            begun[at].set()
            if not over:
                begun[at + 1].wait(10)

        running: list[asyncio.Task[None]] = []
        for at in range(len(begun) - 1):
            if over:
                break
            running.append(asyncio.create_task(store.read(partial(body, at=at))))
            if at:
                await running[at - 1]
        for event in begun:
            event.set()
        await asyncio.gather(*running)
        return len(running)

    readers = asyncio.create_task(reading())
    await asyncio.to_thread(begun[0].wait, 10)
    longest = written = 0
    while written < 10 * limit:
        await store.write(inserting(bytes(50_000)))
        written += 50_000
        longest = max(longest, log.stat().st_size)
    over = True
    for event in begun:
        event.set()
    assert await readers > 1
    assert longest < 5 * limit
    assert await count(store) == written // 50_000


async def test_a_reader_that_takes_its_time_keeps_nobody_from_writing(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 200_000
    monkeypatch.setattr(sqlite_threads, "LOG_BYTES", limit)
    monkeypatch.setattr(sqlite_threads, "LOG_PATIENCE_MS", 1)
    monkeypatch.setattr(sqlite_threads.Writer, "_log_limit", limit)
    log = log_in(tmp_path)
    begun, go_on = threading.Event(), threading.Event()

    def body(reader: Any) -> int:
        found = reader.one(COUNT)[0]
        begun.set()
        go_on.wait(30)
        assert reader.one(COUNT)[0] == found
        return int(found)

    reading = asyncio.create_task(store.read(body))
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(20):
        await store.write(inserting(bytes(50_000)))
    assert log.stat().st_size > 4 * limit
    go_on.set()
    assert await reading == 0
    for _ in range(20):
        await store.write(inserting(bytes(50_000)))
    assert log.stat().st_size < 4 * limit
    assert await count(store) == 40
