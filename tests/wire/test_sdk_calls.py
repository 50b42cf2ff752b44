"""Operations by the names and the JSON that AWS's SDKs have for them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.wire.in_process import InProcessOperations
from mayfly.wire.operations import Catalogue
from mayfly.wire.sdk_calls import SdkCalls

from .platform import MODELS, Recorder

CONTEXT = RequestContext("id", "000000000000", "us-east-1", ANONYMOUS, "http://127.0.0.1:4566")


def calls(*services: Recorder) -> SdkCalls:
    operations = InProcessOperations({service.name: service for service in services}, Catalogue(MODELS))
    return SdkCalls(operations, MODELS)


async def test_services_and_operations_are_found_by_the_names_of_the_sdks() -> None:
    found = calls(Recorder("logs", {"CreateLogGroup": {}}), Recorder("lambda", {"Invoke": {}}))
    assert await found.find("cloudwatchlogs", "createLogGroup") == ("logs", "CreateLogGroup")
    assert await found.find("lambda", "invoke") == ("lambda", "Invoke")
    assert await found.find("lambda", "getFunction") is None
    assert await found.find("logs", "createLogGroup") is None


async def test_json_becomes_what_the_model_says() -> None:
    service = Recorder("lambda", {"Invoke": {"StatusCode": 202}})
    given = {"functionName": "f", "InvocationType": "Event", "Payload": '{"a":1}'}
    reply = await calls(service).call_json(CONTEXT, "lambda", "Invoke", given)
    assert reply == {"StatusCode": 202}
    ((_, params),) = service.calls
    assert (params["FunctionName"], params["InvocationType"]) == ("f", "Event")
    assert await _bytes(params["Payload"]) == b'{"a":1}'


async def test_members_of_maps_and_lists_are_read_and_keys_of_maps_are_left_alone() -> None:
    service = Recorder("dynamodb", {"PutItem": {}})
    given = {"TableName": "table", "Item": {"id": {"S": "v"}, "Id": {"l": [{"B": "bytes"}]}}}
    await calls(service).call_json(CONTEXT, "dynamodb", "PutItem", given)
    assert service.calls[0][1]["Item"] == {"id": {"S": "v"}, "Id": {"L": [{"B": b"bytes"}]}}


async def test_a_body_is_a_stream_and_dates_are_read() -> None:
    service = Recorder("s3", {"PutObject": {}})
    given = {"Bucket": "bucket", "Key": "k", "Body": "text", "Expires": "2026-01-01T00:00:00Z"}
    await calls(service).call_json(CONTEXT, "s3", "PutObject", given)
    params = service.calls[0][1]
    assert await _bytes(params["Body"]) == b"text"
    assert params["Expires"] in (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z")


@pytest.mark.parametrize("given", [{"FunctionName": "f", "Colour": "blue"}, {}, {"FunctionName": 3}])
async def test_what_does_not_fit_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ServiceError):
        await calls(Recorder("lambda", {"Invoke": {}})).call_json(CONTEXT, "lambda", "Invoke", given)


async def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b"".join([part async for part in value])
