"""InvokeAsync, for old callers."""

import pytest

from tests.services.functions.stage import Stage


async def test_it_accepts_and_the_function_runs_later(stage: Stage) -> None:
    await stage.create()
    headers = {"x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"}
    assert await stage.call("InvokeAsync", headers, FunctionName="f", InvokeArgs=b'{"a": 1}') == {"Status": 202}
    await stage.drained()
    ((_, call),) = stage.engine.calls
    assert call.payload == b'{"a": 1}'
    assert "1-5759e988-bd862e3fe1be46a994272793" not in (call.trace_id or ""), "traces are not handed on"


@pytest.mark.parametrize(
    ("payload", "code", "status"),
    [
        (b"{", "InvalidRequestContentException", 400),
        (b'"' + b"x" * (256 << 10) + b'"', "RequestTooLargeException", 413),
    ],
    ids=["no JSON", "too large"],
)
async def test_it_refuses_what_it_cannot_take(stage: Stage, payload: bytes, code: str, status: int) -> None:
    await stage.create()
    refused = await stage.refusal("InvokeAsync", FunctionName="f", InvokeArgs=payload)
    assert (refused.code, refused.status) == (code, status)


async def test_a_function_that_is_not_there_is_refused(stage: Stage) -> None:
    assert (await stage.refusal("InvokeAsync", FunctionName="f", InvokeArgs=b"{}")).status == 404
