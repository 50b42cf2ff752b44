"""Invoke, and what it leaves in logs and usage."""

import base64
import json
from typing import Any

import msgspec
import pytest

from mayfly.engine.api import Failure, ThrottledError
from mayfly.policy.scaling import Scope
from mayfly.sandbox.api import SandboxStartError
from mayfly.services.functions import recursion, repository
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.settings import FunctionLimits
from mayfly.store.api import Tx
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage, failed, ok

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793"


async def test_a_result_comes_back_as_it_is(stage: Stage) -> None:
    await stage.create()
    reply = await stage.call("Invoke", FunctionName="f", Payload=b'{"a": 1}')
    assert reply == {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": b'{"a": 1}'}


async def test_an_empty_payload_is_an_empty_object(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    assert stage.engine.calls[0][1].payload == b"{}"


async def test_a_dry_run_runs_nothing(stage: Stage) -> None:
    await stage.create()
    assert await stage.call("Invoke", FunctionName="f", InvocationType="DryRun") == {"StatusCode": 204}
    assert stage.engine.calls == []
    assert (await stage.refusal("Invoke", FunctionName="g", InvocationType="DryRun")).status == 404


@pytest.mark.parametrize(
    "payload", [b"{", b"no", b"[1,]", b'"\x87"', b"{} {}", b"[" * 200_000 + b"]" * 200_000], ids=len
)
async def test_a_payload_that_is_not_json_is_refused(stage: Stage, payload: bytes) -> None:
    await stage.create()
    error = await stage.refusal("Invoke", FunctionName="f", Payload=payload)
    assert error.code == "InvalidRequestContentException"
    assert error.message.startswith("Could not parse request body into json: Could not parse payload into json: ")
    assert stage.engine.calls == []


async def test_a_payload_above_the_limit_is_too_large(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(payload_bytes=100, async_payload_bytes=50))
    await stage.create()
    error = await stage.refusal("Invoke", FunctionName="f", Payload=b'"%s"' % (b"x" * 99))
    assert (error.code, error.status) == ("RequestTooLargeException", 413)
    error = await stage.refusal("Invoke", FunctionName="f", InvocationType="Event", Payload=b'"%s"' % (b"x" * 49))
    assert (error.code, error.status) == ("RequestEntityTooLargeException", 413)
    assert error.message == "51 byte payload is too large for the Event invocation type (limit 50 bytes)"


async def test_a_reply_above_the_limit_is_an_error_of_the_function(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(payload_bytes=100))
    await stage.create()
    stage.engine.script = lambda target, call: ok(b'"%s"' % (b"x" * 199))
    reply = await stage.call("Invoke", FunctionName="f")
    assert reply["FunctionError"] == "Unhandled"
    assert json.loads(reply["Payload"]) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (200 bytes).",
    }


DEATHS = [
    (Failure("timeout"), "Sandbox.Timedout", "Task timed out after 3.00 seconds"),
    (Failure("init-timeout"), "Sandbox.Timedout", "Task timed out after 3.00 seconds"),
    (Failure("out-of-memory", signal=9), "Runtime.OutOfMemory", "Runtime exited with error: signal: killed"),
    (Failure("exited", signal=9), "Runtime.ExitError", "Runtime exited with error: signal: killed"),
    (Failure("exited", signal=11), "Runtime.ExitError", "Runtime exited with error: signal: segmentation fault"),
    (Failure("exited", exit_status=1), "Runtime.ExitError", "Runtime exited with error: exit status 1"),
    (Failure("exited", exit_status=0), "Runtime.ExitError", "Runtime exited without providing a reason"),
]


@pytest.mark.parametrize(("failure", "kind", "text"), DEATHS, ids=str)
async def test_each_way_to_die_has_awss_error(stage: Stage, failure: Failure, kind: str, text: str) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: failed(failure)
    reply = await stage.call("Invoke", FunctionName="f")
    request_id = stage.engine.calls[0][1].request_id
    assert (reply["StatusCode"], reply["FunctionError"]) == (200, "Unhandled")
    assert json.loads(reply["Payload"]) == {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {text}"}


async def test_an_exception_comes_back_as_the_runtime_described_it(stage: Stage) -> None:
    await stage.create()
    described = b'{"errorMessage": "no", "errorType": "ValueError", "requestId": "r", "stackTrace": []}'
    stage.engine.script = lambda target, call: failed(Failure("raised", described))
    reply = await stage.call("Invoke", FunctionName="f")
    assert (reply["FunctionError"], reply["Payload"]) == ("Unhandled", described)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ThrottledError("function", 1), "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (ThrottledError("function-rate", 10, 0.1), "ReservedFunctionInvocationRateLimitExceeded"),
        (ThrottledError("scaling", 1000, 0.01), "ConcurrentInvocationLimitExceeded"),
        (ThrottledError("account", 1000), "ConcurrentInvocationLimitExceeded"),
        (ThrottledError("account-rate", 10_000, 0.1), "FunctionInvocationRateLimitExceeded"),
    ],
)
async def test_a_throttle_says_whose_limit_it_was(stage: Stage, error: ThrottledError, reason: str) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: error
    refusal = await stage.refusal("Invoke", FunctionName="f")
    assert (refusal.code, refusal.status, refusal.message) == ("TooManyRequestsException", 429, "Rate Exceeded.")
    assert refusal.members["Reason"] == reason
    assert refusal.members.get("retryAfterSeconds") == ("1" if error.retry_after_s else None)


@pytest.mark.parametrize("scope", ["memory", "processors", "instances"])
async def test_a_shortage_that_aws_does_not_know_is_explained(stage: Stage, scope: Scope) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ThrottledError(scope, 10)
    refusal = await stage.refusal("Invoke", FunctionName="f")
    assert (refusal.code, refusal.status) == ("TooManyRequestsException", 429)
    assert refusal.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert refusal.message.startswith("Rate Exceeded. On this machine, the")


async def test_no_reserved_concurrency_means_no_call(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    assert (await stage.refusal("Invoke", FunctionName="f")).status == 429
    assert len(stage.engine.calls) == 1


async def test_a_platform_that_cannot_start_an_instance_is_to_blame_itself(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: SandboxStartError("no more processes")
    error = await stage.refusal("Invoke", FunctionName="f")
    assert (error.code, error.status) == ("ServiceException", 500)


async def test_a_function_whose_role_is_gone_is_not_run(stage: Stage) -> None:
    await stage.create()
    stage.roles.known.clear()
    error = await stage.refusal("Invoke", FunctionName="f")
    assert (error.code, error.status) == ("AccessDeniedException", 403)
    assert error.message == "The role defined for the function cannot be assumed by Lambda."


async def test_the_client_context_reaches_the_function_as_json(stage: Stage) -> None:
    await stage.create()
    encoded = base64.b64encode(b'{"client": {}}').decode()
    await stage.call("Invoke", FunctionName="f", ClientContext=encoded)
    assert stage.engine.calls[0][1].client_context == '{"client": {}}'
    error = await stage.refusal("Invoke", FunctionName="f", ClientContext="bm90IGpzb24=")
    assert error.message == "Client context must be a valid Base64-encoded JSON object."


async def test_a_client_context_has_a_limit_and_is_for_those_who_wait(stage: Stage) -> None:
    await stage.create()
    text = '{"custom": "%s"}' % ("x" * 2671)
    longest = base64.b64encode(text.encode()).decode()
    assert len(longest) == 3580, "base64 comes by four, and 3,583 bytes are allowed"
    await stage.call("Invoke", FunctionName="f", ClientContext=longest)
    assert stage.engine.calls[0][1].client_context == text
    for invocation_type in ("RequestResponse", "Event", "DryRun"):
        refused = await stage.refusal(
            "Invoke", FunctionName="f", ClientContext=longest + "AAAA", InvocationType=invocation_type
        )
        assert refused.code == "InvalidParameterValueException"
    await stage.call("Invoke", FunctionName="f", ClientContext=longest, InvocationType="Event")
    await stage.drained()
    assert stage.engine.calls[-1][1].client_context is None


@pytest.mark.parametrize("operation", ["Invoke", "InvokeAsync"])
async def test_a_function_that_cannot_be_called_takes_no_events(stage: Stage, operation: str) -> None:
    await stage.create()

    def pending(tx: Tx) -> None:
        function = repository.find(tx, "f")
        assert function is not None
        repository.update(tx, msgspec.structs.replace(function, state="Pending"))

    await stage.store.write(pending)
    said = {"InvokeArgs": b"{}"} if operation == "InvokeAsync" else {"InvocationType": "Event", "Payload": b"{}"}
    refused = await stage.refusal(operation, FunctionName="f", **said)
    assert (refused.code, refused.status) == ("ResourceConflictException", 409)
    assert refused.message.endswith("The function is currently in the following state: Pending")


async def test_the_call_carries_the_callers_trace_and_the_arn_it_used(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", {"x-amzn-trace-id": TRACE}, FunctionName="f", Qualifier="$LATEST")
    await stage.call("Invoke", FunctionName="f")
    (_, first), (_, second) = stage.engine.calls
    assert (first.trace_id, first.arn) == (recursion.entered(TRACE, f"{ARN}f"), f"{ARN}f:$LATEST")
    assert second.arn == f"{ARN}f"
    assert second.trace_id is not None
    assert second.trace_id.startswith("Root=1-6553f100-")


async def test_the_tail_is_the_calls_own_log(stage: Stage) -> None:
    await stage.create()
    stage.engine.printed = ["hello"]
    reply = await stage.call("Invoke", FunctionName="f", LogType="Tail")
    request_id = stage.engine.calls[0][1].request_id
    assert base64.b64decode(reply["LogResult"]).decode() == (
        f"START RequestId: {request_id} Version: $LATEST\nhello\nEND RequestId: {request_id}\n"
        f"REPORT RequestId: {request_id}\tDuration: 2.35 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 40 MB\t\n"
    )


async def test_the_tail_is_its_last_four_kilobytes(stage: Stage) -> None:
    await stage.create()
    stage.engine.printed = [f"line {number} {'x' * 50}" for number in range(200)]
    tail = base64.b64decode((await stage.call("Invoke", FunctionName="f", LogType="Tail"))["LogResult"])
    assert len(tail) == 4096
    assert tail.endswith(b"\t\n")
    assert b"line 199 " in tail


async def test_logs_begin_with_the_instance_and_go_to_its_own_stream(stage: Stage) -> None:
    await stage.create(Runtime="python3.12")
    stage.engine.script = lambda target, call: ok(instance=f"i-{len(stage.engine.calls)}")
    await stage.call("Invoke", FunctionName="f")
    await stage.call("Invoke", FunctionName="f")
    streams = {event.stream for event in stage.records.events}
    assert len(streams) == 2
    assert all(stream.startswith("2023/11/14/[$LATEST]") and len(stream) == 52 for stream in streams)
    assert {event.group for event in stage.records.events} == {"/aws/lambda/f"}
    assert stage.records.lines[0].startswith("INIT_START Runtime Version: python3.11\t")
    assert stage.records.lines[1] == "MAYFLY python3.12 is not installed; functions run on python3.11\n"
    assert stage.records.lines[2].startswith("START RequestId: ")


async def test_an_instance_is_told_its_log_stream_credentials_and_surroundings(stage: Stage) -> None:
    await stage.create(Environment={"Variables": {"MINE": "1", "TZ": "Asia/Taipei"}}, MemorySize=256)
    await stage.call("Invoke", FunctionName="f")
    target = stage.engine.calls[0][0]
    seen = await target.environment("i-1")
    assert seen["AWS_LAMBDA_LOG_STREAM_NAME"] == stage.records.events[0].stream
    assert (seen["MINE"], seen["TZ"]) == ("1", "Asia/Taipei")
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert (seen["_HANDLER"], seen["LAMBDA_TASK_ROOT"]) == ("app.handler", "/var/task")
    assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SESSION_TOKEN"]) == ("ASIA1", "token of f")
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"


async def test_a_cold_start_is_reported_and_billed(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ok(cold=True, init_ms=100.2, duration_ms=2.9)
    await stage.call("Invoke", FunctionName="f")
    assert "Duration: 2.90 ms\tBilled Duration: 104 ms\t" in stage.records.lines[-1]
    assert stage.records.lines[-1].endswith("Max Memory Used: 40 MB\tInit Duration: 100.20 ms\t\n")
    [usage] = stage.records.usage
    assert (usage.billed_ms, usage.init_ms, usage.outcome, usage.source) == (104, 100.2, "ok", "request")
    assert usage.function_arn == f"{ARN}f:$LATEST"


async def test_a_timeout_is_logged_and_billed_as_the_time_that_was_allowed(stage: Stage) -> None:
    await stage.create(Timeout=1)
    stage.engine.script = lambda target, call: failed(Failure("timeout"), duration_ms=1012.7)
    await stage.call("Invoke", FunctionName="f")
    request_id = stage.engine.calls[0][1].request_id
    death, end, report = stage.records.lines[-3:]
    assert death == f"2023-11-14T22:13:20.000Z {request_id} Task timed out after 1.00 seconds\n\n"
    assert end == f"END RequestId: {request_id}\n"
    assert "Duration: 1000.00 ms\tBilled Duration: 1000 ms" in report
    assert report.endswith("\tStatus: timeout\n")
    assert stage.records.usage[0].outcome == "timeout"


@pytest.mark.parametrize(
    ("failure", "status", "outcome"),
    [
        (Failure("exited", exit_status=1), "Status: error\tError Type: Runtime.ExitError\n", "exited"),
        (Failure("out-of-memory"), "Status: error\tError Type: Runtime.OutOfMemory\n", "out-of-memory"),
        (
            Failure("init-raised", b'{"errorType": "Runtime.ImportModuleError"}'),
            "Status: error\tError Type: Runtime.ImportModuleError\n",
            "error",
        ),
        (Failure("raised", b'{"errorType": "ValueError"}'), "Max Memory Used: 40 MB\t\n", "error"),
    ],
)
async def test_a_report_names_what_ended_the_call(stage: Stage, failure: Failure, status: str, outcome: str) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: failed(failure)
    await stage.call("Invoke", FunctionName="f")
    assert stage.records.lines[-1].endswith(status)
    assert stage.records.usage[0].outcome == outcome


@pytest.mark.parametrize(
    ("failure", "code", "status", "line", "outcome"),
    [
        (
            Failure("restore-raised", b'{"errorType": "ValueError"}'),
            *("SnapStartException", 400, "Status: error\tError Type: ValueError\n", "error"),
        ),
        (Failure("restore-timeout"), "SnapStartTimeoutException", 408, "Status: timeout\n", "timeout"),
    ],
)
async def test_an_instance_that_cannot_be_restored_refuses_the_call(
    stage: Stage, failure: Failure, code: str, status: int, line: str, outcome: str
) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: failed(failure)
    refused = await stage.refusal("Invoke", FunctionName="f")
    assert (refused.code, refused.status) == (code, status)
    assert stage.records.lines[-1].endswith(line)
    assert stage.records.usage[0].outcome == outcome


async def test_targets_say_what_the_sandbox_needs(stage: Stage) -> None:
    await stage.create(MemorySize=1769, Timeout=9, EphemeralStorage={"Size": 700})
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=5)
    await stage.call("Invoke", FunctionName="f")
    target = stage.engine.calls[0][0]
    assert isinstance(target, FunctionTarget)
    sandbox = target.sandbox
    assert (sandbox.runtime, sandbox.memory_mb, sandbox.ephemeral_mb, sandbox.cpus) == ("python3.11", 1769, 700, 1.0)
    assert (target.function, target.timeout_s, target.reserved_concurrency) == (f"{ARN}f", 9.0, 5)


@pytest.mark.parametrize(
    ("memory_mb", "at_start", "then"), [(128, 1.0, pytest.approx(0.072, 0.01)), (1769, 1.0, None), (3538, 2.0, None)]
)
async def test_processors_grow_with_memory_and_an_instance_starts_with_one(
    stage: Stage, memory_mb: int, at_start: float, then: float | None
) -> None:
    await stage.create(MemorySize=memory_mb)
    await stage.call("Invoke", FunctionName="f")
    target = stage.engine.calls[0][0]
    assert (target.sandbox.cpus, target.cpus) == (at_start, then)


async def test_changing_the_reserved_concurrency_reaches_the_next_call(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=5)
    await stage.call("Invoke", FunctionName="f")
    assert [target.reserved_concurrency for target, _ in stage.engine.calls] == [None, 5]


async def test_a_package_directory_that_is_lost_is_unpacked_again(open_stage: OpenStage) -> None:
    before = await open_stage()
    created: dict[str, Any] = await before.create()
    directory = before.data / "code" / base64.b64decode(created["CodeSha256"]).hex()
    directory.joinpath("app.py").unlink()
    directory.rmdir()
    after = await open_stage()
    await after.call("Invoke", FunctionName="f")
    assert directory.joinpath("app.py").is_file()
