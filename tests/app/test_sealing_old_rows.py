"""Secrets that an earlier version kept in clear: API keys, the key of topics, results of tasks, variables of snapshots.
They are sealed as the database is opened, all of a kind or none, and work as before."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mayfly.app.foundations import MIGRATED
from mayfly.app.vault import FileVault
from mayfly.clock import ManualClock
from mayfly.sandboxes.snapshots import Snapshots
from mayfly.services.apis.rest import plans
from mayfly.services.apis.rest.key_values import KeyValues
from mayfly.services.functions.tasks.views import Views
from mayfly.services.topics import catalog, names, signing
from mayfly.services.topics.endpoints import Endpoints
from mayfly.services.topics.model import Subscription
from mayfly.store import migrations
from mayfly.store.files import FileBlobs
from mayfly.store.migrations import MigrationError
from mayfly.store.sqlite import SqliteStore

VALUE = "an-api-key-of-a-customer"
PASSWORD = "correct horse battery staple"
URL = "https://me:horse@receiver.example/hook?to=a:b@c"
BEFORE = {  # how many migrations of a package there were
    "mayfly.store": 2,
    "mayfly.sandboxes": 1,
    "mayfly.services.apis.rest": 1,
    "mayfly.services.functions.tasks": 1,
    "mayfly.services.topics": 2,
}


def row(table: str, **values: Any) -> tuple[str, Sequence[Any]]:
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", tuple(values.values())


def text(one: Subscription) -> str:
    return msgspec.json.encode(one).decode()


def subscription(one: Subscription) -> tuple[str, Sequence[Any]]:
    place = {"topic_id": one.topic_id, "account": "000000000000", "region": "us-east-1", "uuid": one.uuid}
    about = {"protocol": one.protocol, "endpoint": one.endpoint, "pending": 0, "pending_until": 0.0}
    return row("topics_subscription", subscription_id=one.id, **place, **about, definition=text(one))


def earlier(path: Path, clock: ManualClock) -> signing.KeyPair:
    """A database as the last version in clear left it; the key of its topics."""
    pair = signing.make_pair(clock.now())
    key = {"id": "k1", "value": VALUE, "enabled": True, "createdAt": 1.0, "updatedAt": 1.0, "name": "n"}
    wanted = {"environment": {"PASSWORD": PASSWORD}}
    snapshot = {"id": "snap-1", "label": "l", "wanted": wanted, "digest": "0" * 64, "size": 1, "created_at": 1.0}
    plain = {**snapshot, "id": "snap-2", "wanted": {}}
    topic = "arn:aws:sns:us-east-1:000000000000:t"
    heard = Subscription(1, 1, topic, "u1", "https", URL, "000000000000", "http://127.0.0.1", 1.0, confirmed=True)
    other = replace(heard, id=2, uuid="u2", endpoint="https://receiver.example/a:b@c")
    task = {"name": "f", "tenant": "", "priority": 0, "accepted_at": 1.0, "failures": 0}
    rows = [
        row("rest_api_key", id="k1", value=VALUE, created_at=1.0, definition=json.dumps(key)),
        row("topics_signer", singleton=1, private_key=pair.private_key.decode(), certificate=pair.certificate.decode()),
        row("sandboxes_snapshot", id="snap-1", created_at=1.0, document=json.dumps(snapshot)),
        row("sandboxes_snapshot", id="snap-2", created_at=2.0, document=json.dumps(plain)),
        subscription(heard),
        subscription(other),
        row("topics_cancelled", uuid="u3", until=1e12, definition=text(replace(heard, uuid="u3"))),
        row("functions_tasks", item=1, id="t1", state=1, result=json.dumps(PASSWORD).encode(), **task),
        row("functions_tasks", item=2, id="t2", state=2, result=None, **task),
    ]
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(migrations.CREATE_TABLE)
    for package, most in BEFORE.items():
        for step in migrations.load(package)[:most]:
            connection.executescript(step.sql)
            record = {name: value for name, value in step._asdict().items() if name != "sql"}
            connection.execute(migrations.INSERT_APPLIED, {**record, "applied_at": clock.now()})
    for statement, values in rows:
        connection.execute(statement, values)
    connection.commit()
    connection.close()
    return pair


def in_clear(folder: Path) -> set[str]:
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return {text for text in (VALUE, PASSWORD, URL, "horse", "PRIVATE KEY") if text.encode() in content}


async def test_they_are_sealed_and_work_as_before(tmp_path: Path, clock: ManualClock) -> None:
    path, vault = tmp_path / "mayfly.db", FileVault(tmp_path / "secrets.key")
    pair = earlier(path, clock)
    assert in_clear(tmp_path) == {VALUE, PASSWORD, URL, "horse", "PRIVATE KEY"}
    store = await SqliteStore.open(path, MIGRATED, clock, vault.seal, vault.fingerprint)
    assert in_clear(tmp_path) == set()
    values = KeyValues(vault)
    key = await store.read(lambda reader: values.key_of(reader, VALUE))
    assert key is not None
    assert (key.id, key.name, await store.read(lambda reader: values.of(reader, "k1"))) == ("k1", "n", VALUE)
    assert await store.read(lambda reader: values.key_of(reader, VALUE + "!")) is None
    signer = await signing.stored_signer(store, vault)
    assert signer is not None
    assert signer.certificate == pair.certificate
    signer.sign("2", "text")
    await check_subscriptions(store, vault)
    views = Views(store, {}, vault)
    assert bytes((await views.one("t1"))["result"]) == json.dumps(PASSWORD).encode()
    assert "result" not in await views.one("t2")
    blobs = FileBlobs(tmp_path / "blobs", store, clock)
    snapshots = await Snapshots(store, blobs, vault).all()
    assert [one.wanted.environment for one in snapshots] == [{"PASSWORD": PASSWORD}, {}]
    await blobs.close()
    await store.close()
    assert in_clear(tmp_path) == set()


async def check_subscriptions(store: SqliteStore, vault: FileVault) -> None:
    endpoints = Endpoints(vault)
    found = await store.read(lambda reader: catalog.subscriptions(reader, 1, 0, 9))
    assert [endpoints.url(one) for one in found] == [URL, "https://receiver.example/a:b@c"]
    assert found[0].endpoint == endpoints.kept(URL)
    assert names.masked(found[0].endpoint) == "https://me:****@receiver.example/hook?to=a:b@c"
    ended = await store.read(lambda reader: catalog.cancelled(reader, "u3", 1.0))
    assert ended is not None
    assert endpoints.url(ended) == URL
    endpoint = "SELECT endpoint FROM topics_subscription WHERE uuid = 'u1'"
    assert await store.read(lambda reader: reader.one(endpoint)) == (endpoints.kept(URL),)


@pytest.mark.parametrize("left", range(6))
async def test_sealing_that_is_interrupted_is_done_by_the_next_start(
    tmp_path: Path, clock: ManualClock, left: int
) -> None:
    path, vault, kept = tmp_path / "mayfly.db", FileVault(tmp_path / "secrets.key"), iter(range(left))
    earlier(path, clock)

    def seal(plain: bytes, about: str) -> bytes:
        if next(kept, None) is None:
            raise OSError("no space")
        return vault.seal(plain, about)

    with pytest.raises(MigrationError, match="sealed"):
        await SqliteStore.open(path, MIGRATED, clock, seal, vault.fingerprint)
    store = await SqliteStore.open(path, MIGRATED, clock, vault.seal, vault.fingerprint)
    assert in_clear(tmp_path) == set()
    assert await store.read(lambda reader: KeyValues(vault).of(reader, "k1")) == VALUE
    await store.close()


async def test_without_their_key_they_are_lost_and_nothing_else_is(tmp_path: Path, clock: ManualClock) -> None:
    path, vault = tmp_path / "mayfly.db", FileVault(tmp_path / "secrets.key")
    pair = earlier(path, clock)
    store = await SqliteStore.open(path, MIGRATED, clock, vault.seal, vault.fingerprint)
    other = FileVault(tmp_path / "other.key")
    assert await store.read(lambda reader: KeyValues(other).key_of(reader, VALUE)) is None
    assert [key.name for key in await store.read(lambda reader: plans.keys(reader, 9))] == ["n"]
    assert await signing.stored_signer(store, other) is None
    made = await signing.store_signer(store, other, signing.make_pair(clock.now()))
    again = await signing.stored_signer(store, other)
    assert again is not None
    assert again.certificate == made.certificate != pair.certificate
    assert "result" not in await Views(store, {}, other).one("t1")
    blobs = FileBlobs(tmp_path / "blobs", store, clock)
    assert [one.wanted.environment for one in await Snapshots(store, blobs, other).all()] == [{}, {}]
    await blobs.close()
    await store.close()
