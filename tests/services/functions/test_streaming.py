"""Results that are sent on as they come: InvokeWithResponseStream, and function URLs that stream."""

import base64
import json
from typing import Any

import pytest

from mayfly.engine.api import Failure, ThrottledError
from mayfly.errors import MayflyError
from mayfly.services.contract import ByteStream, HttpResponse, ServiceError
from mayfly.services.functions.web.streaming import INTEGRATION, MOST_PRELUDE, AnswerCutOffError
from tests.services.functions.stage import Stage, failed, ok
from tests.services.functions.web.test_urls import ask, request, with_url

RAISED = b'{"errorType":"E","errorMessage":"m"}'


async def stream(stage: Stage, **params: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of an InvokeWithResponseStream."""
    reply = await stage.wire.service.operations["InvokeWithResponseStream"](
        stage.context(), {"FunctionName": "f", **params}
    )
    assert reply["StatusCode"] == 200
    return [pair async for event in reply["EventStream"] for pair in event.items()]


async def test_parts_are_events_and_the_end_is_one(stage: Stage) -> None:
    await stage.create()
    stage.engine.parts = ("text/plain", [b"a", b"b"])
    stage.engine.script = lambda target, call: ok(b"")
    assert await stream(stage) == [
        ("PayloadChunk", {"Payload": b"a"}),
        ("PayloadChunk", {"Payload": b"b"}),
        ("InvokeComplete", {}),
    ]


async def test_a_large_part_is_several_events(stage: Stage) -> None:
    await stage.create()
    stage.engine.parts = ("", [bytes(2_500_000)])
    stage.engine.script = lambda target, call: ok(b"")
    sizes = [len(members["Payload"]) for name, members in await stream(stage) if name == "PayloadChunk"]
    assert sizes == [1 << 20, 1 << 20, 2_500_000 - (2 << 20)]


async def test_a_whole_answer_is_one_event(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ok(b'{"a":1}')
    assert await stream(stage, Payload=b"{}") == [
        ("PayloadChunk", {"Payload": b'{"a":1}'}),
        ("InvokeComplete", {}),
    ]


async def test_a_function_that_fails_on_the_way_is_told_at_the_end_with_the_log(stage: Stage) -> None:
    await stage.create()
    stage.engine.parts = ("", [b"half"])
    stage.engine.printed = ["a line"]
    stage.engine.script = lambda target, call: failed(Failure("raised", RAISED))
    events = await stream(stage, LogType="Tail")
    assert events[0] == ("PayloadChunk", {"Payload": b"half"})
    name, members = events[1]
    assert (name, members["ErrorCode"], members["ErrorDetails"]) == ("InvokeComplete", "Unhandled", RAISED.decode())
    assert b"a line\n" in base64.b64decode(members["LogResult"])


async def test_an_answer_above_the_limit_is_cut_off_and_told(stage: Stage) -> None:
    await stage.create()
    stage.engine.parts = ("", [bytes(150 << 20), bytes(60 << 20)])
    stage.engine.script = lambda target, call: ok(b"")
    events = await stream(stage)
    assert sum(len(members["Payload"]) for name, members in events if name == "PayloadChunk") == 150 << 20
    assert json.loads(events[-1][1]["ErrorDetails"])["errorType"] == "Function.ResponseSizeTooLarge"


async def test_a_refusal_comes_before_the_stream(stage: Stage) -> None:
    await stage.create()
    stage.engine.script = lambda target, call: ThrottledError("account", 10)
    with pytest.raises(ServiceError, match="TooManyRequestsException"):
        await stream(stage)
    with pytest.raises(ServiceError, match="InvalidRequestContentException"):
        await stream(stage, Payload=b"no json")


async def test_a_dry_run_runs_nothing(stage: Stage) -> None:
    await stage.create()
    reply = await stage.wire.service.operations["InvokeWithResponseStream"](
        stage.context(), {"FunctionName": "f", "InvocationType": "DryRun"}
    )
    assert reply["StatusCode"] == 204
    assert stage.engine.calls == []


# Function URLs.


async def answered(stage: Stage, content_type: str, parts: list[bytes], **config: Any) -> HttpResponse:
    url_id = await with_url(stage, **{"InvokeMode": "RESPONSE_STREAM", **config})
    stage.engine.parts = (content_type, parts)
    return await ask(stage, url_id)


async def body(response: HttpResponse) -> bytes:
    assert not isinstance(response.body, bytes)
    parts: ByteStream = response.body
    return b"".join([part async for part in parts])


async def test_a_url_sends_parts_with_the_type_that_the_function_gave(stage: Stage) -> None:
    response = await answered(stage, "text/event-stream", [b"data: 1\n\n", b"data: 2\n\n"])
    assert (response.status, dict(response.headers)["content-type"]) == (200, "text/event-stream")
    assert await body(response) == b"data: 1\n\ndata: 2\n\n"


async def test_a_prelude_gives_status_headers_and_cookies_however_it_is_cut(stage: Stage) -> None:
    prelude = json.dumps({"statusCode": 201, "headers": {"X-A": "b"}, "cookies": ["c=d"]}).encode()
    whole = prelude + bytes(8) + b"the body"
    response = await answered(stage, INTEGRATION, [whole[at : at + 7] for at in range(0, len(whole), 7)])
    assert response.status == 201
    assert [pair for pair in response.headers if not pair[0].startswith("x-amzn")] == [
        ("x-a", "b"),
        ("content-type", "application/octet-stream"),
        ("set-cookie", "c=d"),
    ]
    assert await body(response) == b"the body"


@pytest.mark.parametrize(
    "parts",
    [[b'{"statusCode":200}'], [b"no json" + bytes(8)], [b"[]" + bytes(8)], [bytes([65]) * (MOST_PRELUDE + 1)]],
    ids=["no end", "no JSON", "no object", "too long"],
)
async def test_a_prelude_that_makes_no_sense_is_a_bad_gateway(stage: Stage, parts: list[bytes]) -> None:
    assert (await answered(stage, INTEGRATION, parts)).status == 502


async def test_an_answer_that_is_cut_off_is_not_ended_as_if_it_were_whole(stage: Stage) -> None:
    stage.engine.script = lambda target, call: failed(Failure("raised", RAISED))
    response = await answered(stage, "text/plain", [b"half"])
    with pytest.raises(AnswerCutOffError) as caught:
        await body(response)
    assert isinstance(caught.value, MayflyError)


async def test_a_function_that_fails_before_its_first_part_is_a_bad_gateway(stage: Stage) -> None:
    url_id = await with_url(stage, InvokeMode="RESPONSE_STREAM")
    stage.engine.script = lambda target, call: failed(Failure("raised", RAISED))
    assert (await ask(stage, url_id)).status == 502


async def test_a_whole_answer_is_understood_as_ever(stage: Stage) -> None:
    url_id = await with_url(stage, InvokeMode="RESPONSE_STREAM")
    stage.engine.script = lambda target, call: ok(b'{"statusCode":404,"body":"no"}')
    response = await ask(stage, url_id)
    assert (response.status, response.body) == (404, b"no")


async def test_a_buffered_url_puts_a_streamed_answer_together(stage: Stage) -> None:
    url_id = await with_url(stage)
    stage.engine.script = lambda target, call: ok(b'{"statusCode":418}' + bytes(8) + b"tea", content_type=INTEGRATION)
    response = await ask(stage, url_id)
    assert (response.status, response.body) == (418, b"tea")


async def test_nobody_waits_for_the_body_of_a_head_request(stage: Stage) -> None:
    url_id = await with_url(stage, InvokeMode="RESPONSE_STREAM")
    stage.engine.parts = ("text/plain", [b"x"])
    response = await ask(stage, url_id, request("HEAD"))
    assert response.status == 200
    assert await body(response) == b""
