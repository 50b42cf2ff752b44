"""A process that writes to everything durable at once, and says on standard output what it was promised.

Run by test_crash.py as `python crash_writer.py DIRECTORY ROUND asyncio|uvloop`, until it is killed.
"""

import asyncio
import hashlib
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import uvloop

from mayfly.app.vault import FileVault
from mayfly.clock import SystemClock
from mayfly.store.api import Blob, Claim, NewItem, Tx
from mayfly.store.files import FileBlobs
from mayfly.store.journal import FileJournal, JournalLimits
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore

TABLES = (
    "CREATE TABLE IF NOT EXISTS halves (key TEXT NOT NULL, half INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS done (payload TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS folded (id INTEGER PRIMARY KEY, record TEXT NOT NULL)",
)
JOURNAL = JournalLimits(segment_bytes=4000, batch_bytes=1000, linger_s=0.001, sync_s=0.01)


def promised(kind: str, what: str) -> None:
    """One line in one write: whole or not there at all."""
    os.write(1, f"{kind} {what}\n".encode())


def fold(tx: Tx, records: list[bytes]) -> None:
    tx.many("INSERT INTO folded (record) VALUES (:record)", ({"record": record.decode()} for record in records))


def content(name: str) -> bytes:
    """The bytes of a blob, known from its name."""
    return random.Random(name).randbytes(random.Random(name).choice([0, 10, 5000, 400_000]))


class Writer:
    """The load: each method runs for ever, several times at once."""

    def __init__(self, name: str, store: SqliteStore, queue: SqlReadyQueue, blobs: FileBlobs, journal: FileJournal):
        self.name = name
        self.store = store
        self.queue = queue
        self.blobs = blobs
        self.journal = journal
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return f"{self.name}-{self.count}"

    async def rows(self) -> None:
        def body(tx: Tx, key: str) -> None:
            for half in (1, 2):
                tx.run("INSERT INTO halves (key, half) VALUES (:key, :half)", {"key": key, "half": half})

        while True:
            key = self.fresh()
            await self.store.write(lambda tx, key=key: body(tx, key))  # type: ignore[misc]
            promised("row", key)

    async def enqueues(self) -> None:
        while True:
            payloads = [self.fresh() for _ in range(random.randint(1, 3))]
            items = [NewItem("work", payload.encode()) for payload in payloads]
            await self.store.write(lambda tx, items=items: self.queue.enqueue(tx, items))  # type: ignore[misc]
            for payload in payloads:
                promised("enqueued", payload)

    async def completes(self) -> None:
        def body(tx: Tx, claim: Claim) -> None:
            tx.run("INSERT INTO done (payload) VALUES (:payload)", {"payload": claim.payload.decode()})
            self.queue.complete(tx, claim)

        while True:
            await self.queue.wait("work", 10)
            for claim in await self.queue.claim("work", 3, 60):
                if random.random() < 0.2:
                    await self.store.write(lambda tx, claim=claim: self.queue.retry(tx, claim, 0))  # type: ignore[misc]
                    continue
                await self.store.write(lambda tx, claim=claim: body(tx, claim))  # type: ignore[misc]
                promised("completed", claim.payload.decode())

    def owned(self, name: str, blob: Blob) -> Callable[[Tx], Blob]:
        def body(tx: Tx) -> Blob:
            self.blobs.link(tx, blob.digest, name)
            return blob

        return body

    async def puts(self) -> None:
        async def chunks(data: bytes) -> AsyncIterator[bytes]:
            for start in range(0, len(data), 30_000):
                yield data[start : start + 30_000]

        while True:
            name = self.fresh()
            if random.random() < 0.5:
                blob = await self.blobs.put_with(chunks(content(name)), partial(self.owned, name))
            else:
                blob = await self.blobs.put(chunks(content(name)))
                await self.store.write(self.owned(name, blob))
            assert blob == Blob(hashlib.sha256(content(name)).hexdigest(), len(content(name)))
            promised("blob", name)
            if random.random() < 0.1:
                await self.blobs.sweep(0)

    async def appends(self) -> None:
        while True:
            records = [self.fresh() for _ in range(random.randint(1, 4))]
            self.journal.append([record.encode() for record in records])
            for record in records:
                promised("appended", record)
            await asyncio.sleep(0.001)


async def main(directory: Path, name: str) -> None:
    clock = SystemClock()
    store = await SqliteStore.open(directory / "store.db", [], clock)
    for table in TABLES:
        await store.write(lambda tx, table=table: tx.run(table))  # type: ignore[misc]
    queue = SqlReadyQueue(store, clock, FileVault(directory / "secrets.key"))
    await queue.release_leases()
    blobs = FileBlobs(directory / "blobs", store, clock)
    journal = await FileJournal.open(directory / "journal", "crash", store, fold, clock, JOURNAL)
    writer = Writer(name, store, queue, blobs, journal)
    kinds: list[Callable[[], Awaitable[None]]] = [
        writer.rows,
        writer.enqueues,
        writer.completes,
        writer.puts,
        writer.appends,
    ]
    await asyncio.gather(*(kind() for kind in kinds for _ in range(4)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory={"asyncio": None, "uvloop": uvloop.new_event_loop}[sys.argv[3]]) as runner:
        runner.run(main(Path(sys.argv[1]), sys.argv[2]))
