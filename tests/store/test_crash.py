"""A process that writes under load is killed with SIGKILL, again and again: what it was promised is there, once."""

import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from mayfly.app.vault import FileVault
from mayfly.clock import SystemClock
from mayfly.store.api import Reader, Tx
from mayfly.store.files import FileBlobs
from mayfly.store.journal import FileJournal
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("crash_writer.py")
ROUNDS = 8

Promises = dict[str, list[str]]


def write_until_killed(directory: Path, round_: int, promises: Promises) -> None:
    """Let a process write, kill it after a random number of promises, and collect them all."""
    command = [sys.executable, str(SCRIPT), str(directory), f"r{round_}", ["asyncio", "uvloop"][round_ % 2]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    lines: list[bytes] = []
    try:
        lines += (process.stdout.readline() for _ in range(random.randint(1, 3000)))
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert process.returncode == -9, "it ended before it was killed"
    for line in lines:
        assert line.endswith(b"\n")
        kind, what = line.decode().split()
        promises[kind].append(what)


def column(reader: Reader, sql: str) -> list[str]:
    return [row[0].decode() if isinstance(row[0], bytes) else row[0] for row in reader.all(sql)]


async def check_rows(store: SqliteStore, promises: Promises) -> None:
    keys = Counter(await store.read(lambda reader: column(reader, "SELECT key FROM halves")))
    assert set(promises["row"]) <= set(keys), "an acknowledged row is lost"
    assert set(keys.values()) <= {2}, "a body was written by halves"


async def check_queue(store: SqliteStore, promises: Promises, vault: FileVault) -> None:
    items = await store.read(lambda reader: reader.all("SELECT id, payload FROM queue_items"))
    waiting = [vault.open(sealed, f"item {id_} of the ready queue").decode() for id_, sealed in items]
    done = await store.read(lambda reader: column(reader, "SELECT payload FROM done"))
    everywhere = Counter(waiting + done)
    assert set(everywhere.values()) <= {1}, "an item was completed twice, or was completed and is still there"
    assert set(promises["enqueued"]) <= set(everywhere), "an item is lost"
    assert set(promises["completed"]) <= set(done), "a completion is lost"


async def check_blobs(
    store: SqliteStore, blobs: FileBlobs, promises: Promises, content: dict[str, bytes]
) -> tuple[bool, bool]:
    """Whether there were blobs in files, and whether in the database."""
    await blobs.sweep(0)
    digests: dict[str, str] = dict(await store.read(lambda reader: reader.all("SELECT owner, digest FROM blob_owners")))
    assert set(promises["blob"]) <= set(digests), "a blob's owner is lost"
    for owner, digest in digests.items():
        assert await blobs.read_bytes(digest) == content[owner], "a blob is not what was put"
    files = {path.name for path in blobs._root.glob("??/??/*")}
    kept = set(await store.read(lambda reader: column(reader, "SELECT digest FROM blob_bytes")))
    assert files | kept == set(digests.values()), "bytes without an owner are left after a sweep"
    return bool(files), bool(kept)


async def check_journal(store: SqliteStore, promises: Promises) -> None:
    folded = await store.read(lambda reader: column(reader, "SELECT record FROM folded ORDER BY id"))
    assert len(folded) == len(set(folded)), "a record was folded twice"
    assert set(promises["appended"]) <= set(folded), "a record is lost"
    kept = set(promises["appended"])
    assert [record for record in folded if record in kept] == promises["appended"], "records changed their order"


class Contents(dict[str, bytes]):
    """The bytes of each blob, made again from its name as crash_writer.py does."""

    def __missing__(self, name: str) -> bytes:
        self[name] = random.Random(name).randbytes(random.Random(name).choice([0, 10, 5000, 400_000]))
        return self[name]


def fold(tx: Tx, records: list[bytes]) -> None:
    tx.many("INSERT INTO folded (record) VALUES (:record)", ({"record": record.decode()} for record in records))


async def test_what_was_acknowledged_survives_kill_9_wholly_and_once(tmp_path: Path) -> None:
    promises: Promises = defaultdict(list)
    contents = Contents()
    clock, vault = SystemClock(), FileVault(tmp_path / "secrets.key")
    for round_ in range(ROUNDS):
        write_until_killed(tmp_path, round_, promises)
        store = await SqliteStore.open(tmp_path / "store.db", [], clock)
        blobs = FileBlobs(tmp_path / "blobs", store, clock)
        journal = await FileJournal.open(tmp_path / "journal", "crash", store, fold, clock)
        await journal.flush()
        await check_rows(store, promises)
        await check_queue(store, promises, vault)
        homes = await check_blobs(store, blobs, promises, contents)
        await check_journal(store, promises)
        await SqlReadyQueue(store, clock, vault).release_leases()
        await journal.close()
        await blobs.close()
        await store.close()
    assert all(promises[kind] for kind in ("row", "enqueued", "completed", "blob", "appended"))
    assert homes == (True, True)
