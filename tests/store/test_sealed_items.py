"""What the ready queue keeps on the disk: payloads stand there sealed, also those of an earlier version."""

import sqlite3
from pathlib import Path

import pytest

from mayfly.app.vault import FileVault, SecretLostError
from mayfly.clock import ManualClock
from mayfly.store import migrations, queue
from mayfly.store.api import NewItem, Tx
from mayfly.store.migrations import MigrationError
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore

SECRET = b"correct horse battery staple"
LARGE = SECRET * 200  # more than lies in the row of an item


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_waiting_leased_and_dead_payloads_are_sealed_and_come_back_whole(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = await SqliteStore.open(tmp_path / "mayfly.db", [], clock)
    ready = SqlReadyQueue(store, clock, FileVault(tmp_path / "secrets.key"))
    await store.write(lambda tx: ready.enqueue(tx, [NewItem("q", SECRET), NewItem("q", LARGE), NewItem("q", b"")]))
    small, large, empty = await ready.claim("q", 10, 10)
    assert (small.payload, large.payload, empty.payload) == (SECRET, LARGE, b"")
    for claim in (small, large):
        await store.write(lambda tx, claim=claim: ready.bury(tx, claim, "given up"))  # type: ignore[misc]
    assert [dead.payload for dead in await ready.dead("q", 10)] == [SECRET, LARGE]
    assert SECRET not in everything(tmp_path)
    dead = await store.write(lambda tx: ready.exhume(tx, large.id))
    assert dead is not None
    assert dead.payload == LARGE
    await store.close()
    assert SECRET not in everything(tmp_path)


async def test_what_cannot_be_opened_holds_up_nobody_and_is_delivered_once_the_key_is_back(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = await SqliteStore.open(tmp_path / "mayfly.db", [], clock)
    mine = SqlReadyQueue(store, clock, FileVault(tmp_path / "mine"))
    other = SqlReadyQueue(store, clock, FileVault(tmp_path / "other"))
    await store.write(lambda tx: mine.enqueue(tx, [NewItem("q", SECRET), NewItem("q", LARGE)]))
    await store.write(lambda tx: other.enqueue(tx, [NewItem("q", b"fresh")]))
    (taken,) = await other.claim_each([("q", 3)], 10)
    assert [claim.payload for claim in taken.claims] == [b"fresh"]
    assert "item 1 of the ready queue is not delivered, and is kept" in caplog.text
    assert await other.claim("q", 3, 10) == []
    assert await other.claim_items([1, 2], 10) == []
    clock.advance(queue.UNREADABLE_S + 1)
    assert [claim.payload for claim in await other.claim("q", 3, 10)] == [b"fresh"]
    assert await mine.release_leases() == 3
    found = await mine.claim("q", 3, 10)
    assert [(claim.payload, claim.attempt) for claim in found] == [(SECRET, 1), (LARGE, 1)]
    await store.close()


async def test_a_dead_item_that_cannot_be_opened_stays(tmp_path: Path, clock: ManualClock) -> None:
    store = await SqliteStore.open(tmp_path / "mayfly.db", [], clock)
    ready = SqlReadyQueue(store, clock, FileVault(tmp_path / "mine"))
    await store.write(lambda tx: ready.enqueue(tx, [NewItem("q", SECRET)]))
    (claim,) = await ready.claim("q", 1, 10)
    await store.write(lambda tx: ready.bury(tx, claim, "given up"))
    other = SqlReadyQueue(store, clock, FileVault(tmp_path / "other"))
    with pytest.raises(SecretLostError):
        await store.write(lambda tx: other.exhume(tx, claim.id))
    assert [dead.payload for dead in await ready.dead("q", 1)] == [SECRET]
    await store.close()


async def test_a_payload_that_was_put_in_the_place_of_another_is_not_delivered(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = await SqliteStore.open(tmp_path / "mayfly.db", [], clock)
    ready = SqlReadyQueue(store, clock, FileVault(tmp_path / "secrets.key"))
    await store.write(lambda tx: ready.enqueue(tx, [NewItem("mine", b"mine"), NewItem("yours", b"yours")]))
    mine = "SELECT payload FROM queue_items WHERE queue = 'mine'"
    swap = f"UPDATE queue_items SET payload = ({mine}) WHERE queue = 'yours'"
    await store.write(lambda tx: tx.run(swap))
    assert await ready.claim("yours", 1, 10) == []
    await store.close()


def earlier(path: Path, clock: ManualClock) -> None:
    """A database as the version before sealing left it: items that wait, one that was given up, one that is gone."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(migrations.CREATE_TABLE)
    for step in migrations.load("mayfly.store")[:2]:
        connection.executescript(step.sql)
        row = {name: value for name, value in step._asdict().items() if name != "sql"}
        connection.execute(migrations.INSERT_APPLIED, {**row, "applied_at": clock.now()})
    insert = "INSERT INTO queue_items VALUES (?, 'q', 0, 0.0, 0, 0, 0, 0.0, ?)"
    connection.execute(insert, (1, SECRET))
    connection.execute(insert, (2, None))
    connection.execute("INSERT INTO queue_payloads VALUES (2, ?)", (LARGE,))
    connection.execute("INSERT INTO queue_dead_items VALUES (3, 'q', ?, 3, 'given up', 0.0, 1.0)", (SECRET,))
    connection.execute("UPDATE queue_ids SET last_id = 4")
    connection.execute(insert, (4, SECRET * 60))
    connection.commit()
    connection.execute("DELETE FROM queue_items WHERE id = 4")
    connection.commit()
    connection.close()


async def test_what_an_earlier_version_kept_in_clear_is_sealed_as_the_database_is_opened(
    tmp_path: Path, clock: ManualClock
) -> None:
    path, vault = tmp_path / "it's here" / "mayfly.db", FileVault(tmp_path / "secrets.key")
    path.parent.mkdir()
    earlier(path, clock)
    assert SECRET in everything(tmp_path)
    store = await SqliteStore.open(path, [], clock, vault.seal)
    assert SECRET not in everything(tmp_path)
    ready = SqlReadyQueue(store, clock, vault)
    found = await ready.claim("q", 10, 10)
    assert [(claim.id, claim.payload) for claim in found] == [(1, SECRET), (2, LARGE)]

    def done(tx: Tx) -> None:
        ready.complete_all(tx, found)

    await store.write(done)
    assert [dead.payload for dead in await ready.dead("q", 10)] == [SECRET]
    assert await store.read(lambda reader: reader.one("SELECT count(*) FROM queue_payloads")) == (0,)
    await store.close()
    assert SECRET not in everything(tmp_path)


async def test_sealing_that_is_interrupted_leaves_all_items_as_they_were(tmp_path: Path, clock: ManualClock) -> None:
    path, vault, left = tmp_path / "mayfly.db", FileVault(tmp_path / "secrets.key"), iter(range(2))
    earlier(path, clock)
    with sqlite3.connect(path) as connection:
        before = list(connection.iterdump())
    connection.close()

    def seal(plain: bytes, about: str) -> bytes:
        if next(left, None) is None:
            raise OSError("no space")
        return vault.seal(plain, about)

    with pytest.raises(MigrationError, match="0003_sealed_items"):
        await SqliteStore.open(path, [], clock, seal)
    with sqlite3.connect(path) as connection:
        assert list(connection.iterdump()) == before
    connection.close()
    store = await SqliteStore.open(path, [], clock, vault.seal)
    assert len(await SqlReadyQueue(store, clock, vault).claim("q", 10, 10)) == 2
    await store.close()
    assert SECRET not in everything(tmp_path)
