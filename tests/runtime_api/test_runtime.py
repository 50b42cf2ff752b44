"""The Runtime API, clause by clause."""

import asyncio
import base64
import json

import pytest

from mayfly.runtime_api import bodies

from .conftest import RUNTIME, Heard, Stage, invocation

TOO_MUCH = b"x" * (bodies.MOST_REPLY + 1)


async def test_next_answers_with_the_event_and_what_is_known_of_the_call(stage: Stage, heard: Heard) -> None:
    client = await stage.client()
    client.send("GET", f"{RUNTIME}/invocation/next")
    await heard.until(1)
    stage.api.invoke(
        invocation("r-1", b'{"a": 1}', trace_id="Root=1", client_context='{"c": 1}', identity='{"i": 1}', tenant="t-1")
    )

    answer = await client.receive()

    assert (answer.status, answer.body, heard.events) == (200, b'{"a": 1}', [("ready",)])
    told = {name: value for name, value in answer.headers.items() if name.startswith("lambda-runtime")}
    assert told == {
        "lambda-runtime-aws-request-id": "r-1",
        "lambda-runtime-deadline-ms": "1700000000123",
        "lambda-runtime-invoked-function-arn": "arn:of:it",
        "lambda-runtime-trace-id": "Root=1",
        "lambda-runtime-client-context": '{"c": 1}',
        "lambda-runtime-cognito-identity": '{"i": 1}',
        "lambda-runtime-aws-tenant-id": "t-1",
    }
    assert answer.headers["content-type"] == "application/json"


async def test_what_is_not_known_of_a_call_has_no_header(stage: Stage) -> None:
    client = await stage.client()
    stage.api.invoke(invocation())

    assert "lambda-runtime-client-context" not in (await client.next()).headers


async def test_headers_cannot_be_broken_by_what_callers_send(stage: Stage) -> None:
    client = await stage.client()
    stage.api.invoke(invocation(client_context='{"a":\r\nX-Injected: 1}', trace_id="ü"))

    answer = await client.next()

    assert "x-injected" not in answer.headers
    assert answer.headers["lambda-runtime-client-context"] == '{"a":  X-Injected: 1}'


async def test_a_response_is_accepted_and_passed_on_as_it_is(stage: Stage, heard: Heard) -> None:
    client = await stage.running()

    answer = await client.respond("r1", b"\xff anything")

    assert (answer.status, answer.json) == (202, {"status": "OK"})
    assert heard.events == [("answered", "r1", b"\xff anything")]


async def test_the_next_call_comes_over_the_same_connection(stage: Stage, heard: Heard) -> None:
    client = await stage.running("r1")
    await client.respond("r1")
    stage.api.invoke(invocation("r2", b"2"))

    assert (await client.next()).body == b"2"
    assert [event[0] for event in heard.events] == ["answered", "polled"]


async def test_who_asks_again_while_it_runs_a_call_gets_that_one_again(stage: Stage) -> None:
    client = await stage.running("r1", b"1")

    answer = await client.next()

    assert (answer.headers["lambda-runtime-aws-request-id"], answer.body) == ("r1", b"1")


async def test_a_poll_of_a_closed_connection_gets_no_call(stage: Stage, heard: Heard) -> None:
    gone, here = await stage.client(), await stage.client()
    here.send("GET", f"{RUNTIME}/invocation/next")
    await heard.until(1)
    gone.send("GET", f"{RUNTIME}/invocation/next")
    await gone.writer.drain()
    gone.close()
    await gone.writer.wait_closed()
    while stage.api.connections > 1:  # noqa: ASYNC110 (the end of the other side is not told)
        await asyncio.sleep(0)
    stage.api.invoke(invocation("r1"))

    assert (await here.receive()).headers["lambda-runtime-aws-request-id"] == "r1"


async def test_an_error_is_passed_on_with_its_type(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    error = b'{"errorMessage": "m", "errorType": "T", "stackTrace": []}'

    answer = await client.fail("r1", error, Lambda_Runtime_Function_Error_Type="Function.T")

    assert (answer.status, answer.json) == (202, {"status": "OK"})
    assert heard.events == [("failed", "r1", "Function.T", error)]


async def test_of_an_error_with_its_cause_for_traces_callers_see_the_error_alone(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    error = b'{"errorMessage": "m", "errorType": "T", "cause": {"paths": []}}'

    await client.fail("r1", error, Content_Type="application/vnd.aws.lambda.error.cause+json")

    assert json.loads(heard.events[0][3]) == {"errorMessage": "m", "errorType": "T"}


@pytest.mark.parametrize("what", ["response", "error"])
async def test_an_unknown_request_id_is_refused_and_changes_nothing(stage: Stage, heard: Heard, what: str) -> None:
    client = await stage.running()

    answer = await client.ask("POST", f"{RUNTIME}/invocation/other/{what}", b"{}")

    assert (answer.status, answer.json) == (
        400,
        {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"},
    )
    assert heard.events == []
    assert (await (await stage.client()).respond("r1")).status == 202


async def test_a_second_answer_is_refused(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    await client.respond("r1", b"first")

    again, failing = await client.respond("r1", b"second"), await (await stage.client()).fail("r1")

    assert (again.status, again.json["errorType"]) == (403, "InvalidStateTransition")
    assert again.json["errorMessage"] == (
        "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. "
        "Error: State transition is not allowed"
    )
    assert failing.json["errorMessage"].split(" failed")[0].endswith("to InvocationErrorResponse")
    assert heard.events == [("answered", "r1", b"first")]


async def test_an_answer_after_the_call_before_was_answered_is_refused(stage: Stage, heard: Heard) -> None:
    client = await stage.running("r1")
    await client.respond("r1")
    stage.api.invoke(invocation("r2"))
    await client.next()

    assert (await client.respond("r1")).json["errorType"] == "InvalidRequestID"
    assert [event[:2] for event in heard.events] == [("answered", "r1"), ("polled",)]


async def test_one_answer_at_a_time(stage: Stage, heard: Heard) -> None:
    slow, quick = await stage.running(), await stage.client()
    slow.send("POST", f"{RUNTIME}/invocation/r1/response", Content_Length="3", Expect="100-continue")
    assert (await slow.receive()).status == 100
    refused = await quick.respond("r1")
    assert refused.json["errorMessage"].startswith("State transition from InvocationResponse to InvocationResponse")
    asks = await quick.next()
    assert (asks.status, asks.json["errorType"]) == (403, "InvalidStateTransition")
    slow.writer.write(b"abc")

    assert (await slow.receive()).status == 202
    assert heard.events == [("answered", "r1", b"abc")]


async def test_a_response_that_is_too_large_is_refused_and_is_the_end_of_the_call(stage: Stage, heard: Heard) -> None:
    client = await stage.running()

    answer = await client.respond("r1", TOO_MUCH)

    message = f"Exceeded maximum allowed payload size ({bodies.MOST_REPLY} bytes)."
    assert (answer.status, answer.json) == (413, {"errorMessage": message, "errorType": "RequestEntityTooLarge"})
    ((kind, request_id, error_type, payload),) = heard.events
    assert (kind, request_id, error_type) == ("failed", "r1", "Function.ResponseSizeTooLarge")
    assert json.loads(payload)["errorMessage"] == (
        "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    )


async def test_a_response_that_turns_out_too_large_is_refused_too(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    piece = b"%x\r\n%b\r\n" % (1 << 20, b"x" * (1 << 20))

    client.send("POST", f"{RUNTIME}/invocation/r1/response", piece * 7 + b"0\r\n\r\n", Transfer_Encoding="chunked")

    assert (await client.receive()).status == 413
    assert [event[2] for event in heard.events] == ["Function.ResponseSizeTooLarge"]


async def test_the_largest_response_is_taken(stage: Stage, heard: Heard) -> None:
    client = await stage.running()

    assert (await client.respond("r1", TOO_MUCH[1:])).status == 202
    assert len(heard.events[0][2]) == 6 * 1024 * 1024 + 100


async def test_a_response_that_breaks_off_fails_the_call(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    client.send("POST", f"{RUNTIME}/invocation/r1/response", b"ab", Content_Length="3")
    await client.writer.drain()
    client.close()
    await heard.until(1)

    assert heard.events[0][:3] == ("failed", "r1", "Runtime.TruncatedResponse")


async def test_a_streamed_response_is_passed_on_part_by_part(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    client.send(
        "POST",
        f"{RUNTIME}/invocation/r1/response",
        b"3\r\nabc\r\n",
        Content_Type="text/x",
        Lambda_Runtime_Function_Response_Mode="streaming",
        Transfer_Encoding="chunked",
    )
    await heard.until(2)
    assert heard.events == [("begins", "r1", "text/x"), ("part", b"abc")]

    client.writer.write(b"2\r\nde\r\n0\r\n\r\n")

    assert (await client.receive()).status == 202
    assert heard.events[2:] == [("part", b"de"), ("ended", "r1")]


async def test_a_streamed_response_may_end_in_an_error(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    error = b'{"errorType": "E"}'
    body = b"3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Function.E\r\n"
    body += b"Lambda-Runtime-Function-Error-Body: " + base64.b64encode(error) + b"\r\n\r\n"

    client.send(
        "POST",
        f"{RUNTIME}/invocation/r1/response",
        body,
        Lambda_Runtime_Function_Response_Mode="streaming",
        Transfer_Encoding="chunked",
        Trailer="Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    )

    assert (await client.receive()).status == 202
    assert heard.events[-1] == ("failed", "r1", "Function.E", error)


async def test_a_streamed_response_waits_while_it_is_held(stage: Stage, heard: Heard) -> None:
    client = await stage.running()
    client.send(
        "POST",
        f"{RUNTIME}/invocation/r1/response",
        Lambda_Runtime_Function_Response_Mode="streaming",
        Content_Length=str(64 << 20),
    )
    await heard.until(1)
    heard.hold(True)
    client.writer.write(b"x" * (8 << 20))
    for _ in range(50):
        await asyncio.sleep(0)
    assert sum(len(event[1]) for event in heard.events if event[0] == "part") < 1 << 20

    heard.hold(False)

    while sum(len(event[1]) for event in heard.events if event[0] == "part") < 8 << 20:
        await heard.until(len(heard.events) + 1)


async def test_an_unknown_mode_of_response_is_refused_and_fails_the_call(stage: Stage, heard: Heard) -> None:
    client = await stage.running()

    answer = await client.respond("r1", Lambda_Runtime_Function_Response_Mode="sideways")

    assert (answer.status, answer.json["errorType"]) == (400, "InvalidFunctionResponseMode")
    assert heard.events[0][2] == "Runtime.InvalidResponseModeHeader"


async def test_init_may_fail_once_before_the_first_call(stage: Stage, heard: Heard) -> None:
    client = await stage.client()
    error = b'{"errorMessage": "m", "errorType": "T"}'

    answer = await client.ask("POST", f"{RUNTIME}/init/error", error, Lambda_Runtime_Function_Error_Type="Runtime.T")

    assert answer.status == 202
    assert heard.events == [("init failed", "Runtime.T", error)]
    assert (await client.ask("POST", f"{RUNTIME}/init/error", error)).status == 403
    assert (await client.next()).json["errorMessage"].startswith("State transition from InitError to Ready")


async def test_init_cannot_fail_any_more_once_it_is_over(stage: Stage, heard: Heard) -> None:
    client = await stage.running()

    assert (await client.ask("POST", f"{RUNTIME}/init/error", b"{}")).json["errorType"] == "InvalidStateTransition"
    assert heard.events == []


async def test_a_runtime_of_a_snapshot_learns_that_it_was_restored(restoring: Stage, heard: Heard) -> None:
    client = await restoring.client()
    assert (await client.ask("GET", f"{RUNTIME}/restore/next")).status == 200
    restoring.api.invoke(invocation("r1"))

    assert (await client.next()).status == 200
    assert heard.events == [("ready",)]


async def test_what_runs_after_a_restore_may_fail(restoring: Stage, heard: Heard) -> None:
    client = await restoring.client()
    assert (await client.ask("POST", f"{RUNTIME}/restore/error", b"{}")).status == 403
    await client.ask("GET", f"{RUNTIME}/restore/next")

    answer = await client.ask(
        "POST", f"{RUNTIME}/restore/error", b'{"e": 1}', Lambda_Runtime_Function_Error_Type="Runtime.AfterRestoreError"
    )

    assert answer.status == 202
    assert heard.events == [("restore failed", "Runtime.AfterRestoreError", b'{"e": 1}')]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/2018-06-01/runtime"),
        ("GET", "/2018-06-01/runtime/"),
        ("POST", "/2018-06-01/runtime/invocation/next"),
        ("GET", "/2018-06-01/runtime/restore/next"),
        ("DELETE", "/2018-06-01/runtime/invocation/r1/response"),
        ("GET", "/2018-06-01/runtime/invocation/r1/response/more"),
        ("GET", "/anything"),
    ],
)
async def test_what_is_not_there_is_not_found(stage: Stage, method: str, path: str) -> None:
    client = await stage.client()

    assert (await client.ask(method, path)).status == 404


async def test_calls_that_nobody_fetched_are_known(stage: Stage) -> None:
    stage.api.invoke(invocation("r1"))
    assert [one.request_id for one in stage.api.undelivered] == ["r1"]

    await (await stage.client()).next()

    assert stage.api.undelivered == []
