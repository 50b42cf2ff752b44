"""What is kept of calls on its way to where it is kept: log lines to telemetry, usage to metering, through one journal.

One journal for both, so that the lines and the usage of a call are written, and folded, together or not at all, with
one write(2) and one commit where two would do the same. Each process that runs calls writes one of its own; that of the
core, and those of its fronts, are folded here.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from mayfly.clock import Clock
from mayfly.metering.ledger import Ledger
from mayfly.services.ports import LogLines, UsageRecord
from mayfly.services.telemetry.book import Book
from mayfly.store.api import Store, Tx
from mayfly.store.journal import FileJournal
from mayfly.store.journal_follow import FollowedJournal, names

NAME = "calls"


class Appends(Protocol):
    """The writing end of a journal."""

    def append(self, records: Sequence[bytes]) -> None: ...


class RecordWriter:
    """`ports.CallRecords` in front of a journal, whoever folds it."""

    def __init__(self, journal: Appends) -> None:
        self._journal = journal
        self._encoder = msgspec.msgpack.Encoder()

    def append(self, lines: Sequence[LogLines], usages: Sequence[UsageRecord]) -> None:
        """See `ports.CallRecords`."""
        self._journal.append([self._encoder.encode((lines, usages))])


class Folding:
    """Where the records of all journals go."""

    def __init__(self, book: Book, ledger: Ledger) -> None:
        self._book = book
        self._ledger = ledger
        self._decoder = msgspec.msgpack.Decoder(tuple[list[LogLines], list[UsageRecord]])

    def fold(self, tx: Tx, records: list[bytes]) -> None:
        """Put journal records where they belong; called by a journal, in order, exactly once each."""
        lines: list[LogLines] = []
        usages: list[UsageRecord] = []
        for record in records:
            written, used = self._decoder.decode(record)
            lines += written
            usages += used
        if lines:
            self._book.fold(tx, lines)
        if usages:
            self._ledger.fold(tx, usages)


class CallRecords(RecordWriter):
    """`ports.CallRecords` of the core. Opened by `open`; close it before the store."""

    def __init__(self, own: FileJournal, followed: dict[str, FollowedJournal]) -> None:
        super().__init__(own)
        self._own = own
        self.followed = followed  # the journals of fronts, by their names

    @classmethod
    async def open(
        cls, directory: Path, store: Store, book: Book, ledger: Ledger, clock: Clock, fronts: Sequence[str] = ()
    ) -> "CallRecords":
        """Open the journals in `directory`, and have the readers of `book` and `ledger` see what is in them.

        Those of `fronts` to come, and those that earlier fronts left, are folded too.
        """
        fold = Folding(book, ledger).fold
        own = await FileJournal.open(directory, NAME, store, fold, clock)
        left = await asyncio.to_thread(names, directory, f"{NAME}-")
        followed = {
            name: await FollowedJournal.open(directory, f"{NAME}-{name}", store, fold, clock)
            for name in sorted({*fronts, *(name.removeprefix(f"{NAME}-") for name in left)})
        }
        records = cls(own, followed)
        book.attach(records.flush)
        ledger.attach(records.flush)
        return records

    async def flush(self) -> None:
        """Return when everything that was written before the call is in the database."""
        await asyncio.gather(self._own.flush(), *(journal.flush() for journal in self.followed.values()))

    async def close(self) -> None:
        """Fold what is left, and release the files."""
        await asyncio.gather(self._own.close(), *(journal.close() for journal in self.followed.values()))
