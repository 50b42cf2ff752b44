"""Log lines and usage records on their way to their journal: gathered, and written together.

Whoever acknowledges a call writes first (`Held.write`), so a call's records are on file before its caller hears of it,
and those of all calls that end in one turn of the event loop are one write(2). What belongs to calls that still run is
written at the latest `HOLD_S` later, so that a log can be followed; a process that is killed loses that much of what
was never acknowledged.
"""

import logging
from collections.abc import Callable

from mayfly.errors import PlatformError
from mayfly.services.ports import CallRecords, LogLines, UsageRecord

HOLD_S = 0.02
HOLD_CHARACTERS = 256 * 1024  # of what functions print; more is written at once

_log = logging.getLogger(__name__)

# Calls what it is given after so many seconds, like a loop's `call_later`.
Later = Callable[[float, Callable[[], None]], object]


class Held:
    """What is not written yet, in the order of its happening as far as one stream is concerned."""

    def __init__(self, records: CallRecords, later: Later) -> None:
        self._to = records
        self._later = later
        self._waits = False  # for `later`
        self._size = 0
        self._begun: dict[str, LogLines] = {}  # first lines of calls, by request, until anything follows them
        self._lines: list[LogLines] = []
        self._records: list[UsageRecord] = []

    def begin(self, request_id: str, lines: LogLines) -> None:
        """Hold the first lines of a call; they are kept until more of it come, or it is time."""
        if self._begun.setdefault(request_id, lines) is not lines:  # an event that runs twice at once
            self._lines.append(lines)
        if not self._waits:
            self._wait()

    def add(self, request_id: str | None, lines: LogLines) -> None:
        """Hold lines that a function printed, or the platform of an instance; `request_id` is that of the call."""
        if request_id is not None and (begun := self._begun.pop(request_id, None)) is not None:
            self._lines.append(begun)
        self._lines.append(lines)
        self._size += sum([len(text) for _, text in lines.events])
        if self._size > HOLD_CHARACTERS:
            self.write()
        elif not self._waits:
            self._wait()

    def end(self, request_id: str, group: str, stream: str, events: list[tuple[int, str]], record: UsageRecord) -> None:
        """Hold the last lines of a call, and its record."""
        begun = self._begun.pop(request_id, None)
        if begun is not None:
            begun.events.extend(events)
        else:
            begun = LogLines(group, stream, events)
        if begun.events:
            self._lines.append(begun)
        self._records.append(record)
        if not self._waits:
            self._wait()

    def write(self) -> None:
        """Write what is held of calls that ended, and what others printed.

        What cannot be written is lost, and logged: the calls that it belongs to have ended.
        """
        if not self._lines and not self._records:
            return
        lines, records = self._lines, self._records
        self._lines, self._records, self._size = [], [], 0
        try:
            self._to.append(lines, records)
        except PlatformError:
            ids = ", ".join([record.request_id for record in records])
            count = sum(len(each.events) for each in lines)
            _log.exception("%d log lines are lost, and the usage of %d calls: %s", count, len(records), ids)

    def write_all(self) -> None:
        """`write`, the first lines of calls that still run included."""
        self._lines.extend(self._begun.values())
        self._begun.clear()
        self.write()

    def _wait(self) -> None:
        self._waits = True
        self._later(HOLD_S, self._waited)

    def _waited(self) -> None:
        self._waits = False
        self.write_all()
