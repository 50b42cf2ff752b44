"""A process that writes objects is killed with SIGKILL, again and again: objects and events are there, and agree."""

import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import msgspec

from mayfly.clock import SystemClock
from mayfly.services.objects.service import PACKAGE, ObjectsService
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore

from .crash_writer import TableTargets, content

SCRIPT = Path(__file__).with_name("crash_writer.py")
ROUNDS = 5

Promises = dict[str, list[str]]


def write_until_killed(directory: Path, round_: int, promises: Promises) -> None:
    """Let a process write, kill it after a random number of promises, and collect them all."""
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(directory), f"r{round_}"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(random.randint(1, 300))]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert process.returncode == -9, "it ended before it was killed"
    for line in lines:
        kind, key = line.decode().split()
        promises[kind].append(key)


async def check(directory: Path, promises: Promises) -> None:
    clock = SystemClock()
    store = await SqliteStore.open(directory / "mayfly.db", [PACKAGE], clock)
    blobs = FileBlobs(directory / "blobs", store, clock)
    service = ObjectsService(store, blobs, TableTargets(), clock)
    await service.collect(grace_s=0)
    await blobs.sweep(grace_s=0)
    keys = {row[0] for row in await store.read(lambda reader: reader.all("SELECT key FROM objects_objects"))}
    assert set(promises["put"]) <= keys, "an acknowledged object is lost"
    assert not set(promises["deleted"]) & keys, "an acknowledged deletion is lost"
    for key in keys:
        chunks = await service.open("bucket", key, None)
        assert b"".join([chunk async for chunk in chunks]) == content(key)
    rows = await store.read(lambda reader: reader.all("SELECT event FROM accepted ORDER BY id"))
    created: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    for row in rows:
        (event,) = msgspec.json.decode(row[0])["Records"]
        key = event["s3"]["object"]["key"]
        (created if event["eventName"].startswith("ObjectCreated:") else removed)[key] += 1
    assert set(created.values()) | set(removed.values()) <= {1}, "an event was accepted twice"
    assert set(created) - set(removed) == keys, "objects and events do not agree"
    assert set(removed) <= set(created)
    await blobs.close()
    await store.close()


async def test_nothing_acknowledged_is_lost_and_every_change_has_its_one_event(tmp_path: Path) -> None:
    promises: Promises = defaultdict(list)
    for round_ in range(ROUNDS):
        write_until_killed(tmp_path, round_, promises)
        await check(tmp_path, promises)
    assert promises["put"]
    assert promises["deleted"]
