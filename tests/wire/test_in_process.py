"""Operations called inside the process are checked like those from outside."""

from typing import Any

import pytest

from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.wire.in_process import InProcessOperations
from mayfly.wire.operations import Catalogue

from .platform import MODELS, Recorder

CONTEXT = RequestContext("id", "000000000000", "us-east-1", ANONYMOUS, "http://127.0.0.1:4566")


def operations(*services: Recorder) -> InProcessOperations:
    return InProcessOperations({service.name: service for service in services}, Catalogue(MODELS))


async def code(call: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        await call
    return caught.value.code


async def test_the_handler_gets_what_was_given_and_its_reply_is_tidied() -> None:
    service = Recorder(
        "lambda", {"GetFunction": {"Configuration": {"FunctionName": "f", "Description": None}, "Tags": ({},)}}
    )
    reply = await operations(service).call(CONTEXT, "lambda", "GetFunction", {"FunctionName": "f", "Qualifier": None})
    assert reply == {"Configuration": {"FunctionName": "f"}, "Tags": [{}]}
    assert service.calls == [("GetFunction", {"FunctionName": "f"})]
    assert service.contexts == [CONTEXT]


async def test_input_is_validated_and_what_is_missing_says_so() -> None:
    calls = operations(Recorder("lambda", {"GetFunction": {}}))
    assert await code(calls.call(CONTEXT, "lambda", "GetFunction", {})) == "ValidationException"
    assert await code(calls.call(CONTEXT, "lambda", "ListFunctions", {})) == "NotImplemented"
    assert await code(calls.call(CONTEXT, "sns", "ListTopics", {})) == "NotImplemented"
    assert await code(calls.call(CONTEXT, "lambda", "NoSuch", {})) == "UnknownOperationException"
    assert await code(calls.call(CONTEXT, "nosuch", "NoSuch", {})) == "UnknownOperationException"


async def test_an_idempotency_token_is_made_up_when_absent() -> None:
    service = Recorder("dynamodb", {"TransactWriteItems": {}})
    items = [{"Delete": {"TableName": "table", "Key": {"k": {"S": "v"}}}}]
    await operations(service).call(CONTEXT, "dynamodb", "TransactWriteItems", {"TransactItems": items})
    assert len(service.calls[0][1]["ClientRequestToken"]) == 36
