"""Executions from their start to their end and beyond: names, waits, callbacks, time limits, pauses, lists."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mayfly.engine.api import EngineClosedError, Failure, ThrottledError
from mayfly.services.contract import ServiceError
from mayfly.services.functions.durable.executions import QUEUE
from mayfly.services.functions.recursion import MOST
from tests.services.functions.conftest import OpenStage
from tests.services.functions.mappings.staging import MappingStage
from tests.services.functions.stage import ACCOUNT, REGION, Stage, failed, ok

from .conftest import FUNCTION, PENDING, Invoked, Player, callback, finish, invoke, step, succeeded, wait

CRASH = failed(Failure("raised", b'{"errorMessage": "crash", "errorType": "RuntimeError", "stackTrace": ["here"]}'))


async def waits(invoked: Invoked) -> dict[str, Any]:
    """A function that waits for a minute."""
    await invoked.checkpoint(wait(60))
    return PENDING


# Starts.


async def test_a_name_stands_for_one_execution_with_one_input(player: Player, stage: Stage) -> None:
    player.scripts = [waits]
    arn = await player.begin(b'{"a": 1}', DurableExecutionName="once")
    assert await player.begin(b'{"a": 1}', DurableExecutionName="once") == arn
    other = {"FunctionName": "f:$LATEST", "InvocationType": "Event", "Payload": b"{}", "DurableExecutionName": "once"}
    error = await stage.refusal("Invoke", **other)
    assert (error.code, error.status) == ("DurableExecutionAlreadyStartedException", 409)
    assert error.message == f"Execution already started: {arn}"
    await player.happens(arn, "InvocationCompleted")
    assert len(player.invoked) == 1


async def test_who_waits_gets_the_result_and_who_asks_again_gets_it_too(player: Player, stage: Stage) -> None:
    player.scripts = [finish]
    params = {"FunctionName": "f:$LATEST", "Payload": b"{}", "DurableExecutionName": "sync"}
    reply = await stage.call("Invoke", **params)
    assert (reply["StatusCode"], reply["Payload"], reply["ExecutedVersion"]) == (200, b'"done"', "$LATEST")
    again = await stage.call("Invoke", **params)
    assert (again["Payload"], again["DurableExecutionArn"]) == (b'"done"', reply["DurableExecutionArn"])
    assert len(player.invoked) == 1


async def test_who_waits_hears_of_a_failure_as_of_a_function_error(player: Player, stage: Stage) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        return {"Status": "FAILED", "Error": {"ErrorMessage": "bad", "ErrorType": "MyError", "StackTrace": ["at x"]}}

    player.scripts = [script]
    reply = await stage.call("Invoke", FunctionName="f:$LATEST", Payload=b"{}")
    assert reply["FunctionError"] == "Unhandled"
    assert json.loads(reply["Payload"]) == {"errorMessage": "bad", "errorType": "MyError", "stackTrace": ["at x"]}


async def test_who_waits_may_have_the_tail_of_the_last_invocation(player: Player, stage: Stage) -> None:
    async def first(invoked: Invoked) -> dict[str, Any]:
        stage.engine.printed = ["the first"]
        await invoked.checkpoint(wait(60))
        return PENDING

    async def last(invoked: Invoked) -> dict[str, Any]:
        stage.engine.printed = ["the last"]
        return succeeded("done")

    player.scripts = [first, last, finish]
    params = {"FunctionName": "f:$LATEST", "Payload": b"{}", "LogType": "Tail"}
    waiting = asyncio.create_task(stage.call("Invoke", **params))
    await stage.engine.arrived.wait()
    await player.happens(player.invoked[0].arn, "InvocationCompleted")
    stage.pass_time(60)
    reply = await waiting
    lines = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert (reply["Payload"], lines[1]) == (b'"done"', "the last")
    assert lines[0] == f"START RequestId: {stage.engine.calls[1][1].request_id} Version: $LATEST"
    assert "LogResult" not in await stage.call("Invoke", **params | {"LogType": "None", "DurableExecutionName": "no"})


async def test_a_tail_is_whole_where_the_execution_ended_before_its_function_returned(
    player: Player, stage: Stage
) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        stage.engine.printed = ["all of it"]
        root = invoked.event["InitialExecutionState"]["Operations"][0]["Id"]
        await invoked.checkpoint({"Id": root, "Type": "EXECUTION", "Action": "SUCCEED", "Payload": '"large"'})
        await stage.store.write(lambda tx: None)  # who waits has heard of it
        return succeeded("ignored")

    player.scripts = [script]
    reply = await stage.call("Invoke", FunctionName="f:$LATEST", Payload=b"{}", LogType="Tail")
    assert reply["Payload"] == b'"large"'
    assert "all of it" in base64.b64decode(reply["LogResult"]).decode()


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
async def test_a_durable_function_is_called_by_a_qualified_name(player: Player, stage: Stage, kind: str) -> None:
    error = await stage.refusal("Invoke", FunctionName="f", InvocationType=kind, Payload=b"{}")
    assert error.code == "InvalidParameterValueException"
    assert error.message == "You cannot invoke a durable function using an unqualified ARN."
    assert await stage.call("Invoke", FunctionName="f:$LATEST", InvocationType="DryRun") == {"StatusCode": 204}


async def test_nobody_waits_longer_than_a_quarter_of_an_hour(stage: Stage) -> None:
    await stage.create("long", DurableConfig={"ExecutionTimeout": 901})
    error = await stage.refusal("Invoke", FunctionName="long:$LATEST", Payload=b"{}")
    assert error.message == (
        "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
    )


async def test_a_name_is_for_durable_functions(stage: Stage) -> None:
    await stage.create("plain")
    for kind in ("RequestResponse", "Event"):
        error = await stage.refusal(
            "Invoke", FunctionName="plain", InvocationType=kind, DurableExecutionName="n", Payload=b"{}"
        )
        assert error.code == "InvalidParameterValueException"


async def test_an_execution_goes_on_with_the_version_that_it_began_with(player: Player, stage: Stage) -> None:
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    player.scripts = [waits, finish]
    arn = await player.begin(Qualifier="live")
    assert ":function:f:1/durable-execution/" in arn
    await player.happens(arn, "InvocationCompleted")
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Description="another")
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    stage.pass_time(60)
    found = await player.become(arn, "SUCCEEDED")
    assert (found["Version"], found["FunctionArn"]) == ("1", f"{FUNCTION}:live")
    assert {target.version for target, _ in stage.engine.calls} == {"1"}  # type: ignore[attr-defined]


async def test_events_of_other_services_start_executions(player: Player, stage: Stage) -> None:
    player.scripts = [finish]
    await stage.store.write(lambda tx: stage.functions.event_targets.accept(tx, f"{FUNCTION}:$LATEST", b'{"e": 1}'))
    await stage.drained()
    listed = await stage.call("ListDurableExecutionsByFunction", FunctionName="f")
    [execution] = listed["DurableExecutions"]
    await player.become(execution["DurableExecutionArn"], "SUCCEEDED")
    with pytest.raises(ServiceError, match="unqualified ARN"):
        await stage.store.write(lambda tx: stage.functions.event_targets.accept(tx, FUNCTION, b"{}"))


# Time.


async def test_a_wait_ends_when_its_time_has_come(player: Player, stage: Stage) -> None:
    async def second(invoked: Invoked) -> dict[str, Any]:
        assert invoked.operations["w1"]["Status"] == "SUCCEEDED"
        assert invoked.event["UpdatedOperationIds"] == ["w1"]
        return succeeded("rested")

    player.scripts = [waits, second]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(59)
    await stage.queue.empty(QUEUE)
    assert len(player.invoked) == 1
    stage.pass_time(1)
    await player.become(arn, "SUCCEEDED")
    events = await player.history(arn)
    assert [each["EventType"] for each in events] == [
        "ExecutionStarted",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    assert [each["EventId"] for each in events] == [1, 2, 3, 4, 5, 6]
    start = datetime.fromtimestamp(1_700_000_000.0, UTC)
    assert events[1]["WaitStartedDetails"] == {"Duration": 60, "ScheduledEndTimestamp": start + timedelta(seconds=60)}
    assert events[3]["EventTimestamp"] == start + timedelta(seconds=60)


async def test_a_wait_that_ends_while_the_function_runs_is_told_by_its_next_checkpoint(
    player: Player, stage: Stage
) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(wait(1))
        stage.clock.advance(1)
        reply = await invoked.checkpoint()
        assert [each["Status"] for each in reply["NewExecutionState"]["Operations"]] == ["SUCCEEDED"]
        return succeeded("ok")

    player.scripts = [script]
    await player.become(await player.begin(), "SUCCEEDED")


async def test_a_wait_that_ends_before_the_function_says_that_it_waits_has_it_invoked_again(
    player: Player, stage: Stage
) -> None:
    async def first(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(wait(1))
        stage.pass_time(1)
        await player.happens(invoked.arn, "WaitSucceeded")
        return PENDING

    player.scripts = [first, finish]
    arn = await player.begin()
    await player.become(arn, "SUCCEEDED")
    assert player.invoked[1].event["UpdatedOperationIds"] == ["w1"]


async def test_a_wait_can_be_cancelled(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(wait(60))
        reply = await invoked.checkpoint({"Id": "w1", "Type": "WAIT", "Action": "CANCEL"})
        assert reply["NewExecutionState"]["Operations"][0]["Status"] == "CANCELLED"
        return succeeded("ok")

    player.scripts = [script]
    arn = await player.begin()
    await player.become(arn, "SUCCEEDED")
    assert "WaitCancelled" in [each["EventType"] for each in await player.history(arn)]


async def test_a_step_is_tried_again_after_its_delay(player: Player, stage: Stage) -> None:
    async def first(invoked: Invoked) -> dict[str, Any]:
        retry = step("RETRY", Error={"ErrorMessage": "no"}, StepOptions={"NextAttemptDelaySeconds": 3})
        reply = await invoked.checkpoint(step("START"), retry)
        [operation] = reply["NewExecutionState"]["Operations"]
        assert operation["Status"] == "PENDING"
        assert operation["StepDetails"]["Attempt"] == 1
        assert operation["StepDetails"]["NextAttemptTimestamp"].timestamp() == stage.clock.now() + 3
        return PENDING

    async def second(invoked: Invoked) -> dict[str, Any]:
        assert invoked.operations["s1"]["Status"] == "READY"
        assert "NextAttemptTimestamp" not in invoked.operations["s1"]["StepDetails"]
        await invoked.checkpoint(step("START"), step("SUCCEED", Payload="1"))
        return succeeded("ok")

    player.scripts = [first, second]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(3)
    await player.become(arn, "SUCCEEDED")
    retried = [each for each in await player.history(arn) if each["EventType"] in ("StepFailed", "StepSucceeded")]
    assert retried[0]["StepFailedDetails"]["RetryDetails"] == {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 3}
    assert retried[0]["StepFailedDetails"]["Error"] == {"Payload": {"ErrorMessage": "no"}, "Truncated": False}
    assert retried[1]["StepSucceededDetails"]["RetryDetails"] == {"CurrentAttempt": 2}


async def test_an_execution_ends_when_its_time_is_up(player: Player, stage: Stage) -> None:
    player.scripts = [waits]
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", DurableConfig={"ExecutionTimeout": 30})
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(30)
    found = await player.become(arn, "TIMED_OUT")
    assert found["Error"] == {"ErrorMessage": "Execution timed out after 30 seconds."}
    assert found["DurableConfig"] == {"ExecutionTimeout": 30, "RetentionPeriodInDays": 1}
    stage.pass_time(60)
    await stage.queue.empty(QUEUE)
    assert len(player.invoked) == 1


async def test_what_has_ended_is_kept_for_its_retention_and_then_gone(player: Player, stage: Stage) -> None:
    player.scripts = [finish, finish]
    arn = await player.begin(DurableExecutionName="kept")
    await player.become(arn, "SUCCEEDED")
    stage.pass_time(86_399)
    await player.become(arn, "SUCCEEDED")
    stage.pass_time(1)
    await gone(stage, arn)
    assert await player.begin(DurableExecutionName="kept") != arn


async def gone(stage: Stage, arn: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await stage.call("GetDurableExecution", DurableExecutionArn=arn)
            except ServiceError as error:
                refused = error
                break
            await asyncio.sleep(0)
    assert (refused.code, refused.message) == ("ResourceNotFoundException", "Durable Execution does not exist")
    async with asyncio.timeout(60):
        while True:
            if not any([await rows(stage, table) for table in ("executions", "payloads", "operations", "events")]):
                return
            await asyncio.sleep(0)


async def rows(stage: Stage, table: str) -> int:
    found = await stage.store.read(lambda reader: reader.one(f"SELECT count(*) FROM durable_{table}"))
    assert found is not None
    return int(found[0])


# Callbacks.


async def test_a_callback_waits_for_a_word_from_outside(player: Player, stage: Stage) -> None:
    found: list[str] = []

    async def first(invoked: Invoked) -> dict[str, Any]:
        reply = await invoked.checkpoint(callback(TimeoutSeconds=300, HeartbeatTimeoutSeconds=120))
        found.append(reply["NewExecutionState"]["Operations"][0]["CallbackDetails"]["CallbackId"])
        return PENDING

    async def second(invoked: Invoked) -> dict[str, Any]:
        assert invoked.operations["c1"]["CallbackDetails"] == {"CallbackId": found[0], "Result": '{"yes": 1}'}
        return succeeded("ok")

    player.scripts = [first, second]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(100)
    assert await stage.call("SendDurableExecutionCallbackHeartbeat", CallbackId=found[0]) == {}
    stage.pass_time(100)
    await stage.call("SendDurableExecutionCallbackSuccess", CallbackId=found[0], Result=b'{"yes": 1}')
    await player.become(arn, "SUCCEEDED")
    error = await stage.refusal("SendDurableExecutionCallbackFailure", CallbackId=found[0])
    assert error.code == "CallbackTimeoutException"
    assert error.message == "The callback is either timed out or already completed"
    events = await player.history(arn)
    assert events[1]["CallbackStartedDetails"] == {"CallbackId": found[0], "HeartbeatTimeout": 120, "Timeout": 300}
    assert events[3]["CallbackSucceededDetails"]["Result"] == {"Payload": '{"yes": 1}', "Truncated": False}


@pytest.mark.parametrize(
    ("options", "seconds", "error"),
    [
        ({"TimeoutSeconds": 30, "HeartbeatTimeoutSeconds": 0}, 30, "Callback.Timeout"),
        ({"HeartbeatTimeoutSeconds": 20}, 20, "Callback.Heartbeat"),
        ({"TimeoutSeconds": 30, "HeartbeatTimeoutSeconds": 20}, 20, "Callback.Heartbeat"),
    ],
)
async def test_a_callback_times_out(
    player: Player, stage: Stage, options: dict[str, int], seconds: int, error: str
) -> None:
    async def first(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(callback(**options))
        return PENDING

    async def second(invoked: Invoked) -> dict[str, Any]:
        assert invoked.operations["c1"]["Status"] == "TIMED_OUT"
        assert invoked.operations["c1"]["CallbackDetails"]["Error"]["ErrorType"] == error
        return succeeded("ok")

    player.scripts = [first, second]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(seconds)
    assert (await player.become(arn, "SUCCEEDED", "FAILED"))["Status"] == "SUCCEEDED"


async def test_a_callback_that_nobody_knows_is_refused(player: Player, stage: Stage) -> None:
    error = await stage.refusal("SendDurableExecutionCallbackHeartbeat", CallbackId="bm9uZQ==")
    assert (error.code, error.message) == ("InvalidParameterValueException", "Invalid callback id")
    error = await stage.refusal("SendDurableExecutionCallbackHeartbeat", CallbackId="0" * 32 + "C1")
    assert error.code == "ResourceNotFoundException"


# Invocations that go wrong.


async def test_a_function_that_raises_is_invoked_again_and_then_given_up(player: Player, stage: Stage) -> None:
    async def crash(invoked: Invoked) -> Any:
        return CRASH

    player.scripts = [crash] * 5
    arn = await player.begin()
    for attempt in range(1, 5):
        await player.happens(arn, "InvocationCompleted", attempt)
        stage.pass_time(60)
    found = await player.become(arn, "FAILED")
    assert found["Error"] == {"ErrorMessage": "crash", "ErrorType": "RuntimeError", "StackTrace": ["here"]}
    completed = [each for each in await player.history(arn) if each["EventType"] == "InvocationCompleted"]
    assert len(completed) == 5
    assert completed[0]["InvocationCompletedDetails"]["Error"]["Payload"]["ErrorMessage"] == "crash"


async def test_progress_forgives_what_went_wrong_before(player: Player, stage: Stage) -> None:
    async def progress(invoked: Invoked) -> Any:
        await invoked.checkpoint(step("SUCCEED", f"s{len(player.invoked)}"))
        return CRASH

    player.scripts = [progress] * 7 + [finish]
    arn = await player.begin()
    for attempt in range(1, 8):
        await player.happens(arn, "InvocationCompleted", attempt)
        stage.pass_time(60)
    await player.become(arn, "SUCCEEDED")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"foo": 1}', "Invalid Status in invocation output."),
        (b"not json", "Invalid Status in invocation output."),
        (b"[]", "Invalid Status in invocation output."),
        (b'{"Status": "FAILED", "Result": "1"}', "Cannot provide a Result for FAILED status."),
        (b'{"Status": "SUCCEEDED", "Error": {}}', "Cannot provide an Error for SUCCEEDED status."),
        (b'{"Status": "FAILED", "Error": {"ErrorMessage": 1}}', "Invalid invocation output."),
        (
            b'{"Status": "SUCCEEDED", "Result": "' + b"x" * 1_048_577 + b'"}',
            "Execution output payload size must be less than or equal to 1048576 bytes.",
        ),
    ],
    ids=["no-status", "no-json", "no-object", "both-failed", "both-succeeded", "no-error", "too-large"],
)
async def test_an_answer_that_no_durable_function_gives_fails_the_execution(
    player: Player, answer: bytes, message: str
) -> None:
    async def script(invoked: Invoked) -> Any:
        return ok(answer)

    player.scripts = [script]
    found = await player.become(await player.begin(), "FAILED")
    assert found["Error"] == {"ErrorMessage": message, "ErrorType": "InvalidParameterValueException"}


async def test_a_function_that_waits_for_nothing_is_asked_again_and_then_given_up(player: Player, stage: Stage) -> None:
    async def idle(invoked: Invoked) -> dict[str, Any]:
        return PENDING

    player.scripts = [idle] * 3
    arn = await player.begin()
    for attempt in range(1, 3):
        await player.happens(arn, "InvocationCompleted", attempt)
        stage.pass_time(60)
    found = await player.become(arn, "FAILED")
    assert found["Error"]["ErrorMessage"] == "Cannot return PENDING status with no pending operations."


async def test_a_throttle_is_waited_out_and_counts_for_nothing(player: Player, stage: Stage) -> None:
    async def throttled(invoked: Invoked) -> Any:
        return ThrottledError("account", 1000)

    async def after(invoked: Invoked) -> dict[str, Any]:
        assert invoked.event["UpdatedOperationIds"] == [invoked.arn.rpartition("/")[2]]
        return succeeded("ok")

    player.scripts = [throttled] * 5 + [after]
    arn = await player.begin()
    for attempt in range(1, 6):
        await stage.queue.seen("retry", attempt)
        stage.pass_time(40)
    await player.become(arn, "SUCCEEDED")


async def test_a_server_that_stops_leaves_the_invocation_to_the_next(player: Player, stage: Stage) -> None:
    async def closing(invoked: Invoked) -> Any:
        return EngineClosedError("closing")

    player.scripts = [closing, finish]
    arn = await player.begin()
    await stage.queue.seen("retry", 1)
    stage.pass_time(1)
    await player.become(arn, "SUCCEEDED")


async def test_the_next_server_makes_the_invocation_that_the_last_one_died_in(
    player: Player, stage: Stage, open_stage: OpenStage
) -> None:
    tokens: list[str] = []
    died = asyncio.Event()

    async def hangs(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(step("SUCCEED", Payload="1"))
        tokens.append(invoked.token)
        died.set()
        await asyncio.Event().wait()
        return PENDING

    player.scripts = [hangs]
    arn = await player.begin()
    await died.wait()
    await stage.stop(grace_s=0)
    await stage.queue.release_leases()
    following = await open_stage()
    again = Player(following)

    async def goes_on(invoked: Invoked) -> dict[str, Any]:
        assert invoked.operations["s1"]["StepDetails"]["Result"] == "1"
        error = await following.refusal(
            "CheckpointDurableExecution", DurableExecutionArn=arn, CheckpointToken=tokens[0], Updates=[]
        )
        assert error.message == "Invalid checkpoint token"
        return succeeded("ok")

    again.scripts = [goes_on]
    following.queue.clock_moved()
    await again.become(arn, "SUCCEEDED")


async def test_a_version_that_is_gone_fails_the_execution(player: Player, stage: Stage) -> None:
    await stage.call("PublishVersion", FunctionName="f")
    player.scripts = [waits]
    arn = await player.begin(Qualifier="1")
    await player.happens(arn, "InvocationCompleted")
    await stage.call("DeleteFunction", FunctionName="f", Qualifier="1")
    stage.pass_time(60)
    assert (await player.become(arn, "FAILED"))["Error"]["ErrorType"] == "ResourceNotFoundException"


async def test_what_nobody_waits_for_leaves_its_input_with_the_dead_letters(player: Player, stage: Stage) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:dead"
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", DeadLetterConfig={"TargetArn": topic})

    async def fails(invoked: Invoked) -> dict[str, Any]:
        return {"Status": "FAILED", "Error": {"ErrorMessage": "no", "ErrorType": "E"}}

    player.scripts = [fails, fails]
    arn = await player.begin(b'{"n": 1}')
    await player.become(arn, "FAILED")
    await stage.store.write(lambda tx: None)  # callbacks of commits come in their order
    [(target, event, options)] = stage.topics.accepted
    assert (target, event) == (topic, b'{"n": 1}')
    assert {name: each.value for name, each in options.attributes.items()} == {
        "RequestID": arn.rpartition("/")[2],
        "ErrorCode": "200",
        "ErrorMessage": "no",
    }
    await stage.call("Invoke", FunctionName="f:$LATEST", Payload=b"{}")
    assert len(stage.topics.accepted) == 1, "who waited has heard of it"


async def test_a_function_that_is_deleted_takes_its_executions_with_it(player: Player, stage: Stage) -> None:
    player.scripts = [waits, finish]
    running = await player.begin()
    await player.happens(running, "InvocationCompleted")
    await player.become(await player.begin(), "SUCCEEDED")
    await stage.call("DeleteFunction", FunctionName="f")
    await gone(stage, running)
    await stage.store.write(lambda tx: None)
    told = [detail["status"] for _, detail in stage.told.events if detail.get("durableExecutionArn") == running]
    assert told == ["RUNNING", "STOPPED"]
    await stage.create("f", DurableConfig={"ExecutionTimeout": 600})
    listed = await stage.call("ListDurableExecutionsByFunction", FunctionName="f")
    assert listed == {"DurableExecutions": []}


async def test_who_waits_is_told_that_the_platform_stops(player: Player, stage: Stage) -> None:
    player.scripts = [waits]
    waiting = asyncio.create_task(stage.call("Invoke", FunctionName="f:$LATEST", Payload=b"{}"))
    await stage.engine.arrived.wait()
    await stage.stop(grace_s=0)
    with pytest.raises(ServiceError, match="the platform is stopping"):
        await waiting


async def test_an_execution_serves_the_tenant_that_it_was_started_for(player: Player, stage: Stage) -> None:
    await stage.create("t", DurableConfig={"ExecutionTimeout": 60}, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    player.scripts = [waits, finish]
    arn = await player.begin(FunctionName="t", TenantId="blue")
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(60)
    assert {call.tenant for _, call in stage.engine.calls} == {"blue"}


async def test_a_queue_waits_for_the_execution_of_its_batch(player: Player, stage: Stage) -> None:
    queues = MappingStage(stage)
    player.play()  # the stage of mappings has a function of its own
    await queues.make_queue()
    await queues.send("one", "two")
    for function, message in (("f", "unqualified"), ("long:$LATEST", "15 minutes")):
        if function != "f":
            await stage.create("long", DurableConfig={"ExecutionTimeout": 901})
        with pytest.raises(ServiceError, match=message):
            await queues.map(FunctionName=function)

    async def first(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(wait(10))
        return PENDING

    async def second(invoked: Invoked) -> dict[str, Any]:
        assert await queues.left() == 2, "they are held until it is over"
        root = invoked.event["InitialExecutionState"]["Operations"][0]
        records = json.loads(root["ExecutionDetails"]["InputPayload"])["Records"]
        return succeeded([record["body"] for record in records])

    player.scripts = [first, second]
    await queues.map(FunctionName="f:$LATEST")
    listed: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not listed:
            found = await stage.call("ListDurableExecutionsByFunction", FunctionName="f")
            listed = found["DurableExecutions"]
            await asyncio.sleep(0)
    arn = listed[0]["DurableExecutionArn"]
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(10)
    assert json.loads((await player.become(arn, "SUCCEEDED"))["Result"]) == ["one", "two"]
    await queues.emptied()


# Chains.


async def test_a_chained_execution_answers_the_one_that_invoked_it(player: Player, stage: Stage) -> None:
    async def parent(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(invoke("f:$LATEST", Payload='{"child": 1}'))
        return PENDING

    async def child(invoked: Invoked) -> dict[str, Any]:
        root = invoked.event["InitialExecutionState"]["Operations"][0]
        assert root["ExecutionDetails"]["InputPayload"] == '{"child": 1}'
        return succeeded("child")

    async def answered(invoked: Invoked) -> dict[str, Any]:
        assert invoked.operations["i1"]["ChainedInvokeDetails"] == {"Result": '"child"'}
        return succeeded("parent")

    player.scripts = [parent, child, answered]
    arn = await player.begin()
    found = await player.become(arn, "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found
    details = (await player.history(arn))[1]["ChainedInvokeStartedDetails"]
    assert details["FunctionName"] == "f:$LATEST"
    assert details["ExecutedVersion"] == "$LATEST"
    assert (await player.become(details["DurableExecutionArn"], "SUCCEEDED"))["Result"] == '"child"'


@pytest.mark.parametrize("how", ["STOPPED", "TIMED_OUT"])
async def test_how_a_chained_execution_ended_is_how_its_operation_ended(player: Player, stage: Stage, how: str) -> None:
    await stage.create("child", DurableConfig={"ExecutionTimeout": 30})

    async def parent(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(invoke("child:$LATEST"))
        return PENDING

    async def answered(invoked: Invoked) -> dict[str, Any]:
        operation = invoked.operations["i1"]
        assert operation["Status"] == how
        return succeeded(operation["ChainedInvokeDetails"]["Error"])

    player.scripts = [parent, waits, answered]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    child = (await player.history(arn))[1]["ChainedInvokeStartedDetails"]["DurableExecutionArn"]
    await player.happens(child, "InvocationCompleted")
    if how == "STOPPED":
        await stage.call("StopDurableExecution", DurableExecutionArn=child, Error={"ErrorMessage": "enough"})
        expected = {"ErrorMessage": "enough"}
    else:
        stage.pass_time(30)
        expected = {
            "ErrorMessage": "CHAINED_INVOKE timed out after 30 seconds.",
            "ErrorType": "ChainedInvoke.Timeout",
        }
    found = await player.become(arn, "SUCCEEDED", "FAILED")
    assert json.loads(found["Result"]) == expected


async def test_an_execution_that_invokes_its_own_function_is_cut_unless_loops_are_allowed(
    player: Player, stage: Stage
) -> None:
    async def again(invoked: Invoked) -> dict[str, Any]:
        if operation := invoked.operations.get("i1"):
            return succeeded(operation["ChainedInvokeDetails"].get("Error", {}).get("ErrorType"))
        reply = await invoked.checkpoint(invoke("f:$LATEST"))
        (operation,) = reply["NewExecutionState"]["Operations"]
        return PENDING if operation["Status"] == "STARTED" else await again(invoked)

    async def last(invoked: Invoked) -> dict[str, Any]:
        reply = await invoked.checkpoint(invoke("f:$LATEST"))
        (operation,) = reply["NewExecutionState"]["Operations"]
        return succeeded(operation["ChainedInvokeDetails"].get("Error", {}).get("ErrorType"))

    async def answered(invoked: Invoked) -> dict[str, Any]:
        return succeeded("up")

    player.scripts = [*[again] * (MOST - 1), last, *[answered] * (MOST - 1)]
    await player.become(await player.begin(), "SUCCEEDED")
    listed = await stage.call("ListDurableExecutionsByFunction", FunctionName="f", Qualifier="$LATEST")
    found = [
        await stage.call("GetDurableExecution", DurableExecutionArn=each["DurableExecutionArn"])
        for each in listed["DurableExecutions"]
    ]
    assert len(found) == MOST
    assert [each["Result"] for each in found].count('"RecursiveInvocationException"') == 1
    assert stage.counts.totals["RecursiveInvocationsDropped", (("FunctionName", "f"),)] == 1

    await stage.call("PutFunctionRecursionConfig", FunctionName="f", RecursiveLoop="Allow")
    player.scripts = [*[again] * (MOST + 1), finish, *[answered] * (MOST + 1)]
    await player.become(await player.begin(), "SUCCEEDED")
    assert stage.counts.totals["RecursiveInvocationsDropped", (("FunctionName", "f"),)] == 1


# What people do.


async def test_a_stop_is_final(player: Player, stage: Stage) -> None:
    player.scripts = [waits]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    first = await stage.call("StopDurableExecution", DurableExecutionArn=arn, Error={"ErrorType": "Cancelled"})
    stage.pass_time(5)
    assert await stage.call("StopDurableExecution", DurableExecutionArn=arn) == first
    found = await player.become(arn, "STOPPED")
    assert (found["Error"], found["EndTimestamp"]) == ({"ErrorType": "Cancelled"}, first["StopTimestamp"])
    stage.pass_time(60)
    await stage.queue.empty(QUEUE)
    assert len(player.invoked) == 1


async def test_a_paused_execution_is_not_invoked_until_it_is_resumed(player: Player, stage: Stage) -> None:
    player.scripts = [waits, finish]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    await stage.call("PauseDurableExecution", DurableExecutionArn=arn, Reason="maintenance")
    found = await player.become(arn, "PAUSED")
    assert found["PauseDetails"]["Reason"] == "maintenance"
    assert found["PauseDetails"]["ExecutionTimeoutPaused"] is True
    stage.pass_time(3600)  # longer than the execution may take
    await player.happens(arn, "WaitSucceeded")
    assert len(player.invoked) == 1
    await stage.call("ResumeDurableExecution", DurableExecutionArn=arn)
    await player.become(arn, "SUCCEEDED")
    kinds = [each["EventType"] for each in await player.history(arn)]
    assert kinds[3:6] == ["ExecutionPaused", "WaitSucceeded", "ExecutionResumed"]


async def test_a_function_under_way_is_paused_at_its_next_checkpoint(player: Player, stage: Stage) -> None:
    async def first(invoked: Invoked) -> dict[str, Any]:
        await stage.call("PauseDurableExecution", DurableExecutionArn=invoked.arn, ClientToken="p")
        await stage.call("PauseDurableExecution", DurableExecutionArn=invoked.arn, ClientToken="p")
        error = await stage.refusal("PauseDurableExecution", DurableExecutionArn=invoked.arn, ClientToken="q")
        assert error.code == "ResourceConflictException"
        await player.become(invoked.arn, "PAUSING")
        reply = await invoked.checkpoint(step("SUCCEED"))
        assert "CheckpointToken" not in reply
        await player.become(invoked.arn, "PAUSED")
        return PENDING

    async def second(invoked: Invoked) -> dict[str, Any]:
        assert invoked.operations["s1"]["Status"] == "SUCCEEDED"
        return succeeded("ok")

    player.scripts = [first, second]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    assert (await player.become(arn, "PAUSED"))["Status"] == "PAUSED"
    await stage.call("ResumeDurableExecution", DurableExecutionArn=arn, ClientToken="r")
    await player.become(arn, "SUCCEEDED")


async def test_a_pause_may_leave_the_clock_running(player: Player, stage: Stage) -> None:
    player.scripts = [waits]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    await stage.call("PauseDurableExecution", DurableExecutionArn=arn, ExecutionTimeoutPaused=False)
    stage.pass_time(600)
    await player.become(arn, "TIMED_OUT")
    error = await stage.refusal("ResumeDurableExecution", DurableExecutionArn=arn)
    assert error.code == "ResourceConflictException"


async def test_what_has_ended_can_be_deleted(player: Player, stage: Stage) -> None:
    player.scripts = [waits]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    error = await stage.refusal("DeleteDurableExecution", DurableExecutionArn=arn)
    assert error.code == "ResourceConflictException"
    await stage.call("StopDurableExecution", DurableExecutionArn=arn)
    reply = await stage.call("DeleteDurableExecution", DurableExecutionArn=arn)
    assert reply["DeletionRequestTimestamp"].timestamp() == stage.clock.now()
    await gone(stage, arn)


# Looking.


async def test_a_list_is_newest_first_and_comes_in_pages(player: Player, stage: Stage) -> None:
    player.scripts = [finish, waits, finish]
    arns = []
    for name in ("a", "b", "c"):
        arns.append(await player.begin(DurableExecutionName=name))
        await player.happens(arns[-1], "InvocationCompleted")
        stage.pass_time(10)

    async def listed(**params: Any) -> list[str]:
        reply = await stage.call("ListDurableExecutionsByFunction", FunctionName="f", **params)
        return [each["DurableExecutionName"] for each in reply["DurableExecutions"]]

    assert await listed() == ["c", "b", "a"]
    assert await listed(ReverseOrder=True) == ["a", "b", "c"]
    assert await listed(Statuses=["RUNNING"]) == ["b"]
    assert await listed(DurableExecutionName="c") == ["c"]
    assert await listed(Qualifier="$LATEST") == ["c", "b", "a"]
    second = datetime.fromtimestamp(1_700_000_010, UTC)
    assert await listed(StartedAfter=second) == ["c"]
    assert await listed(StartedBefore=second) == ["a"]
    for reverse in (False, True):
        params: dict[str, Any] = {"FunctionName": "f", "MaxItems": 2, "ReverseOrder": reverse}
        first = await stage.call("ListDurableExecutionsByFunction", **params)
        rest = await stage.call("ListDurableExecutionsByFunction", Marker=first["NextMarker"], **params)
        names = [each["DurableExecutionName"] for each in first["DurableExecutions"] + rest["DurableExecutions"]]
        assert names == (["a", "b", "c"] if reverse else ["c", "b", "a"])
        assert "NextMarker" not in rest
    for params, message in (
        ({"Statuses": ["RUNNING", "FAILED"]}, "Cannot filter by more than one status"),
        ({"Marker": "bogus"}, "Invalid Marker"),
    ):
        error = await stage.refusal("ListDurableExecutionsByFunction", FunctionName="f", **params)
        assert (error.code, error.message) == ("InvalidParameterValueException", message)
    error = await stage.refusal("ListDurableExecutionsByFunction", FunctionName="nobody")
    assert error.code == "ResourceNotFoundException"


async def test_a_history_comes_in_pages_in_both_directions_with_data_or_without(player: Player, stage: Stage) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(step("START"), step("SUCCEED", Payload='"kept"'))
        return succeeded("x")

    player.scripts = [script]
    arn = await player.begin(b'{"in": 1}')
    await player.become(arn, "SUCCEEDED")
    for reverse, first in ((False, "ExecutionStarted"), (True, "ExecutionSucceeded")):
        seen: list[int] = []
        params: dict[str, Any] = {"DurableExecutionArn": arn, "MaxItems": 2, "ReverseOrder": reverse}
        while True:
            page = await stage.call("GetDurableExecutionHistory", **params)
            if not seen:
                assert page["Events"][0]["EventType"] == first
            seen += [each["EventId"] for each in page["Events"]]
            if "NextMarker" not in page:
                break
            params["Marker"] = page["NextMarker"]
        assert seen == ([5, 4, 3, 2, 1] if reverse else [1, 2, 3, 4, 5])
    events = await player.history(arn)
    assert events[0]["ExecutionStartedDetails"] == {
        "ExecutionTimeout": 600,
        "Input": {"Payload": '{"in": 1}', "Truncated": False},
    }
    assert events[2]["StepSucceededDetails"]["Result"] == {"Payload": '"kept"', "Truncated": False}
    assert events[4]["ExecutionSucceededDetails"]["Result"] == {"Payload": '"x"', "Truncated": False}
    bare = await stage.call("GetDurableExecutionHistory", DurableExecutionArn=arn, IncludeExecutionData=False)
    assert bare["Events"][0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}
    assert bare["Events"][2]["StepSucceededDetails"]["Result"] == {"Truncated": True}
    shown = await stage.call("GetDurableExecution", DurableExecutionArn=arn, IncludeExecutionData=False)
    assert shown["ExecutionDataIncluded"] is False
    assert not {"InputPayload", "Result"} & shown.keys()


async def test_changes_of_status_are_told_and_counted(player: Player, stage: Stage) -> None:
    player.scripts = [finish]
    arn = await player.begin(DurableExecutionName="told")
    await player.become(arn, "SUCCEEDED")
    await stage.store.write(lambda tx: None)  # callbacks of commits come in their order
    told = [detail for kind, detail in stage.told.events if kind == "Durable Execution Status Change"]
    common = {
        "durableExecutionArn": arn,
        "durableExecutionName": "told",
        "functionArn": f"{FUNCTION}:$LATEST",
        "startTimestamp": "2023-11-14T22:13:20.000Z",
    }
    assert told == [
        {**common, "status": "RUNNING"},
        {**common, "status": "SUCCEEDED", "endTimestamp": "2023-11-14T22:13:20.000Z"},
    ]
    counted = {metric for metric, _ in stage.counts.totals}
    assert counted >= {"DurableExecutionStarted", "DurableExecutionSucceeded"}


async def test_how_long_an_execution_took_is_measured_with_what_it_waited(player: Player, stage: Stage) -> None:
    player.scripts = [waits, finish]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    stage.pass_time(60)
    await player.become(arn, "SUCCEEDED")
    await stage.store.write(lambda tx: None)
    for where in ((), (("FunctionName", "f"),)):
        assert stage.counts.totals["DurableExecutionDuration", where] == 60_000
    assert stage.counts.units["DurableExecutionDuration"] == "Milliseconds"


# Configuration.


async def test_a_function_is_durable_from_its_creation_or_never(stage: Stage) -> None:
    made = await stage.create("d", DurableConfig={"ExecutionTimeout": 60})
    assert made["DurableConfig"] == {"ExecutionTimeout": 60, "RetentionPeriodInDays": 14}
    changed = await stage.call(
        "UpdateFunctionConfiguration", FunctionName="d", DurableConfig={"RetentionPeriodInDays": 3}
    )
    assert changed["DurableConfig"] == {"ExecutionTimeout": 60, "RetentionPeriodInDays": 3}
    plain = await stage.create("p")
    assert "DurableConfig" not in plain
    error = await stage.refusal("UpdateFunctionConfiguration", FunctionName="p", DurableConfig={"ExecutionTimeout": 60})
    assert error.code == "InvalidParameterValueException"
    with pytest.raises(ServiceError, match="without an executionTimeout"):
        await stage.create("e", DurableConfig={"RetentionPeriodInDays": 3})
    with pytest.raises(ServiceError, match="KMSKeyArn"):
        await stage.create("k", DurableConfig={"ExecutionTimeout": 60, "KMSKeyArn": "arn:aws:kms:x"})
