"""`mayfly durable` against a running platform, and the timeline that it prints."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from mayfly.cli.durable import timeline_table
from mayfly.cli.durable_timeline import Line, Timeline, short, timeline, took
from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess
from tests.services.functions.durable.over_the_wire import begin, callback_of, eventually
from tests.services.functions.durable.test_python_sdk import functions

__all__ = ["functions"]  # a fixture

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(kind: str, at: int, identifier: str, parent: str | None = None, **details: Any) -> dict[str, Any]:
    shown = {"EventType": kind, "EventTimestamp": START + timedelta(seconds=at), "Id": identifier, "Name": identifier}
    return {**shown, **({"ParentId": parent} if parent else {}), f"{kind}Details": details}


def test_a_timeline_has_a_line_an_operation_below_what_it_is_part_of() -> None:
    again = {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}
    failed: dict[str, Any] = {"Error": {"Payload": {"ErrorMessage": "no"}}}
    found = timeline(
        [
            event("ExecutionStarted", 0, "e"),
            event("ContextStarted", 0, "all"),
            event("StepStarted", 1, "one", "all"),
            event("StepFailed", 2, "one", "all", **failed, RetryDetails=again),
            event("WaitStarted", 2, "rest", ScheduledEndTimestamp=START + timedelta(days=365)),
            event("InvocationCompleted", 2, "e"),
            event("StepStarted", 3, "one", "all"),
            event("StepSucceeded", 5, "one", "all", Result={"Payload": "7"}, RetryDetails={"CurrentAttempt": 2}),
            event("ContextFailed", 6, "all", **failed),
        ]
    )
    assert found.invocations == 1
    assert [(line.name, line.depth, line.kind, line.state, line.note) for line in found.lines] == [
        ("all", 0, "context", "failed", "no"),
        ("one", 1, "step", "succeeded", "7"),
        ("rest", 0, "wait", "running", "until 2027-01-01 00:00:00"),
    ]
    assert found.lines[1].attempts == 2
    assert found.lines[1].ended == START + timedelta(seconds=5)


def test_a_timeline_keeps_its_columns_on_a_narrow_terminal() -> None:
    note = '{"t":"m","v":{"item":{"t":"s","v":"a book"},"price":{"t":"i","v":"40"}}}'
    line = Line("step", "reserve the book", 0, START, START, "succeeded", 2, note)
    out = io.StringIO()
    Console(file=out, width=70).print(timeline_table(Timeline([line], 1), START))
    assert "step  succeeded  0 ms      2" in " ".join(out.getvalue().splitlines()[1:2])
    assert "…" in out.getvalue()


def test_durations_are_for_people() -> None:
    assert [took(seconds) for seconds in (0.0123, 5, 600, 36_000, 864_000)] == [
        "12 ms",
        "5.0 s",
        "10 min",
        "10.0 h",
        "10.0 d",
    ]
    assert short("a\n b" + "c" * 100, 10) == "a bcccccc…"


def test_executions_are_listed_shown_answered_paused_and_stopped(platform: PlatformProcess, functions: str) -> None:
    def said(*arguments: str) -> str:
        done = mayfly("durable", *arguments, data=platform.data)
        assert done.returncode == 0, done.stderr
        return done.stdout

    arn = begin(platform.client, functions, do="approval", timeout=100)
    callback = callback_of(platform.client, arn)
    name = arn.split("/")[2]
    listed = json.loads(said("ls", functions, "--json"))
    assert arn in [one["DurableExecutionArn"] for one in listed]
    assert name in said("ls", functions, "--status", "running")
    shown = said("show", f"{functions}/{name}")
    assert "RUNNING" in shown
    assert callback in shown
    said("pause", arn, "--reason", "lunch")
    said("answer", callback, "--result", '"yes"')
    said("resume", arn)
    eventually(platform.client, arn, "SUCCEEDED")
    assert "succeeded" in said("show", arn)
    said("rm", arn)
    waiting = begin(platform.client, functions, do="waiting", seconds=100)
    said("stop", waiting, "--reason", "enough")
    assert eventually(platform.client, waiting, "STOPPED")["Error"] == {"ErrorMessage": "enough"}
    wrong = mayfly("durable", "show", "nonsense", data=platform.data)
    assert (wrong.returncode, "neither an ARN nor FUNCTION/NAME" in wrong.stderr) == (2, True)
