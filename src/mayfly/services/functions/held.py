"""Log lines and usage records on their way to their journal: gathered, and written together.

Whoever acknowledges a call writes first (`Held.write`), so a call's records are on file before its caller hears of it,
and those of all calls that end in one turn of the event loop are one write(2). What belongs to calls that
still run is written at the latest `HOLD_S` later, so that a log can be followed; a process that is killed loses that
much of what was never acknowledged.
"""

import logging
from collections.abc import Callable

from mayfly.errors import PlatformError
from mayfly.services.ports import CallRecords, LogEvent, UsageRecord

HOLD_S = 0.02
HOLD_CHARACTERS = 256 * 1024  # of what functions print; more is written at once

_log = logging.getLogger(__name__)

# Calls what it is given after so many seconds, like a loop's `call_later`.
Later = Callable[[float, Callable[[], None]], object]


class Held:
    """What is not written yet."""

    def __init__(self, records: CallRecords, later: Later) -> None:
        self._to = records
        self._later = later
        self._waits = False  # for `later`
        self._size = 0
        self._events: list[LogEvent] = []
        self._records: list[UsageRecord] = []

    def line(self, event: LogEvent) -> None:
        """Hold a line of the platform's own, which is short."""
        self._events.append(event)
        if not self._waits:
            self._wait()

    def printed(self, events: list[LogEvent]) -> None:
        """Hold lines that a function printed."""
        self._events += events
        self._size += sum([len(event.message) for event in events])
        if self._size > HOLD_CHARACTERS:
            self.write()
        elif not self._waits:
            self._wait()

    def record(self, record: UsageRecord) -> None:
        """Hold a record."""
        self._records.append(record)
        if not self._waits:
            self._wait()

    def write(self) -> None:
        """Write everything. What cannot be written is lost, and logged: the call that it belongs to has ended."""
        if not self._events and not self._records:
            return
        events, records = self._events, self._records
        self._events, self._records, self._size = [], [], 0
        try:
            self._to.append(events, records)
        except PlatformError:
            ids = ", ".join([record.request_id for record in records])
            _log.exception("%d log lines are lost, and the usage of %d calls: %s", len(events), len(records), ids)

    def _wait(self) -> None:
        self._waits = True
        self._later(HOLD_S, self._waited)

    def _waited(self) -> None:
        self._waits = False
        self.write()
