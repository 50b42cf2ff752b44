"""The book of starts: what it keeps, what it hands on, and what it makes of a call."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.app.start_report import nearest_rank, report
from mayfly.app.starts import MOST_FUNCTIONS, MOST_IMPORTS, MOST_STARTS, StartBook
from mayfly.clock import ManualClock
from mayfly.engine.api import Call, Failure, Import, Outcome, Phase, Start, StartPath, Target
from mayfly.sandbox.api import SandboxSpec

CALL = Call("request", b"{}", "arn")


class Told:
    """An observer that writes down what it was told."""

    def __init__(self) -> None:
        self.of: list[str] = []

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        self.of.append(f"began at {at}, {restored=}")

    def initialized(
        self,
        target: Target,
        instance: str,
        took_ms: float,
        failure: Failure | None,
        *,
        restored: bool,
        phase: Phase = "init",
    ) -> None:
        self.of.append(f"initialized in {took_ms}, {failure}, {restored=}")

    def started(self, target: Target, instance: str, call: Call) -> None:
        self.of.append("started")

    def output(self, target: Target, instance: str, call: Call | None, lines: list[tuple[float, str]]) -> None:
        self.of.append("output")

    def finished(self, target: Target, call: Call, outcome: Outcome) -> None:
        self.of.append("finished")

    def terminated(self, target: Target, instance: str, reason: str) -> None:
        self.of.append("terminated")


async def no_environment(instance: str) -> Mapping[str, str]:
    return {}


def target(function: str = "f", environment: Callable[[str], Awaitable[Mapping[str, str]]] = no_environment) -> Target:
    return Target(f"{function}:1", function, SandboxSpec("python3.11", Path("/code")), "app.handler", 3.0, environment)


def start(path: StartPath = "interpreter", imports: tuple[Import, ...] = ()) -> Start:
    return Start(path, sandbox_ms=2.0, runtime_ms=1.0, restore_ms=0.5, init_ms=10.0, imports=imports)


def outcome(begun: Start | None, **other: Any) -> Outcome:
    given_: dict[str, Any] = {
        "payload": b"null",
        "failure": None,
        "instance": "i",
        "cold": True,
        "duration_ms": 5.0,
        "init_ms": 13.5,
        "queued_ms": 2.25,
        "peak_memory_bytes": 0,
    }
    return Outcome(**{**given_, **other}, start=begun)


@pytest.fixture
def book(clock: ManualClock) -> StartBook:
    return StartBook(Told(), clock)


def test_everything_is_handed_on(clock: ManualClock) -> None:
    told = Told()
    book = StartBook(told, clock)
    book.began(target(), "i", 9.0, restored=True)
    book.initialized(target(), "i", 2.5, None, restored=True)
    book.started(target(), "i", CALL)
    book.output(target(), "i", CALL, [])
    book.finished(target(), CALL, outcome(start()))
    book.finished(target(), CALL, outcome(None, cold=False))
    book.terminated(target(), "i", "idle")
    assert told.of[:2] == ["began at 9.0, restored=True", "initialized in 2.5, None, restored=True"]
    assert told.of[2:] == ["started", "output", "finished", "finished", "terminated"]


def test_a_start_is_accounted_for_step_by_step(book: StartBook) -> None:
    book.finished(target(), CALL, outcome(start()))
    (kept,) = book.of("f").recent
    assert (kept.path, kept.queue_ms, kept.sandbox_ms, kept.runtime_ms) == ("interpreter", 0.25, 2.0, 1.0)
    assert (kept.restore_ms, kept.init_ms, kept.handler_ms, kept.total_ms) == (0.5, 10.0, 5.0, 18.75)


def test_an_init_that_was_repeated_is_not_taken_for_the_handler(book: StartBook) -> None:
    book.finished(target(), CALL, outcome(start(), init_ms=None, duration_ms=20.0))
    (kept,) = book.of("f").recent
    assert (kept.handler_ms, kept.total_ms) == (8.5, 22.25)


def test_a_warm_call_is_no_start(book: StartBook) -> None:
    book.finished(target(), CALL, outcome(None, cold=False))
    assert (book.of("f").counts, book.counts) == ({}, {})


def test_an_instance_that_was_never_ready_is_counted_as_failed(book: StartBook) -> None:
    book.finished(target(), CALL, outcome(None, failure=Failure("init-raised")))
    assert (book.of("f").counts, len(book.of("f").recent)) == ({"failed": 1}, 0)


def test_old_starts_are_forgotten_but_still_counted(book: StartBook) -> None:
    for number in range(MOST_STARTS + 5):
        book.finished(target(), Call(str(number), b"{}", "arn"), outcome(start("packages")))
    assert [kept.request_id for kept in book.of("f").recent] == [str(n) for n in range(5, MOST_STARTS + 5)]
    assert book.of("f").counts == {"packages": MOST_STARTS + 5}


def test_functions_that_did_not_start_for_longest_are_forgotten(book: StartBook) -> None:
    for number in range(MOST_FUNCTIONS):
        book.finished(target(f"f{number}"), CALL, outcome(start()))
    book.finished(target("f0"), CALL, outcome(start()))
    book.finished(target("another"), CALL, outcome(start()))
    assert book.of("f0").counts == {"interpreter": 2}
    assert book.of("f1").counts == {}
    assert book.counts == {"interpreter": MOST_FUNCTIONS + 2}


def test_imports_are_those_of_the_latest_start_without_a_template(book: StartBook) -> None:
    many = tuple(Import(f"m{number}", "", number, number) for number in range(MOST_IMPORTS + 10))
    book.finished(target(), CALL, outcome(start("interpreter", many)))
    book.finished(target(), CALL, outcome(start("packages", (Import("own", "", 1, 1),))))
    kept = book.of("f").imports
    assert kept is not None
    assert (kept.modules, len(kept.heaviest)) == (MOST_IMPORTS + 10, MOST_IMPORTS)
    assert "own" not in [one.module for one in kept.heaviest]


def test_a_report_has_the_latest_starts_first_and_percentiles_by_path(book: StartBook, clock: ManualClock) -> None:
    for number in range(10):
        book.finished(target(), Call(str(number), b"{}", "arn"), outcome(start("packages"), duration_ms=float(number)))
    book.finished(target(), Call("last", b"{}", "arn"), outcome(start("function")))
    shown = report(book.of("f"), book.since, 2)
    assert [one["request_id"] for one in shown["starts"]] == ["last", "9"]
    assert shown["counts"] == {"packages": 10, "function": 1}
    assert shown["percentiles"]["packages"]["starts"] == 10
    assert shown["percentiles"]["packages"]["handler_ms"] == {"p50": 4.0, "p90": 8.0}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(values: list[float], per_cent: int) -> None:
    found = nearest_rank(values, per_cent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= per_cent * len(values)
    assert sum(value < found for value in values) * 100 < per_cent * len(values)
