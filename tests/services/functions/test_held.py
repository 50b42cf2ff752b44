"""When log lines and usage records are written."""

import logging
from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions.held import HOLD_CHARACTERS, HOLD_S, Held
from mayfly.services.ports import LogLines, UsageRecord
from mayfly.store.api import JournalFullError

RECORD = UsageRecord("id", "arn", "account", 0.0, 1.0, 1, None, 128, 40, 512, "x86_64", "ok", "request")


class Journal:
    """`ports.CallRecords`; and the loop's `call_later`."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.failing = False

    def append(self, lines: Sequence[LogLines], usages: Sequence[UsageRecord]) -> None:
        if self.failing:
            raise JournalFullError("full")
        texts = [text for each in lines for _, text in each.events]
        self.writes.append([*texts, *(usage.request_id for usage in usages)])

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.timers.append((delay_s, call))


def lines(*texts: str) -> LogLines:
    return LogLines("group", "stream", [(0, text) for text in texts])


def end(held: Held, call: str, *texts: str) -> None:
    held.end(call, "group", "stream", [(0, text) for text in texts], RECORD)


def made() -> tuple[Journal, Held]:
    journal = Journal()
    return journal, Held(journal, journal.later)


def test_all_that_is_held_of_calls_that_ended_is_one_write() -> None:
    journal, held = made()
    held.begin("1", lines("START 1"))
    held.begin("2", lines("START 2"))
    held.begin("3", lines("START 3"))
    held.add("1", lines("a", "b"))
    end(held, "1", "END 1", "REPORT 1")
    end(held, "2", "END 2", "REPORT 2")
    assert journal.writes == []
    held.write()
    first = ["START 1", "a", "b", "END 1", "REPORT 1", "START 2", "END 2", "REPORT 2", "id", "id"]
    assert journal.writes == [first]
    held.write()
    end(held, "3", "END 3", "REPORT 3")
    held.write()
    assert journal.writes == [first, ["START 3", "END 3", "REPORT 3", "id"]]


def test_what_nobody_writes_is_written_after_a_while_with_one_timer_at_a_time() -> None:
    journal, held = made()
    held.begin("1", lines("START"))
    held.add("1", lines("more"))
    held.add(None, lines("of the instance"))
    held.begin("2", lines("START 2"))
    [(delay_s, due)] = journal.timers
    assert delay_s == HOLD_S
    due()
    assert journal.writes == [["START", "more", "of the instance", "START 2"]]
    end(held, "2", "END 2")
    assert len(journal.timers) == 2
    held.write()
    assert journal.writes[1:] == [["END 2", "id"]]


def test_a_request_that_runs_twice_at_once_loses_no_line() -> None:
    journal, held = made()
    for attempt in ("first", "second"):
        held.begin("1", lines(f"START {attempt}"))
    for attempt in ("first", "second"):
        end(held, "1", f"END {attempt}")
    held.write()
    assert sorted(journal.writes[0]) == ["END first", "END second", "START first", "START second", "id", "id"]


def test_a_timer_that_finds_nothing_writes_nothing() -> None:
    journal, held = made()
    held.add(None, lines("a"))
    held.write()
    journal.timers[0][1]()
    assert journal.writes == [["a"]]


def test_much_output_is_written_at_once() -> None:
    journal, held = made()
    held.add(None, lines("x" * HOLD_CHARACTERS))
    assert journal.writes == []
    held.add(None, lines("y"))
    assert len(journal.writes) == 1


def test_what_cannot_be_written_is_logged_and_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    journal, held = made()
    held.begin("1", lines("START"))
    end(held, "1", "END")
    journal.failing = True
    with caplog.at_level(logging.ERROR):
        held.write()
    assert "2 log lines are lost, and the usage of 1 calls: id" in caplog.text
    journal.failing = False
    held.write()
    assert journal.writes == []


text = st.text("abc", min_size=1, max_size=3)
steps = st.lists(
    st.one_of(st.tuples(st.just("print"), text), st.tuples(st.sampled_from(["write", "timer"]), st.just("")))
)


@given(st.lists(steps, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_every_line_of_a_call_is_written_once_and_in_order_whatever_is_written_meanwhile(
    calls: list[list[tuple[str, str]]], order: Random
) -> None:
    journal, held = made()
    wanted: dict[str, list[str]] = {}
    left = {str(number): [("begin", ""), *done, ("end", "")] for number, done in enumerate(calls)}
    while left:
        call = order.choice(sorted(left))
        what, said = left[call].pop(0)
        if not left[call]:
            del left[call]
        line = f"{call} {what} {said}"
        if what in ("begin", "print", "end"):
            wanted.setdefault(call, []).append(line)
        match what:
            case "begin":
                held.begin(call, lines(line))
            case "print":
                held.add(call, lines(line))
            case "end":
                end(held, call, line)
            case "write":
                held.write()
            case "timer" if journal.timers:
                journal.timers.pop()[1]()
    held.write_all()
    written = [line for lines in journal.writes for line in lines if line != "id"]
    for call, said_by_it in wanted.items():
        assert [line for line in written if line.startswith(f"{call} ")] == said_by_it
    assert sum(lines.count("id") for lines in journal.writes) == len(calls)
