"""What is particular to blobs in files: what is on the disk, and what a crash leaves there."""

import asyncio
import errno
import functools
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.store import blob_files, blob_rows
from mayfly.store.api import (
    SMALL_BLOB_BYTES,
    Blob,
    BlobNotFoundError,
    Reader,
    Row,
    StorageFailedError,
    StorageFullError,
    StoreClosedError,
    Tx,
)
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore


@pytest.fixture
async def store(open_store: Callable[..., Any]) -> SqliteStore:
    store: SqliteStore = await open_store()
    return store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
async def files(root: Path, store: SqliteStore, clock: ManualClock) -> AsyncIterator[FileBlobs]:
    files = FileBlobs(root, store, clock)
    yield files
    await files.close()


def on_disk(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def test_a_blob_lies_in_a_two_level_fan_out_and_nowhere_else(files: FileBlobs, root: Path) -> None:
    digest = (await files.put_bytes(b"hello")).digest
    assert on_disk(root) == [f"{digest[:2]}/{digest[2:4]}/{digest}"]
    assert files.path(digest).read_bytes() == b"hello"
    assert files.path(digest).stat().st_mode & 0o077 == 0


async def test_the_bytes_and_then_the_name_are_synced_before_the_row_is_written(
    files: FileBlobs, root: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename, write = os.fsync, os.rename, store.write

    def spied_fsync(fd: int) -> None:
        target = os.readlink(f"/proc/self/fd/{fd}")
        events.append("sync bytes" if "/tmp/" in target[len(str(root)) :] else "sync directory")
        fsync(fd)

    def spied_rename(*args: Any) -> None:
        events.append("rename")
        rename(*args)

    async def spied_write(body: Any) -> Any:
        events.append("row")
        return await write(body)

    monkeypatch.setattr(os, "fsync", spied_fsync)
    monkeypatch.setattr(os, "rename", spied_rename)
    monkeypatch.setattr(store, "write", spied_write)
    await files.put_bytes(b"hello")
    # The blob's directory, and those above it, in which it may be new.
    assert events == ["sync bytes", "rename", "sync directory", "sync directory", "sync directory", "row"]


@pytest.mark.parametrize("size", [0, SMALL_BLOB_BYTES, SMALL_BLOB_BYTES + 1])
async def test_a_blob_put_with_a_write_costs_one_commit_and_a_small_one_no_file(
    files: FileBlobs, root: Path, store: SqliteStore, size: int
) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield bytes(size)

    before = store.commits
    await files.put_with(source(), lambda blob: lambda tx: files.link(tx, blob.digest, "me"))
    assert store.commits == before + 1
    assert len(on_disk(root)) == (size > SMALL_BLOB_BYTES)


def rows(reader: Reader, table: str) -> list[Row]:
    return reader.all(f"SELECT 1 FROM {table}")


async def test_a_sweep_leaves_nothing_of_a_small_blob_in_the_database(
    files: FileBlobs, store: SqliteStore, clock: ManualClock
) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"small"

    await files.put_with(source(), lambda blob: lambda tx: None)
    clock.advance(100)
    assert await files.sweep(50) == 1
    for table in ("blobs", "blob_bytes"):
        assert await store.read(functools.partial(rows, table=table)) == []


async def test_a_file_that_a_write_which_failed_has_left_goes_with_the_next_sweep(files: FileBlobs, root: Path) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield bytes(300_000)

    def then(blob: Blob) -> Callable[[Tx], None]:
        def body(tx: Tx) -> None:
            raise LookupError

        return body

    with pytest.raises(LookupError):
        await files.put_with(source(), then)
    await files.sweep(1000)
    assert on_disk(root) == []


async def test_unfinished_uploads_of_a_former_process_are_removed_at_the_start(
    root: Path, store: SqliteStore, clock: ManualClock
) -> None:
    (root / "tmp").mkdir(parents=True)
    (root / "tmp" / "half").write_bytes(b"half")
    files = FileBlobs(root, store, clock)
    assert on_disk(root) == []
    await files.close()


async def test_a_failed_put_leaves_no_file(files: FileBlobs, root: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield bytes(600_000)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await files.put(failing())
    await files.close()  # the removal runs in a thread
    assert on_disk(root) == []


async def test_a_file_that_a_crash_left_without_a_row_is_swept_once_and_others_stay(
    root: Path, store: SqliteStore, clock: ManualClock
) -> None:
    orphan = hashlib.sha256(b"orphan").hexdigest()
    files = FileBlobs(root, store, clock)
    files.path(orphan).parent.mkdir(parents=True)
    files.path(orphan).write_bytes(b"orphan")
    kept = await files.put_bytes(b"kept")
    stranger = root / "README"
    stranger.write_bytes(b"not ours")
    await files.sweep(1000)
    assert on_disk(root) == sorted(["README", str(files.path(kept.digest).relative_to(root))])
    await files.close()


async def test_memory_holds_a_few_chunks_however_large_the_blob_is(
    files: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that runs ahead of the disk is made to wait."""
    ahead: list[int] = []
    produced = written = 0
    write = blob_files.Upload.write

    def spied_write(self: blob_files.Upload, pieces: list[bytes]) -> None:
        nonlocal written
        write(self, pieces)
        written += sum(map(len, pieces))

    async def source() -> AsyncIterator[bytes]:
        nonlocal produced
        for _ in range(200):
            produced += 64 * 1024
            ahead.append(produced - written)
            yield bytes(64 * 1024)

    monkeypatch.setattr(blob_files.Upload, "write", spied_write)
    await files.put(source())
    assert max(ahead) <= 3 * blob_files.CHUNK_BYTES


async def test_reading_goes_in_chunks_off_the_loop(files: FileBlobs) -> None:
    blob = await files.put_bytes(bytes(1_000_000))
    sizes = [len(chunk) async for chunk in files.read(blob.digest)]
    assert sizes == [262_144, 262_144, 262_144, 213_568]


async def test_a_reader_that_stops_early_closes_its_file(files: FileBlobs) -> None:
    blob = await files.put_bytes(bytes(1_000_000))
    before = len(os.listdir("/proc/self/fd"))
    reading = files.read(blob.digest)
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]  # it is an asynchronous generator
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, StorageFullError), (errno.EDQUOT, StorageFullError), (errno.EIO, StorageFailedError)],
)
async def test_a_disk_that_fails_is_the_platforms_fault_and_the_next_put_works(
    files: FileBlobs, root: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def failing(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(error):
            await files.put_bytes(b"hello")
    with pytest.raises(BlobNotFoundError):
        await files.read_bytes(hashlib.sha256(b"hello").hexdigest())
    await files.put_bytes(b"hello")
    await files.close()
    assert len(on_disk(root)) == 1


async def test_a_put_waits_for_a_sweep_that_is_removing_the_same_content(
    files: FileBlobs, clock: ManualClock, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await files.put_bytes(b"contended")
    clock.advance(100)
    forgotten, go_on = asyncio.Event(), asyncio.Event()
    remove = FileBlobs._remove

    async def slow_remove(self: FileBlobs, digests: list[str]) -> None:
        if digests:
            forgotten.set()
            await go_on.wait()
        await remove(self, digests)

    monkeypatch.setattr(FileBlobs, "_remove", slow_remove)
    sweeping = asyncio.create_task(files.sweep(50))
    await forgotten.wait()
    putting = asyncio.create_task(files.put_bytes(b"contended"))
    other = await files.put_bytes(b"not contended")  # by then the first would have ended, did it not wait
    assert not putting.done()
    go_on.set()
    assert await sweeping == 1
    assert await putting == blob
    assert await files.read_bytes(blob.digest) == b"contended"
    for each in (blob, other):
        await store.write(functools.partial(files.link, digest=each.digest, owner="me"))


async def test_a_sweep_looks_at_nothing_but_blobs_without_an_owner(store: SqliteStore) -> None:
    names = {"before": 1.0, "after": 0.0, "digest": "", "count": 10}
    rows = await store.read(lambda reader: reader.all(f"EXPLAIN QUERY PLAN {blob_rows.SELECT_UNOWNED}", names))
    (step,) = [row[3] for row in rows]
    assert step.startswith("SEARCH blobs USING INDEX blobs_unowned")


async def test_closed_blobs_refuse(files: FileBlobs) -> None:
    blob = await files.put_bytes(b"hello")
    await files.close()
    with pytest.raises(StoreClosedError):
        await files.put_bytes(b"hello")
    with pytest.raises(StoreClosedError):
        await files.read_bytes(blob.digest)
