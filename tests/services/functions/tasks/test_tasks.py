"""Tasks: states, order, shares, deadlines, stopping, running again, progress. Time is moved by hand."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from mayfly.engine.api import Failure, Outcome, ThrottledError
from mayfly.services.contract import ANONYMOUS, Principal, ServiceError
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.tasks import statements as sql
from mayfly.services.functions.tasks.dispatcher import AHEAD, LEASE_S
from mayfly.services.functions.tasks.errors import (
    NotItsFunctionError,
    TaskMissingError,
    TaskRefusedError,
    TaskStateError,
)
from mayfly.services.functions.tasks.lanes import PREFIX
from mayfly.services.functions.tasks.model import KEEP_S, KEEP_UNDONE_S, RESULT_BYTES, State
from mayfly.services.functions.tasks.submitting import Line
from mayfly.services.functions.tasks.views import Wanted
from mayfly.store.api import NewItem
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ACCOUNT, ARN, EVENTS_AT_ONCE, Stage, failed, ok

ERROR = failed(Failure("raised", b'{"errorMessage": "no", "errorType": "E"}'))
STOPPED = failed(Failure("stopped"))
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


def lines(*tasks: dict[str, Any]) -> list[bytes]:
    return [json.dumps(task).encode() for task in tasks]


async def submit(stage: Stage, *tasks: dict[str, Any], batch: str | None = None, function: str | None = "f") -> str:
    made = await stage.functions.tasks.submitting.submit(lines(*tasks), Line(function), batch)
    return made.batch


async def invoke(stage: Stage, headers: dict[str, str] | None = None, **params: Any) -> str:
    """One asynchronous invocation; the id of its task."""
    context = stage.context(headers)
    event = {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}", **params}
    await stage.wire.service.operations["Invoke"](context, event)
    return context.request_id


async def shown(stage: Stage, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = json.loads(msgspec.json.encode(await stage.functions.tasks.views.one(task_id)))
    return task


async def all_tasks(stage: Stage, **wanted: Any) -> list[dict[str, Any]]:
    page = await stage.functions.tasks.views.page(Wanted(**wanted), 1000, None)
    found: list[dict[str, Any]] = page["tasks"]
    return found


def hold(stage: Stage) -> asyncio.Event:
    """Let no call end before the event is set."""
    go_on = asyncio.Event()
    stage.engine.before = go_on.wait
    return go_on


def payloads(stage: Stage) -> list[Any]:
    return [json.loads(call.payload) for _, call in stage.engine.calls]


async def test_a_task_that_succeeded_says_so_with_its_result_and_where_it_logged(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ok(b'{"done": true}')
    task_id = await invoke(stage)
    await stage.drained()
    task = await shown(stage, task_id)
    assert (task["id"], task["state"], task["function"], task["version"]) == (task_id, "succeeded", "f", "$LATEST")
    assert task["result"] == {"done": True}
    assert task["logStream"].startswith("2023/11/14/[$LATEST]")
    assert task["acceptedAt"] == task["startedAt"] == task["endedAt"] == stage.clock.now()


async def test_a_result_that_is_too_large_is_not_kept(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ok(json.dumps("x" * RESULT_BYTES).encode())
    task_id = await invoke(stage)
    await stage.drained()
    assert "result" not in await shown(stage, task_id)


async def test_a_failed_task_has_a_history_of_its_attempts(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ERROR
    task_id = await invoke(stage)
    began = stage.clock.now()
    await stage.queue.seen("retry", 1)
    assert (await shown(stage, task_id))["state"] == "queued"
    stage.pass_time(60)
    await stage.queue.seen("retry", 2)
    stage.pass_time(120)
    await stage.drained()
    task = await shown(stage, task_id)
    assert (task["state"], task["reason"]) == ("failed", "RetriesExhausted")
    assert [each["startedAt"] - began for each in task["failedAttempts"]] == [0, 60, 180]
    assert '"errorMessage": "no"' in task["failedAttempts"][0]["error"]


async def test_a_task_that_runs_is_shown_as_running(stage: Stage) -> None:
    await stage.create()
    go_on = hold(stage)
    task_id = await invoke(stage)
    await stage.engine.arrived.wait()
    assert (await shown(stage, task_id))["state"] == "running"
    assert [task["id"] for task in await all_tasks(stage, state="running")] == [task_id]
    assert await all_tasks(stage, state="queued") == []
    assert (await stage.functions.tasks.views.counts(function="f"))["running"] == 1
    go_on.set()
    await stage.drained()
    assert (await stage.functions.tasks.views.counts(function="f"))["succeeded"] == 1


async def test_higher_priorities_go_first_and_equal_ones_in_order(stage: Stage) -> None:
    await stage.create()
    await submit(stage, *({"payload": [n, n % 3], "priority": n % 3} for n in range(90)))
    await stage.drained()
    assert payloads(stage) == sorted(([n, n % 3] for n in range(90)), key=lambda each: -each[1])


async def test_priority_comes_from_headers_and_from_the_client_context(stage: Stage) -> None:
    await stage.create()
    by_header = await invoke(stage, {"x-mayfly-priority": "7", "x-mayfly-tenant": "acme", "x-mayfly-deadline": "90"})
    context = "eyJtYXlmbHkiOiB7InByaW9yaXR5IjogLTEwMCwgInRlbmFudCI6ICJiIn19"  # {"mayfly": {"priority": -100, ...}}
    by_context = await invoke(stage, ClientContext=context)
    await stage.drained()
    task = await shown(stage, by_header)
    assert (task["priority"], task["tenant"], task["deadline"]) == (7, "acme", stage.clock.now() + 90)
    task = await shown(stage, by_context)
    assert (task["priority"], task["tenant"]) == (-100, "b")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-mayfly-priority", "101"),
        ("x-mayfly-priority", "high"),
        ("x-mayfly-deadline", "-1"),
        ("x-mayfly-deadline", "2026-01-01"),
        ("x-mayfly-tenant", "a\u00e9"),
        ("x-mayfly-tenant", "x" * 257),
    ],
)
async def test_options_that_cannot_be_are_refused(stage: Stage, header: str, value: str) -> None:
    await stage.create()
    with pytest.raises(ServiceError) as caught:
        await invoke(stage, {header: value})
    assert caught.value.code == "InvalidParameterValueException"


async def test_places_are_shared_between_tenants_whatever_each_has_waiting(stage: Stage) -> None:
    await stage.create()
    go_on = hold(stage)
    many, few = 4 * EVENTS_AT_ONCE, EVENTS_AT_ONCE // 2
    await submit(
        stage,
        *({"payload": "many", "tenant": "many"} for _ in range(many)),
        *({"payload": "few", "tenant": "few"} for _ in range(few)),
    )
    await stage.engine.busy(EVENTS_AT_ONCE)
    assert payloads(stage).count("few") == EVENTS_AT_ONCE // 2
    go_on.set()
    await stage.drained()


async def test_places_are_shared_by_weight(stage: Stage) -> None:
    await stage.create()
    await stage.functions.tasks.share("heavy", 3)
    go_on = hold(stage)
    tasks = [{"payload": name, "tenant": name} for name in ("heavy", "light") for _ in range(EVENTS_AT_ONCE)]
    await submit(stage, *tasks)
    await stage.engine.busy(EVENTS_AT_ONCE)
    assert payloads(stage).count("heavy") == EVENTS_AT_ONCE * 3 // 4
    go_on.set()
    await stage.drained()
    assert await stage.functions.tasks.shares() == {"heavy": 3.0}
    await stage.functions.tasks.share("heavy", 1)
    assert await stage.functions.tasks.shares() == {}


async def test_a_function_that_is_throttled_holds_up_no_other(stage: Stage) -> None:
    await stage.create("f")
    await stage.create("g")
    stage.engine.script = lambda target, call: ThrottledError("function", 1) if target.function.endswith(":f") else ok()
    await submit(stage, *({"payload": n} for n in range(300)))
    await submit(stage, {"payload": "g"}, function="g")
    await stage.queue.seen("complete", 1)
    tried = sum(target.function.endswith(":f") for target, _ in stage.engine.calls)
    assert tried <= EVENTS_AT_ONCE + AHEAD  # what was claimed at first, and not all that waits


async def test_a_task_that_did_not_begin_in_time_expires_without_a_call(stage: Stage) -> None:
    await stage.create()
    go_on = hold(stage)
    await submit(stage, *({"payload": n} for n in range(EVENTS_AT_ONCE)))
    await stage.engine.busy(EVENTS_AT_ONCE)
    await submit(stage, *({"payload": "late", "deadline": 30} for _ in range(AHEAD + 200)))
    stage.pass_time(31)
    await stage.queue.seen("bury", 200)
    expired = await all_tasks(stage, state="expired")
    assert expired[0]["reason"] == "DeadlineExceeded"
    go_on.set()
    await stage.drained()
    assert "late" not in payloads(stage)
    assert len(await all_tasks(stage, state="expired")) == AHEAD + 200


async def test_a_deadline_says_nothing_of_further_attempts(stage: Stage) -> None:
    await stage.create()
    answers: list[Outcome] = [ERROR, ok()]
    stage.engine.script = lambda target, call: answers.pop(0)
    task_id = await invoke(stage, {"x-mayfly-deadline": "30"})
    await stage.queue.seen("retry", 1)
    stage.pass_time(60)
    await stage.drained()
    assert (await shown(stage, task_id))["state"] == "succeeded"


async def test_an_event_that_grew_too_old_before_it_began_expired(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumEventAgeInSeconds=60)
    stage.engine.script = lambda target, call: ThrottledError("account", 1)
    task_id = await invoke(stage)
    await stage.queue.seen("retry", 1)
    stage.pass_time(61)
    await stage.drained()
    task = await shown(stage, task_id)
    assert (task["state"], task["reason"]) == ("expired", "EventAgeExceeded")


async def test_a_task_that_waits_is_cancelled(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ERROR
    task_id = await invoke(stage)
    await stage.queue.seen("retry", 1)  # it waits for its second attempt
    stopped = await stage.functions.tasks.stop(task_id)
    assert (stopped["state"], stopped["reason"]) == ("cancelled", "Cancelled")
    await stage.drained()
    with pytest.raises(TaskStateError, match="was cancelled"):
        await stage.functions.tasks.stop(task_id)


async def test_of_a_task_that_runs_the_call_is_ended(stage: Stage) -> None:
    await stage.create()
    go_on = hold(stage)
    stage.engine.on_stop = go_on.set
    stage.engine.script = lambda target, call: STOPPED
    task_id = await invoke(stage)
    await stage.engine.arrived.wait()
    stopped = await stage.functions.tasks.stop(task_id)
    assert stage.engine.stopped == [task_id]
    assert stopped["state"] == "cancelled"
    assert "The call was stopped" in stopped["failedAttempts"][0]["error"]


async def test_a_call_that_succeeds_all_the_same_has_succeeded(stage: Stage) -> None:
    await stage.create()
    go_on = hold(stage)
    stage.engine.on_stop = go_on.set
    task_id = await invoke(stage)
    await stage.engine.arrived.wait()
    assert (await stage.functions.tasks.stop(task_id))["state"] == "succeeded"


async def test_all_of_a_batch_are_stopped(stage: Stage) -> None:
    await stage.create()
    go_on = hold(stage)
    stage.engine.on_stop = go_on.set
    stage.engine.script = lambda target, call: STOPPED
    batch = await submit(stage, *({"payload": n} for n in range(500)))
    await stage.engine.busy(EVENTS_AT_ONCE)
    await stage.functions.tasks.stop_all(batch=batch)
    await stage.drained()
    counts = await stage.functions.tasks.views.counts(batch=batch)
    assert counts["cancelled"] == 500
    assert len(stage.engine.calls) <= EVENTS_AT_ONCE + AHEAD


async def test_a_failed_task_is_run_again_with_attempts_of_its_own(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1)
    answers: list[Outcome] = [ERROR, ERROR, ERROR, ok(b'"at last"')]
    stage.engine.script = lambda target, call: answers.pop(0)
    task_id = await invoke(stage, Payload=b'{"n": 1}')
    await stage.queue.seen("retry", 1)
    stage.pass_time(60)
    await stage.drained()
    assert (await shown(stage, task_id))["state"] == "failed"
    stage.pass_time(7 * 3600)  # older than any event may be
    again = await stage.functions.tasks.redrive(task_id)
    assert (again["id"], again["state"]) == (task_id, "queued")
    await stage.queue.seen("retry", 2)
    stage.pass_time(60)
    await stage.drained()
    task = await shown(stage, task_id)
    assert (task["state"], task["result"], len(task["failedAttempts"])) == ("succeeded", "at last", 3)
    assert payloads(stage) == [{"n": 1}] * 4
    with pytest.raises(TaskStateError, match="is not kept"):
        await stage.functions.tasks.redrive(task_id)


async def test_all_failed_tasks_of_a_function_are_run_again(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0)
    stage.engine.script = lambda target, call: ERROR
    await submit(stage, *({"payload": n} for n in range(450)))
    await stage.drained()
    stage.engine.script = lambda target, call: ok()
    assert await stage.functions.tasks.redrive_all("f", [State.FAILED]) == {"queued": 450}
    await stage.drained()
    counts = await stage.functions.tasks.views.counts(function="f")
    assert (counts["succeeded"], counts["failed"]) == (450, 0)


async def test_progress_is_the_word_of_the_function_that_runs_the_task(stage: Stage) -> None:
    await stage.create()
    go_on = hold(stage)
    task_id = await invoke(stage)
    await stage.engine.arrived.wait()
    desk = stage.functions.tasks
    itself = Principal("assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/runs/f", "AROA:f")
    other = Principal("assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/runs/g", "AROA:g")
    await desk.progress(task_id, b'{"done": 3, "total": 10, "message": "thumbnails"}', itself)
    assert (await shown(stage, task_id))["progress"] == {"done": 3, "total": 10, "message": "thumbnails"}
    for who in (other, ANONYMOUS):
        with pytest.raises(NotItsFunctionError):
            await desk.progress(task_id, b"{}", who)
    for body in (b"3", b'{"percent": 1}', b'{"message": "' + b"x" * 1024 + b'"}'):
        with pytest.raises(TaskRefusedError):
            await desk.progress(task_id, body, ROOT)
    go_on.set()
    await stage.drained()
    with pytest.raises(TaskStateError):
        await desk.progress(task_id, b"{}", itself)
    with pytest.raises(TaskMissingError):
        await desk.progress("nope", b"{}", ROOT)


async def test_a_batch_that_is_sent_again_is_not_accepted_twice(stage: Stage) -> None:
    await stage.create()
    batch = "01234567-89ab-4def-8123-456789abcdef"
    tasks = [{"payload": n} for n in range(1200)]
    submitting = stage.functions.tasks.submitting
    first = await submitting.submit(lines(*tasks[:700]), Line("f"), batch)
    again = await submitting.submit(lines(*tasks), Line("f"), batch)
    assert (first.accepted, first.before, again.accepted, again.before) == (700, 0, 500, 700)
    await stage.drained()
    assert sorted(payloads(stage)) == list(range(1200))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nonsense", "line 2: this is no task"),
        (b'{"function": "nope"}', "line 2: .*Function not found"),
        (b'{"priority": 200}', "line 2: .*from -100 to 100"),
        (b'{"colour": 1}', "line 2: this is no task"),
        (b'{"payload": "' + b"x" * 1024 * 1024 + b'"}', "line 2: the payload has more"),
    ],
)
async def test_a_batch_with_a_line_that_cannot_be_is_refused_as_a_whole(
    stage: Stage, line: bytes, message: str
) -> None:
    await stage.create()
    with pytest.raises(TaskRefusedError, match=message):
        await stage.functions.tasks.submitting.submit([b"{}", line], Line("f"), None)
    assert await all_tasks(stage) == []


async def test_lists_are_filtered_and_paged(stage: Stage) -> None:
    await stage.create("f")
    await stage.create("g")
    stage.engine.script = lambda target, call: ERROR if call.payload == b'"bad"' else ok()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0)
    batch = await submit(stage, *({"payload": "bad" if n % 2 else n, "tenant": f"t{n % 3}"} for n in range(30)))
    await submit(stage, {}, function="g")
    await stage.drained()
    assert len(await all_tasks(stage)) == 31
    assert len(await all_tasks(stage, function="f")) == 30
    assert len(await all_tasks(stage, state="failed")) == 15
    assert len(await all_tasks(stage, batch=batch, state="failed")) == 15
    assert len(await all_tasks(stage, tenant="t1", function="f", state="succeeded")) == 5
    assert await all_tasks(stage, since=stage.clock.now() + 1) == []
    views, seen, token = stage.functions.tasks.views, [], None
    while True:
        page = await views.page(Wanted(function="f"), 7, token)
        seen += [task["id"] for task in page["tasks"]]
        token = page.get("next")
        if token is None:
            break
    assert len(seen) == len(set(seen)) == 30
    with pytest.raises(TaskRefusedError):
        await views.page(Wanted(state="gone"), 7, None)


async def test_tasks_are_forgotten_a_day_after_success_and_two_weeks_after_failure(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0)
    good = await invoke(stage)
    await stage.drained()
    stage.engine.script = lambda target, call: ERROR
    bad = await invoke(stage)
    await stage.drained()
    sweeping = stage.functions.sweeping
    assert await sweeping.sweep() == 0
    stage.pass_time(KEEP_S + 1)
    assert await sweeping.sweep() == 1
    with pytest.raises(TaskMissingError):
        await shown(stage, good)
    assert (await shown(stage, bad))["state"] == "failed"
    stage.pass_time(KEEP_UNDONE_S)
    assert await sweeping.sweep() == 1
    assert await stage.dead() == []


async def test_the_oldest_go_first_when_there_are_too_many(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mayfly.services.functions.tasks.sweeping.KEEP_MOST", 20)
    await stage.create()
    await submit(stage, *({"payload": n} for n in range(50)))
    await stage.drained()
    assert await stage.functions.sweeping.sweep() == 30
    left = await stage.store.read(lambda reader: reader.one(sql.HOW_MANY))
    assert left == (20,)


async def test_lanes_are_taken_up_again_after_a_restart(open_stage: OpenStage) -> None:
    before = await open_stage()
    await before.create()
    hold(before)
    batch = await submit(before, *({"payload": n, "tenant": str(n % 5)} for n in range(400)))
    await before.engine.busy(EVENTS_AT_ONCE)
    await before.stop(grace_s=0)
    after = await open_stage()
    after.pass_time(LEASE_S)
    await after.drained()
    assert sorted(payloads(after)) == list(range(400))
    assert (await after.functions.tasks.views.counts(batch=batch))["succeeded"] == 400


async def test_events_of_before_there_were_tasks_are_delivered_and_counted(open_stage: OpenStage) -> None:
    before = await open_stage()
    await before.create()
    await before.stop(grace_s=0)
    event = AsyncEvent("an-id", "f", f"{ARN}f", b'"old"', before.clock.now(), failures=1)
    items = [NewItem(PREFIX, msgspec.msgpack.encode(event))]
    await before.store.write(lambda tx: before.queue.enqueue(tx, items))
    after = await open_stage()
    after.engine.script = lambda target, call: ERROR
    await after.queue.seen("retry", 1)
    after.pass_time(120)
    await after.queue.seen("bury", 1)
    assert payloads(after) == ["old", "old"]
    assert (await shown(after, "an-id"))["state"] == "failed"
