"""Asynchronous invocation: retries, age, throttles, destinations, restarts. Time is moved by hand."""

import asyncio
import json
from typing import Any

import pytest

from mayfly.engine.api import EngineClosedError, Failure, Outcome, ThrottledError
from mayfly.services.contract import ServiceError
from mayfly.services.functions import repository
from mayfly.services.functions.asynchronous import default_concurrency
from mayfly.services.functions.tasks.dispatcher import EXTEND_EVERY_S, LEASE_S
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, EVENTS_AT_ONCE, Stage, failed, ok

ERROR = failed(Failure("raised", b'{"errorMessage": "no", "errorType": "E"}'))


async def send(stage: Stage, name: str = "f", payload: bytes = b'{"n": 1}') -> None:
    reply = await stage.call("Invoke", FunctionName=name, InvocationType="Event", Payload=payload)
    assert reply == {"StatusCode": 202}


async def test_an_event_is_delivered_once(stage: Stage) -> None:
    await stage.create()
    await send(stage)
    await stage.drained()
    [(_, call)] = stage.engine.calls
    assert (call.payload, call.arn) == (b'{"n": 1}', f"{ARN}f")
    assert stage.records.usage[0].source == "event"


async def test_a_failing_event_is_tried_after_one_minute_and_after_two_more(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ERROR
    await send(stage)
    await stage.queue.seen("retry", 1)
    stage.pass_time(59)
    assert len(stage.engine.calls) == 1
    stage.pass_time(1)
    await stage.queue.seen("retry", 2)
    stage.pass_time(120)
    await stage.drained()
    assert len(stage.engine.calls) == 3
    assert len({call.request_id for _, call in stage.engine.calls}) == 1
    [dead] = await stage.dead()
    assert dead.reason == "RetriesExhausted"


async def test_how_old_an_event_is_when_it_is_tried_is_measured_each_time(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ERROR if len(stage.engine.calls) == 1 else ok()
    await send(stage)
    await stage.queue.seen("retry", 1)
    for where in ((), (("FunctionName", "f"),)):
        assert stage.counts.totals["AsyncEventAge", where] == 0
    stage.pass_time(60)
    await stage.drained()
    for where in ((), (("FunctionName", "f"),)):
        assert stage.counts.totals["AsyncEventAge", where] == 60_000
    assert stage.counts.units["AsyncEventAge"] == "Milliseconds"


async def test_what_failed_goes_to_the_function_that_was_named_for_it(stage: Stage) -> None:
    await stage.create("f")
    await stage.create("sink")
    await stage.call(
        "PutFunctionEventInvokeConfig",
        FunctionName="f",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"{ARN}sink"}},
    )
    stage.engine.script = lambda target, call: ERROR if target.function.endswith(":f") else ok()
    await send(stage)
    await stage.drained()
    (_, first), (target, second) = stage.engine.calls
    assert target.function == f"{ARN}sink"
    assert json.loads(second.payload) == {
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "requestContext": {
            "requestId": first.request_id,
            "functionArn": f"{ARN}f:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "no", "errorType": "E"},
    }


async def test_what_succeeded_goes_to_the_function_that_was_named_for_it(stage: Stage) -> None:
    await stage.create("f")
    await stage.create("sink")
    await stage.call(
        "PutFunctionEventInvokeConfig",
        FunctionName="f",
        DestinationConfig={"OnSuccess": {"Destination": f"{ARN}sink"}},
    )
    stage.engine.script = lambda target, call: ok(b'"done"')
    await send(stage)
    await stage.drained()
    record = json.loads(stage.engine.calls[1][1].payload)
    assert record["requestContext"]["condition"] == "Success"
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"] == "done"


async def test_an_event_that_would_grow_too_old_is_given_up(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumEventAgeInSeconds=60)
    stage.engine.script = lambda target, call: ERROR
    await send(stage)
    await stage.queue.seen("retry", 1)
    stage.pass_time(61)
    await stage.drained()
    assert [item.reason for item in await stage.dead()] == ["EventAgeExceeded"]
    assert len(stage.engine.calls) == 1


async def test_throttles_are_not_failures_and_wait_longer_each_time(stage: Stage) -> None:
    await stage.create()
    answers: list[Outcome | BaseException] = [ThrottledError("account", 1), ThrottledError("account", 1), ok()]
    stage.engine.script = lambda target, call: answers.pop(0)
    await send(stage)
    for throttles, most_s in ((1, 1), (2, 2)):
        await stage.queue.seen("retry", throttles)
        stage.pass_time(most_s)
    await stage.drained()
    assert answers == []
    assert await stage.dead() == []


async def test_an_event_for_a_function_without_concurrency_is_given_up_at_once(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    await send(stage)
    await stage.drained()
    assert [item.reason for item in await stage.dead()] == ["ZeroReservedConcurrency"]
    assert stage.engine.calls == []


async def test_an_event_for_a_function_that_is_not_there_is_refused(stage: Stage) -> None:
    await stage.create()
    with pytest.raises(ServiceError) as caught:
        await stage.store.write(lambda tx: stage.functions.event_targets.accept(tx, f"{ARN}gone", b"{}"))
    assert caught.value.code == "ResourceNotFoundException"


async def test_an_event_for_a_function_that_is_gone_is_kept_among_the_dead(stage: Stage) -> None:
    await stage.create()

    def accept_and_delete(tx: Any) -> None:
        stage.functions.event_targets.accept(tx, f"{ARN}f", b"{}")
        repository.delete(tx, "f")
        stage.functions.catalog.deleted(tx, "f")

    await stage.store.write(accept_and_delete)
    await stage.drained()
    assert [item.reason for item in await stage.dead()] == [f"Function not found: {ARN}f:$LATEST"]


async def test_the_lease_of_a_long_call_is_extended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mayfly.services.functions.tasks.dispatcher.GIVE_BACK_S", 0.005)
    await stage.create()
    go_on = asyncio.Event()
    stage.engine.before = go_on.wait
    await send(stage)
    await stage.engine.arrived.wait()
    for _ in range(5):
        extended = stage.queue.happened("extend")
        stage.pass_time(EXTEND_EVERY_S)
        await stage.queue.seen("extend", extended + 1)
    go_on.set()
    await stage.drained()
    assert len(stage.engine.calls) == 1


async def test_an_event_under_way_at_a_restart_is_delivered_again(open_stage: OpenStage) -> None:
    before = await open_stage()
    await before.create()
    before.engine.before = asyncio.Event().wait
    await send(before)
    await before.engine.arrived.wait()
    await before.stop(grace_s=0)
    after = await open_stage()
    after.pass_time(LEASE_S)
    await after.drained()
    [(_, call)] = after.engine.calls
    assert call.request_id == before.engine.calls[0][1].request_id


async def test_a_service_that_stops_sees_events_under_way_to_their_end_and_starts_no_more(
    open_stage: OpenStage,
) -> None:
    before = await open_stage()
    await before.create()
    go_on = asyncio.Event()
    before.engine.before = go_on.wait
    await send(before)
    await before.engine.arrived.wait()
    await before.wire.stop()
    stopping = asyncio.create_task(before.functions.stop(grace_s=20))
    await asyncio.sleep(0)  # by then it claims nothing more
    await send(before, payload=b'"later"')
    go_on.set()
    await stopping
    assert [call.payload for _, call in before.engine.calls] == [b'{"n": 1}']
    after = await open_stage()
    await after.drained()
    assert [call.payload for _, call in after.engine.calls] == [b'"later"']


async def test_an_engine_that_closes_does_not_cost_the_event(stage: Stage) -> None:
    await stage.create()
    answers: list[Outcome | BaseException] = [EngineClosedError("closing"), ok()]
    stage.engine.script = lambda target, call: answers.pop(0)
    await send(stage)
    await stage.queue.seen("retry", 1)
    stage.pass_time(1)
    await stage.drained()
    assert await stage.dead() == []


async def test_an_event_is_part_of_the_transaction_that_made_it(stage: Stage) -> None:
    await stage.create()

    def body(tx: Any) -> None:
        stage.functions.event_targets.accept(tx, f"{ARN}f", b"{}")
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await stage.store.write(body)
    await stage.store.write(lambda tx: stage.functions.event_targets.accept(tx, f"{ARN}f", b'{"kept": true}'))
    await stage.drained()
    assert [call.payload for _, call in stage.engine.calls] == [b'{"kept": true}']


async def test_an_event_waits_for_a_role_that_comes_back(stage: Stage) -> None:
    await stage.create()
    known, stage.roles.known = stage.roles.known, set()
    await send(stage)
    await stage.queue.seen("retry", 1)
    stage.roles.known = known
    stage.pass_time(1)
    await stage.drained()
    assert await stage.dead() == []
    assert len(stage.records.usage) == 1


async def test_so_many_events_run_side_by_side_and_no_more(stage: Stage) -> None:
    await stage.create()
    running = most = 0
    full, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == EVENTS_AT_ONCE:
            full.set()
        await go_on.wait()
        running -= 1

    stage.engine.before = work
    for _ in range(3 * EVENTS_AT_ONCE):
        await send(stage)
    await full.wait()
    go_on.set()
    await stage.drained()
    assert most == EVENTS_AT_ONCE
    assert len(stage.engine.calls) == 3 * EVENTS_AT_ONCE


@pytest.mark.parametrize(("cpus", "events"), [(1, 16), (4, 16), (16, 64)])
def test_larger_machines_run_more_events_at_once(cpus: int, events: int) -> None:
    assert default_concurrency(cpus) == events
