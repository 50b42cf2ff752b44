"""The embedded `Store`: one SQLite database in WAL mode, one writer thread, a few reader threads.

Everything acknowledged is on disk (`synchronous=FULL`). A lone write commits at once; while its fsync runs, others
queue up and become the next group. Made by the composition root; one process opens a database at a time.
"""

import asyncio
import base64
import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from mayfly.clock import Clock
from mayfly.store import migrations
from mayfly.store.api import Reader, StorageFailedError, StoreBusyError, StoreClosedError, Tx
from mayfly.store.disk import storage_errors
from mayfly.store.sqlite_connection import WRITER_SETTINGS, connect, translated
from mayfly.store.sqlite_threads import Completions, Job, ReaderThread, Writer

T = TypeVar("T")

READERS = 4
WAITING_LIMIT = 65_536  # bodies given and not yet answered, writes and reads together
OWN_PACKAGE = "mayfly.store"
Seal = Callable[[bytes, str], bytes]


def _unsealed(plain: bytes, about: str) -> bytes:
    raise StorageFailedError(f"nothing was given to seal the {about} with")


def migrate(path: Path, packages: Sequence[str], clock: Clock, seal: Seal, fingerprint: Seal = _unsealed) -> None:
    """Bring the database up to date, each migration in a transaction of its own; `MigrationError`.

    A migration may say `mayfly_seal(value, about)` and `mayfly_fingerprint(value, about)`, which are `seal` and
    `fingerprint` of a text or a blob, `mayfly_base64(blob)`, for documents that have bytes in them, and
    `mayfly_replace(text, pattern, by)`, which is `re.sub` regardless of case, and begin with VACUUM. What migrations
    take away is overwritten, so that what was secret does not stay in pages that nobody uses.
    """
    connection = connect(path, (*WRITER_SETTINGS, "PRAGMA secure_delete = ON"))
    connection.create_function("mayfly_seal", 2, lambda value, about: seal(_bytes(value), about))
    connection.create_function("mayfly_fingerprint", 2, lambda value, about: fingerprint(_bytes(value), about))
    connection.create_function("mayfly_replace", 3, _replace)
    connection.create_function("mayfly_base64", 1, lambda blob: base64.b64encode(blob).decode())
    try:
        connection.execute(migrations.CREATE_TABLE)
        for package in packages:
            rows = connection.execute(migrations.SELECT_APPLIED, {"package": package})
            applied = [migrations.Applied(*row) for row in rows.fetchall()]
            for migration in migrations.pending(migrations.load(package), applied):
                _apply(connection, migration, clock.now())
    except sqlite3.Error as error:
        raise StorageFailedError(f"{path}: {error}") from error
    finally:
        connection.close()


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _replace(text: str, pattern: str, by: str) -> str:
    return re.sub(pattern, by, text, flags=re.IGNORECASE)


def _vacuum(connection: sqlite3.Connection) -> None:
    """The whole database anew. Its copy meanwhile may be larger than the memory, and as secret: a file beside it."""
    (place,) = (Path(row[2]).parent for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    for statement in ("temp_store = FILE", "temp_store_directory = '{}'".format(str(place).replace("'", "''"))):
        connection.execute(f"PRAGMA {statement}")
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute("PRAGMA temp_store_directory = ''")
        connection.execute("PRAGMA temp_store = MEMORY")


def _apply(connection: sqlite3.Connection, migration: migrations.Migration, now: float) -> None:
    first, *rest = migrations.statements(migration.sql)
    if migrations.is_vacuum(first):  # which is no part of a transaction
        _vacuum(connection)
    else:
        rest.insert(0, first)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in rest:
            connection.execute(statement)
        record = {key: value for key, value in migration._asdict().items() if key != "sql"}
        connection.execute(migrations.INSERT_APPLIED, {**record, "applied_at": now})
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            label = f"{migration.number:04d}_{migration.name} of {migration.package}"
            raise migrations.MigrationError(f"{label} failed: {translated(error)}") from error
        raise


class SqliteStore:
    """`Store` on SQLite. Opened by `open`, on the loop that will use it."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting = 0
        self._closed: asyncio.Task[None] | None = None
        completions = Completions(loop, self._settled)
        self._writes: SimpleQueue[Job | None] = SimpleQueue()
        self._reads: SimpleQueue[Job | None] = SimpleQueue()
        self._writer = Writer("mayfly-store-writer", path, self._writes, completions)
        self._readers = [
            ReaderThread(f"mayfly-store-reader-{number}", path, self._reads, completions) for number in range(READERS)
        ]
        for worker in (self._writer, *self._readers):
            worker.start()

    @classmethod
    async def open(
        cls,
        path: Path,
        packages: Sequence[str],
        clock: Clock,
        seal: Seal = _unsealed,
        fingerprint: Seal = _unsealed,
    ) -> "SqliteStore":
        """Open or create the database at `path` and apply the migrations of `packages`, the store's own first.

        `seal` and `fingerprint` are `Vault`'s, for migrations that find secrets in clear. Raises `MigrationError` and
        `StorageFailedError`.
        """
        loop = asyncio.get_running_loop()
        ordered = [OWN_PACKAGE, *(package for package in packages if package != OWN_PACKAGE)]

        def start() -> "SqliteStore":
            with storage_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                # Nobody else's to read; SQLite gives the log beside it the same mode.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            migrate(path, ordered, clock, seal, fingerprint)
            return cls(path, loop)

        opening = asyncio.ensure_future(asyncio.to_thread(start))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread goes on regardless; what it opens must not stay open.
            await asyncio.wait([opening])
            if opening.exception() is None:
                await opening.result().close()
            raise

    @property
    def commits(self) -> int:
        """Transactions that the writer has committed since the store was opened."""
        return self._writer.commits

    async def write(self, body: Callable[[Tx], T]) -> T:
        future: asyncio.Future[T] = self._give(self._writes, body)
        return await future

    async def read(self, body: Callable[[Reader], T]) -> T:
        future: asyncio.Future[T] = self._give(self._reads, body)
        return await future

    async def close(self) -> None:
        if self._closed is None:
            self._closed = self._loop.create_task(self._close(), name="mayfly-store-close")
        await asyncio.shield(self._closed)

    async def _close(self) -> None:
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        """End the threads, the writer's last: connections that close at once leave SQLite's log beside the database."""
        for _ in self._readers:
            self._reads.put(None)
        for reader in self._readers:
            reader.join()
        self._writes.put(None)
        self._writer.join()

    def _give(self, jobs: "SimpleQueue[Job | None]", body: Callable[..., T]) -> "asyncio.Future[T]":
        if self._closed is not None:
            raise StoreClosedError("the store is closed")
        if self._waiting >= WAITING_LIMIT:
            raise StoreBusyError(f"{WAITING_LIMIT} calls wait for the database already")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        jobs.put(Job(body, future))
        return future

    def _settled(self, count: int) -> None:
        self._waiting -= count
