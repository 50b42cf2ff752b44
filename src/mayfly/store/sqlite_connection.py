"""SQLite connections: how they are set up, what a body sees of one, and what its errors mean.

Used by the threads of `sqlite_threads`, and once by `sqlite` to apply migrations.
"""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn, cast

from mayfly.store.api import (
    NO_PARAMS,
    ConstraintError,
    Params,
    Row,
    StorageFailedError,
    StorageFullError,
    StoreBusyError,
)

STATEMENTS_CACHED = 1024
BUSY_TIMEOUT_S = 5.0  # nobody else should write; a backup tool may hold the lock for a moment

SETTINGS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
)
WRITER_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit returns after its fsync
    "PRAGMA wal_autocheckpoint = 4000",  # pages: 16 MiB
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -32768",  # KiB
)
READER_SETTINGS = ("PRAGMA query_only = ON", "PRAGMA cache_size = -8192")

_FATAL = {
    sqlite3.SQLITE_FULL: StorageFullError,
    sqlite3.SQLITE_IOERR: StorageFailedError,
    sqlite3.SQLITE_CORRUPT: StorageFailedError,
    sqlite3.SQLITE_NOTADB: StorageFailedError,
    sqlite3.SQLITE_CANTOPEN: StorageFailedError,
    sqlite3.SQLITE_READONLY: StorageFailedError,
    sqlite3.SQLITE_PERM: StorageFailedError,
    sqlite3.SQLITE_NOMEM: StorageFailedError,
    sqlite3.SQLITE_PROTOCOL: StorageFailedError,
    sqlite3.SQLITE_BUSY: StoreBusyError,
    sqlite3.SQLITE_LOCKED: StoreBusyError,
}


def translated(error: sqlite3.Error) -> Exception:
    """What a failure is to callers; a mistake in the SQL stays what it is."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code == sqlite3.SQLITE_CONSTRAINT:
        return ConstraintError(str(error))
    kind = _FATAL.get(code)
    return error if kind is None else kind(f"the database failed: {error}")


def is_fatal(error: BaseException) -> bool:
    """Whether the failure concerns the whole group and not just the body that met it."""
    return isinstance(error, StorageFullError | StorageFailedError | StoreBusyError)


def connect(path: Path, settings: Iterable[str]) -> sqlite3.Connection:
    """A connection in autocommit mode, to be used by one thread at a time."""
    try:
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS_CACHED,
        )
    except sqlite3.Error as error:
        raise StorageFailedError(f"{path}: {error}") from error
    try:
        for statement in (*SETTINGS, *settings):
            connection.execute(statement).close()
    except sqlite3.Error as error:
        connection.close()
        raise StorageFailedError(f"{path}: {error}") from error
    return connection


class _Over:
    """Stands in for the cursor of a body that has returned: what it still does would land in somebody else's."""

    def _refuse(self, *_: object) -> NoReturn:
        raise RuntimeError("this transaction is over; use it inside the body only")

    execute = executemany = _refuse


_OVER = cast(sqlite3.Cursor, _Over())


class SqliteReader:
    """The `Reader` of one body."""

    __slots__ = ("_cursor", "failure")

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.failure: Exception | None = None  # one that dooms the group, even when the body swallows it

    def one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        try:
            row: Row | None = self._cursor.execute(sql, params if type(params) is dict else dict(params)).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return row

    def all(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        try:
            return self._cursor.execute(sql, params if type(params) is dict else dict(params)).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def end(self) -> None:
        self._cursor = _OVER

    def _failed(self, error: sqlite3.Error) -> Exception:
        failure = translated(error)
        if is_fatal(failure):
            self.failure = failure
        return failure


class SqliteTx(SqliteReader):
    """The `Tx` of one body."""

    __slots__ = ("callbacks",)

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        super().__init__(cursor)
        self.callbacks: list[Callable[[], None]] = []

    def run(self, sql: str, params: Params = NO_PARAMS) -> int:
        try:
            return self._cursor.execute(sql, params if type(params) is dict else dict(params)).rowcount
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def many(self, sql: str, rows: Iterable[Params]) -> int:
        try:
            return self._cursor.executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)
