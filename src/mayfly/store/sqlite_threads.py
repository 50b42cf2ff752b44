"""The threads that work on SQLite: one writer that commits in groups, a few readers with a snapshot a call.

A `Job` goes from the event loop to a thread through a `SimpleQueue` and back through `Completions`, which wakes the
loop once however many jobs are done. Owned by `sqlite.SqliteStore`.

These threads compete with the loop for the interpreter lock, and a loop that keeps making short system calls starves
them: it gives the lock up and takes it back before they wake, and each time their patience starts anew. Measured with a
loop that is busy all the time in turns of 100 µs: a write took 0.26 ms at the median but 200 ms at the 99th percentile
with Python's switch interval of 5 ms, and 1.7 ms with one of 0.1 ms. The root of a process that owns a store therefore
lowers it (`sys.setswitchinterval(0.0001)`).
"""

import asyncio
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from mayfly.errors import PlatformError
from mayfly.store.sqlite_connection import (
    BUSY_TIMEOUT_S,
    READER_SETTINGS,
    WRITER_SETTINGS,
    SqliteReader,
    SqliteTx,
    connect,
    translated,
)

LOG_BYTES = 64 * 1024 * 1024  # of the log, beyond which it is begun anew even if somebody reads from it
LOG_PATIENCE_MS = 250  # how long writers wait for those who do
GROUP_BODIES = 1024  # more wait for the next commit, so that the first of a flood are not held up by the last

_log = logging.getLogger(__name__)


class Job:
    """One body on its way through a thread; `settle` is its end, on the loop."""

    __slots__ = ("body", "callbacks", "error", "future", "value")

    def __init__(self, body: Callable[[Any], Any], future: asyncio.Future[Any]) -> None:
        self.body = body
        self.future = future
        self.value: Any = None
        self.error: BaseException | None = None
        self.callbacks: Sequence[Callable[[], None]] = ()

    def fail(self, error: BaseException) -> None:
        # A future cannot carry StopIteration: it would end the coroutine that awaits it.
        self.error = RuntimeError("a body raised StopIteration") if isinstance(error, StopIteration) else error
        self.value = None
        self.callbacks = ()

    def settle(self) -> None:
        for callback in self.callbacks:
            try:
                callback()
            except Exception:
                _log.exception("a callback after a commit failed; the commit stands")
        if self.future.done():  # the caller was cancelled
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


class Completions:
    """Jobs that are done, on their way back to the loop: one wake-up for all that are there when it looks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settled: Callable[[int], None]) -> None:
        self._loop = loop
        self._settled = settled
        self._done: deque[Job] = deque()
        self._scheduled = False

    def deliver(self, jobs: Sequence[Job]) -> None:
        """Called by any thread. It appends, then looks at the flag; the loop clears it, then takes: none is missed."""
        self._done.extend(jobs)
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._settle)
            except RuntimeError:
                _log.warning("the event loop closed before the store; nobody waits for its answers any more")

    def _settle(self) -> None:
        self._scheduled = False
        count = 0
        while self._done:
            self._done.popleft().settle()
            count += 1
        self._settled(count)


class Worker:
    """A thread that takes jobs until it is told to stop; what was given before `stop` is still done."""

    def __init__(self, name: str, path: Path, jobs: "SimpleQueue[Job | None]", completions: Completions) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._jobs = jobs
        self._completions = completions
        self._connection = self._connect()
        self._cursor = self._connection.cursor()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _connect(self) -> sqlite3.Connection:
        raise NotImplementedError

    def _work(self, first: Job) -> bool:
        """Do `first` and whatever belongs with it; False when told to stop."""
        raise NotImplementedError

    def _main(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                if not self._work(job):
                    break
        finally:
            self._connection.close()

    def _try_to_abandon(self) -> None:
        """Leave no transaction open, with a fresh connection if there is no other way.

        When even that fails, the closed connection stays, fails the next job too, and is replaced then if it can be.
        """
        try:
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")
            return
        except sqlite3.Error:
            _log.exception("rolling back failed; connecting anew")
        try:
            self._connection.close()
            self._connection = self._connect()
            self._cursor = self._connection.cursor()
        except Exception:
            _log.exception("the database cannot be opened")


class Writer(Worker):
    """Runs bodies in groups: one transaction and one fsync for all that wait, one savepoint each."""

    commits = 0  # transactions committed; read by anybody
    _log_limit = LOG_BYTES

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path, WRITER_SETTINGS)

    def _work(self, first: Job) -> bool:
        group, go_on = [first], True
        while len(group) < GROUP_BODIES:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                go_on = False
                break
            group.append(job)
        # A caller that was cancelled before its turn gets nothing written.
        live = [job for job in group if not job.future.cancelled()]
        try:
            if live:
                self._commit(live)
        except Exception as error:
            failure = translated(error) if isinstance(error, sqlite3.Error) else error
            self._fail(live, failure)
        self._completions.deliver(group)
        self._keep_log_short()
        return go_on

    def _keep_log_short(self) -> None:
        """Begin the log anew where it became long.

        Usually SQLite does so by itself, but only in a moment in which nobody reads from the log. Where each reader
        begins before the last one ends there is none, and the log would grow for ever. So we wait for those who read
        from it. There are soon none: as soon as all of it is in the database, whoever comes reads from there.
        """
        try:
            size = os.stat(self._log).st_size
            if size <= self._log_limit:
                return
            try:
                self._cursor.execute(f"PRAGMA busy_timeout = {LOG_PATIENCE_MS}")
                busy = bool(self._cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
            finally:
                self._cursor.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}")
        except FileNotFoundError:
            return
        except (OSError, sqlite3.Error):
            _log.exception("the log of the database could not be written back")
            busy = True
        # Not again at once, for others wait meanwhile.
        self._log_limit = size + LOG_BYTES if busy else LOG_BYTES

    def _commit(self, group: Sequence[Job]) -> None:
        self._cursor.execute("BEGIN IMMEDIATE")
        if len(group) == 1:  # the transaction is its savepoint
            self._run(group[0])
            if group[0].error is not None:
                self._cursor.execute("ROLLBACK")
                return
        else:
            for job in group:
                self._cursor.execute("SAVEPOINT body")
                self._run(job)
                if job.error is not None:
                    self._cursor.execute("ROLLBACK TO body")
                self._cursor.execute("RELEASE body")
        self._cursor.execute("COMMIT")
        self.commits += 1

    def _run(self, job: Job) -> None:
        """One body. What it raises is its caller's; what dooms the group is raised."""
        tx = SqliteTx(self._cursor)
        try:
            job.value = job.body(tx)
        except BaseException as error:
            job.fail(error)
        else:
            job.callbacks = tx.callbacks
        tx.end()
        if tx.failure is not None:
            raise tx.failure

    def _fail(self, group: Sequence[Job], failure: Exception) -> None:
        for job in group:
            if job.error is None:
                job.fail(_own(failure))
        self._try_to_abandon()


def _own(failure: Exception) -> Exception:
    """One for each caller, because raising an exception writes into it."""
    if not isinstance(failure, PlatformError):
        return failure
    own = type(failure)(*failure.args)
    own.__cause__ = failure
    return own


class ReaderThread(Worker):
    """Runs one body at a time on a snapshot taken at its start."""

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path, READER_SETTINGS)

    def _work(self, first: Job) -> bool:
        if not first.future.cancelled():
            try:
                self._cursor.execute("BEGIN")
                reader = SqliteReader(self._cursor)
                first.value = first.body(reader)
                reader.end()
                self._cursor.execute("COMMIT")
            except BaseException as error:
                first.fail(translated(error) if isinstance(error, sqlite3.Error) else error)
                self._try_to_abandon()
        self._completions.deliver((first,))
        return True
