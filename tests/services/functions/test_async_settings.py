"""EventInvokeConfig."""

from typing import Any

import pytest

from tests.services.functions.stage import ARN, Stage


async def test_settings_are_put_replaced_and_deleted(stage: Stage) -> None:
    await stage.create()
    shown = await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1)
    assert shown["FunctionArn"] == f"{ARN}f:$LATEST"
    assert shown["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    assert (shown["MaximumRetryAttempts"], "MaximumEventAgeInSeconds" in shown) == (1, False)
    updated = await stage.call("UpdateFunctionEventInvokeConfig", FunctionName="f", MaximumEventAgeInSeconds=60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (1, 60)
    replaced = await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumEventAgeInSeconds=90)
    assert "MaximumRetryAttempts" not in replaced
    assert (await stage.call("ListFunctionEventInvokeConfigs", FunctionName="f"))["FunctionEventInvokeConfigs"] == [
        await stage.call("GetFunctionEventInvokeConfig", FunctionName="f", Qualifier="$LATEST")
    ]
    await stage.call("DeleteFunctionEventInvokeConfig", FunctionName="f")
    error = await stage.refusal("GetFunctionEventInvokeConfig", FunctionName="f")
    assert error.message == f"The function {ARN}f:$LATEST doesn't have an EventInvokeConfig"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"FunctionName": "nope", "MaximumRetryAttempts": 1}, "The function doesn't exist."),
    ({}, "You must specify at least one of error handling or destination setting."),
    ({"DestinationConfig": {"OnFailure": {"Destination": f"{ARN}f"}}}, "You can't specify the function as a dest"),
    ({"DestinationConfig": {"OnFailure": {"Destination": f"{ARN}nope"}}}, "The destination ARN"),
    ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}}}, "is invalid. The"),
    (
        {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:events:us-east-1:000000000000:gone"}}},
        "gone is inv",
    ),
    ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::nothing"}}}, "arn:aws:s3:::nothing is invalid"),
    (
        {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::b"}}},
        "DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::b), onFailure=null) is invalid.",
    ),
    ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:states:us-east-1:0:x"}}}, "onSuccess=null, onFail"),
]


@pytest.mark.parametrize(("params", "message"), REFUSED, ids=lambda value: str(value)[:40])
async def test_settings_that_cannot_be_are_refused(stage: Stage, params: dict[str, Any], message: str) -> None:
    await stage.create()
    assert message in (await stage.refusal("PutFunctionEventInvokeConfig", **{"FunctionName": "f", **params})).message


async def test_settings_that_are_not_there_cannot_be_updated(stage: Stage) -> None:
    await stage.create()
    error = await stage.refusal("UpdateFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1)
    assert error.message == f"The function {ARN}f:$LATEST doesn't have an EventInvokeConfig"
