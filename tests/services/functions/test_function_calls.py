"""Functions as APIs call them."""

import pytest

from mayfly.engine.api import Failure
from mayfly.services.contract import ServiceError
from mayfly.services.ports import FunctionCall
from tests.services.functions.stage import ARN, Stage, failed, ok

ROUTE = "arn:aws:execute-api:us-east-1:000000000000:abc/*/GET/pets"


async def allow(stage: Stage, source: str = "arn:aws:execute-api:us-east-1:000000000000:abc/*/*/*") -> None:
    await stage.create()
    await stage.call(
        "AddPermission",
        FunctionName="f",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=source,
    )


async def test_an_api_gets_what_the_function_answers(stage: Stage) -> None:
    await allow(stage)
    stage.engine.script = lambda target, call: ok(b'{"statusCode":200}')
    reply = await stage.functions.waited.invoke(FunctionCall(f"{ARN}f", b"{}", "id-1", ROUTE))
    assert (reply.payload, reply.failed) == (b'{"statusCode":200}', False)


async def test_an_api_that_the_functions_policy_does_not_name_is_refused(stage: Stage) -> None:
    await allow(stage, "arn:aws:execute-api:us-east-1:000000000000:xyz/*/*/*")
    with pytest.raises(ServiceError) as refused:
        await stage.functions.waited.invoke(FunctionCall(f"{ARN}f", b"{}", "id-1", ROUTE))
    assert refused.value.code == "AccessDeniedException"
    assert f"on behalf of {ROUTE}" in refused.value.message


async def test_who_has_made_sure_of_the_right_needs_no_permission(stage: Stage) -> None:
    await stage.create()
    reply = await stage.functions.waited.invoke(FunctionCall(f"{ARN}f", b"{}", "id-1", None))
    assert not reply.failed


async def test_a_failure_of_the_function_is_a_reply(stage: Stage) -> None:
    await allow(stage)
    stage.engine.script = lambda target, call: failed(Failure("raised", b'{"errorType":"ValueError"}'))
    reply = await stage.functions.waited.invoke(FunctionCall(f"{ARN}f", b"{}", "id-1", ROUTE))
    assert (reply.payload, reply.failed) == (b'{"errorType":"ValueError"}', True)


async def test_a_function_that_is_not_there_is_named(stage: Stage) -> None:
    with pytest.raises(ServiceError) as gone:
        await stage.functions.waited.invoke(FunctionCall(f"{ARN}gone", b"{}", "id-1", ROUTE))
    assert (gone.value.code, gone.value.message) == (
        "ResourceNotFoundException",
        f"Function not found: {ARN}gone:$LATEST",
    )
