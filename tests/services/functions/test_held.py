"""When log lines and usage records are written."""

import logging
from collections.abc import Callable, Sequence

import pytest

from mayfly.services.functions.held import HOLD_CHARACTERS, HOLD_S, Held
from mayfly.services.ports import LogEvent, UsageRecord
from mayfly.store.api import JournalFullError

RECORD = UsageRecord("id", "arn", "account", 0.0, 1.0, 1, None, 128, 40, 512, "x86_64", "ok", "request")


class Journal:
    """`ports.CallRecords`; and the loop's `call_later`."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.failing = False

    def append(self, events: Sequence[LogEvent], usages: Sequence[UsageRecord]) -> None:
        if self.failing:
            raise JournalFullError("full")
        self.writes.append([*(event.message for event in events), *(usage.request_id for usage in usages)])

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.timers.append((delay_s, call))


def line(text: str) -> LogEvent:
    return LogEvent("group", "stream", 0, text)


def made() -> tuple[Journal, Held]:
    journal = Journal()
    return journal, Held(journal, journal.later)


def test_all_that_is_held_is_one_write() -> None:
    journal, held = made()
    held.line(line("START"))
    held.printed([line("a"), line("b")])
    held.line(line("END"))
    held.record(RECORD)
    held.record(RECORD)
    assert journal.writes == []
    held.write()
    assert journal.writes == [["START", "a", "b", "END", "id", "id"]]
    held.write()
    assert len(journal.writes) == 1


def test_what_nobody_writes_is_written_after_a_while_with_one_timer_at_a_time() -> None:
    journal, held = made()
    held.line(line("START"))
    held.line(line("more"))
    [(delay_s, due)] = journal.timers
    assert delay_s == HOLD_S
    due()
    assert journal.writes == [["START", "more"]]
    held.record(RECORD)
    assert len(journal.timers) == 2


def test_a_timer_that_finds_nothing_writes_nothing() -> None:
    journal, held = made()
    held.line(line("START"))
    held.write()
    journal.timers[0][1]()
    assert journal.writes == [["START"]]


def test_much_output_is_written_at_once() -> None:
    journal, held = made()
    held.printed([line("x" * HOLD_CHARACTERS)])
    assert journal.writes == []
    held.printed([line("y")])
    assert len(journal.writes) == 1


def test_what_cannot_be_written_is_logged_and_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    journal, held = made()
    held.line(line("START"))
    held.record(RECORD)
    journal.failing = True
    with caplog.at_level(logging.ERROR):
        held.write()
    assert "1 log lines are lost, and the usage of 1 calls: id" in caplog.text
    journal.failing = False
    held.write()
    assert journal.writes == []
