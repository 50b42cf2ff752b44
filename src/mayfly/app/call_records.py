"""What is kept of calls on its way to where it is kept: log lines to telemetry, usage to metering, through one journal.

One journal for both, so that the lines and the usage of a call are written, and folded, together or not at all, with
one write(2) and one commit where two would do the same.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from mayfly.clock import Clock
from mayfly.metering.ledger import Ledger
from mayfly.services.ports import LogLines, UsageRecord
from mayfly.services.telemetry.book import Book
from mayfly.store.api import Store, Tx
from mayfly.store.journal import FileJournal

NAME = "calls"


class CallRecords:
    """`ports.CallRecords`. Opened by `open`; close it before the store."""

    def __init__(self, book: Book, ledger: Ledger) -> None:
        self._book = book
        self._ledger = ledger
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(tuple[list[LogLines], list[UsageRecord]])
        self._journal: FileJournal

    @classmethod
    async def open(cls, directory: Path, store: Store, book: Book, ledger: Ledger, clock: Clock) -> "CallRecords":
        """Open the journal in `directory`, and have the readers of `book` and `ledger` see what is in it."""
        records = cls(book, ledger)
        records._journal = await FileJournal.open(directory, NAME, store, records.fold, clock)
        book.attach(records._journal.flush)
        ledger.attach(records._journal.flush)
        return records

    def append(self, lines: Sequence[LogLines], usages: Sequence[UsageRecord]) -> None:
        """See `ports.CallRecords`."""
        self._journal.append([self._encoder.encode((lines, usages))])

    def fold(self, tx: Tx, records: list[bytes]) -> None:
        """Put journal records where they belong; called by the journal, in order, exactly once each."""
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

    async def close(self) -> None:
        """Fold what is left, and release the file."""
        await self._journal.close()
