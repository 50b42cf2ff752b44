"""The trace that a call is part of: as it came, or decided here, and what is told of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.services.functions import recursion
from mayfly.services.functions.tracing import Trace, Traces, parse, undecided
from mayfly.services.ports import TargetOptions
from tests.services.functions.stage import ARN, ROLE, Stage

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
ACTIVE = {"Mode": "Active"}
UNSAMPLED = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0"


def traces(clock: ManualClock, *draws: float) -> Traces:
    left: Iterator[float] = iter(draws)
    return Traces(clock, lambda: next(left))


hexadecimal = st.text("0123456789abcdef", min_size=24, max_size=24)


@given(
    st.builds(
        Trace,
        hexadecimal.map(lambda digits: f"1-00000000-{digits}"),
        hexadecimal.map(lambda digits: digits[:16]),
        st.sampled_from([None, True, False]),
        st.sampled_from([(), ("Lineage=a:1|b:2",)]),
    )
)
def test_a_header_is_read_as_it_is_written(trace: Trace) -> None:
    assert parse(trace.text) == trace


@given(st.text())
def test_anything_may_come_in_a_header(header: str) -> None:
    found = parse(header)
    assert found is None or found.root in header


@pytest.mark.parametrize("header", ["", "Root=1-2-3", f"Parent={PARENT};Sampled=1", f"Root={ROOT.upper()}", "x" * 9000])
def test_a_header_without_a_root_names_no_trace(header: str, clock: ManualClock) -> None:
    assert parse(header) is None
    assert re.fullmatch(UNSAMPLED, traces(clock).of(header, "f", active=False))


@pytest.mark.parametrize("rest", ["", ";Sampled=1", f";Parent={PARENT};Sampled=0;Lineage=a:1"])
def test_what_came_is_passed_through_as_it_is(rest: str, clock: ManualClock) -> None:
    header = f"Root={ROOT}{rest}"
    assert traces(clock).of(header, "f", active=False) == header


def test_a_decision_that_came_stands(clock: ManualClock) -> None:
    sampled = parse(traces(clock).of(f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=a:1", "f", active=True))
    assert sampled is not None
    assert (sampled.root, sampled.sampled, sampled.rest) == (ROOT, True, ("Lineage=a:1",))
    assert sampled.parent != PARENT, "the function is a segment of its own"
    unsampled = f"Root={ROOT};Parent={PARENT};Sampled=0"
    assert traces(clock).of(unsampled, "f", active=True) == unsampled


def test_where_nobody_has_decided_a_call_a_second_is_sampled_and_a_share_of_the_others(clock: ManualClock) -> None:
    deciding = traces(clock, 0.9, 0.9, 0.04, 0.9, 0.9)
    decided = [parse(deciding.of(header, "f", active=True)) for header in (None, f"Root={ROOT}", None)]
    assert [trace and trace.sampled for trace in decided] == [True, False, True]
    assert decided[1] is not None
    assert decided[1].root == ROOT
    assert undecided(deciding.of(None, "g", active=True)) is False
    clock.advance(1)
    assert "Sampled=1" in deciding.of(None, "f", active=True)


async def test_tracing_is_shown_and_changes(stage: Stage) -> None:
    assert (await stage.create(TracingConfig=ACTIVE))["TracingConfig"] == ACTIVE
    kept = await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=4)
    assert kept["TracingConfig"] == ACTIVE
    off = await stage.call("UpdateFunctionConfiguration", FunctionName="f", TracingConfig={"Mode": "PassThrough"})
    assert off["TracingConfig"] == {"Mode": "PassThrough"}


async def seen(stage: Stage, header: str | None = None, **params: Any) -> tuple[str, str]:
    """The trace that a call had, and the one that its caller was told."""
    headers = {"x-amzn-trace-id": header} if header else {}
    reply = await stage.call("Invoke", headers, **{"FunctionName": "f", "Payload": b"{}", **params})
    if params.get("InvocationType") == "Event":
        await stage.drained()
    told = dict(reply.headers)["x-amzn-trace-id"]
    return stage.engine.calls[-1][1].trace_id or "", told


async def test_the_caller_is_told_the_trace_of_the_call(stage: Stage) -> None:
    await stage.create()
    had, told = await seen(stage)
    assert had == told
    assert re.fullmatch(rf"{UNSAMPLED};Lineage=[0-9a-f]{{8}}:1", told)
    header = f"Root={ROOT};Parent={PARENT};Sampled=1"
    entered = recursion.entered(header, f"{ARN}f")
    assert await seen(stage, header) == (entered, entered)


async def test_the_last_line_of_a_traced_call_names_its_segment(stage: Stage) -> None:
    await stage.create(TracingConfig=ACTIVE)
    had, _ = await seen(stage)
    trace = parse(had)
    assert trace is not None
    expected = f"XRAY TraceId: {trace.root}\tSegmentId: {trace.parent}\tSampled: true\t\n"
    assert stage.records.lines[-1].split("\n", 1)[1] == expected
    await seen(stage, f"Root={ROOT};Parent={PARENT};Sampled=0")
    assert "XRAY" not in stage.records.lines[-1]


async def test_a_function_that_passes_through_reports_no_segment(stage: Stage) -> None:
    await stage.create()
    await seen(stage, f"Root={ROOT};Parent={PARENT};Sampled=1")
    assert "XRAY" not in stage.records.lines[-1]


async def test_records_in_json_carry_the_trace(stage: Stage) -> None:
    await stage.create(TracingConfig=ACTIVE, LoggingConfig={"LogFormat": "JSON"})
    had, _ = await seen(stage)
    trace = parse(had)
    assert trace is not None
    start, report = (json.loads(line)["record"] for line in stage.records.lines[1:])
    expected = {"spanId": trace.parent, "type": "X-Amzn-Trace-Id", "value": had}
    assert start["tracing"] == report["tracing"] == expected


async def test_an_event_is_part_of_the_trace_that_its_sender_was_told(stage: Stage) -> None:
    await stage.create(TracingConfig=ACTIVE)
    had, told = await seen(stage, InvocationType="Event")
    first, second = parse(had), parse(told)
    assert first is not None
    assert second is not None
    assert (first.root, first.sampled) == (second.root, second.sampled)


async def test_other_services_hand_the_trace_of_their_events_on(stage: Stage) -> None:
    await stage.create()
    header = f"Root={ROOT};Parent={PARENT};Sampled=1"
    targets = stage.functions.event_targets
    await stage.store.write(lambda tx: targets.accept(tx, f"{ARN}f", b"{}", TargetOptions(trace_header=header)))
    await stage.drained()
    assert stage.engine.calls[-1][1].trace_id == recursion.entered(header, f"{ARN}f")


async def test_there_is_no_address_of_a_daemon_and_its_absence_is_no_error(stage: Stage) -> None:
    await stage.create(Role=ROLE)
    await seen(stage)
    variables = await stage.engine.calls[-1][0].environment("i-2")
    assert variables["AWS_XRAY_CONTEXT_MISSING"] == "LOG_ERROR"
    assert "AWS_XRAY_DAEMON_ADDRESS" not in variables
