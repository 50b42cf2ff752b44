"""Scaling configurations as they are asked for, told to the engine, and shown."""

from typing import Any

import pytest

from mayfly.settings import FunctionLimits
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage
from tests.services.functions.test_provisioned import put as provision
from tests.services.functions.test_provisioned import refused as provision_refused
from tests.services.functions.test_provisioned import told, two_versions

INVALID = "InvalidParameterValueException"


def config(least: int | None = None, most: int | None = None) -> dict[str, int]:
    members = {"MinExecutionEnvironments": least, "MaxExecutionEnvironments": most}
    return {name: value for name, value in members.items() if value is not None}


async def put(stage: Stage, qualifier: str, least: int | None = None, most: int | None = None) -> str:
    reply = await stage.call(
        "PutFunctionScalingConfig", FunctionName="f", Qualifier=qualifier, FunctionScalingConfig=config(least, most)
    )
    return str(reply["FunctionState"])


async def refused(
    stage: Stage, qualifier: str, least: int | None = None, most: int | None = None, function: str = "f"
) -> tuple[str, str]:
    error = await stage.refusal(
        "PutFunctionScalingConfig",
        FunctionName=function,
        Qualifier=qualifier,
        FunctionScalingConfig=config(least, most),
    )
    return error.code, error.message


async def get(stage: Stage, qualifier: str) -> Any:
    return await stage.call("GetFunctionScalingConfig", FunctionName="f", Qualifier=qualifier)


async def most_of_calls(stage: Stage, qualifier: str) -> int | None:
    """The most instances that the engine is told of by a call."""
    await stage.call("Invoke", FunctionName="f", Qualifier=qualifier)
    return stage.engine.calls[-1][0].most_instances


async def test_what_is_requested_is_kept_and_applied_when_it_is_there(stage: Stage) -> None:
    await two_versions(stage)
    assert await get(stage, "1") == {"FunctionArn": f"{ARN}f:1"}
    assert await put(stage, "1", 5, 8) == "Active"
    await told(stage, v1=5)
    stage.engine.available = 3
    assert await get(stage, "1") == {
        "FunctionArn": f"{ARN}f:1",
        "AppliedFunctionScalingConfig": config(3, 8),
        "RequestedFunctionScalingConfig": config(5, 8),
    }
    stage.engine.available = 9
    assert (await get(stage, "1"))["AppliedFunctionScalingConfig"] == config(5, 8)
    assert await most_of_calls(stage, "1") == 8
    assert await most_of_calls(stage, "2") is None


@pytest.mark.parametrize(("least", "most"), [(0, None), (None, 4), (0, 4), (2, None)])
async def test_what_nobody_said_is_not_shown(stage: Stage, least: int | None, most: int | None) -> None:
    await two_versions(stage)
    stage.engine.available = 9
    await put(stage, "1", least, most)
    await told(stage, **({"v1": least} if least else {}))
    shown = await get(stage, "1")
    assert shown["RequestedFunctionScalingConfig"] == config(least, most) == shown["AppliedFunctionScalingConfig"]


async def test_another_bound_is_told_to_the_engine_at_once(stage: Stage) -> None:
    await two_versions(stage)
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    key = stage.engine.calls[0][0].key
    await put(stage, "1", most=3)
    assert stage.engine.bounds == {key: 3}
    assert await most_of_calls(stage, "1") == 3
    await put(stage, "1")
    assert stage.engine.bounds == {key: None}
    assert await most_of_calls(stage, "1") is None
    assert {target.key for target, _ in stage.engine.calls} == {key}
    assert stage.engine.retired == []


@pytest.mark.parametrize("given", [{}, {"FunctionScalingConfig": {}}])
async def test_an_empty_one_ends_it(stage: Stage, given: dict[str, Any]) -> None:
    await two_versions(stage)
    await put(stage, "1", 2, 4)
    await told(stage, v1=2)
    await stage.call("PutFunctionScalingConfig", FunctionName="f", Qualifier="1", **given)
    await told(stage)
    assert await get(stage, "1") == {"FunctionArn": f"{ARN}f:1"}


async def test_a_version_that_may_have_no_instance_is_deactivated_until_it_may(stage: Stage) -> None:
    await two_versions(stage)
    await stage.call("Invoke", FunctionName="f", Qualifier="live")
    assert await put(stage, "1", 0, 0) == "Deactivated"
    shown = await stage.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Deactivated", "Successful")
    for qualifier in ("1", "live"):
        error = await stage.refusal("Invoke", FunctionName="f", Qualifier=qualifier)
        assert (error.code, "Deactivated" in error.message) == ("ResourceConflictException", True)
    assert len(stage.engine.calls) == 1
    await stage.call("Invoke", FunctionName="f", Qualifier="2")

    assert await put(stage, "1", 0, 1) == "Active"
    assert await most_of_calls(stage, "live") == 1


async def test_it_is_there_again_after_a_restart(open_stage: OpenStage) -> None:
    stage = await open_stage()
    await two_versions(stage)
    await put(stage, "1", 2, 5)
    await put(stage, "2", most=0)
    await stage.stop(0)
    again = await open_stage()
    await told(again, v1=2)
    assert (await get(again, "1"))["RequestedFunctionScalingConfig"] == config(2, 5)
    assert await most_of_calls(again, "1") == 5
    assert (await again.refusal("Invoke", FunctionName="f", Qualifier="2")).code == "ResourceConflictException"


@pytest.mark.parametrize("what", [{}, {"Qualifier": "1"}])
async def test_it_goes_with_what_it_is_for(stage: Stage, what: dict[str, str]) -> None:
    await two_versions(stage)
    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    await put(stage, "1", 2, 5)
    await told(stage, v1=2)
    await stage.call("DeleteFunction", FunctionName="f", **what)
    await told(stage)
    error = await stage.refusal("GetFunctionScalingConfig", FunctionName="f", Qualifier="1")
    assert (error.code, error.message) == ("ResourceNotFoundException", f"Function not found: {ARN}f:1")


async def test_what_cannot_be_is_refused(stage: Stage) -> None:
    await two_versions(stage)
    assert await refused(stage, "1", 3, 2) == (
        INVALID,
        "MinExecutionEnvironments [3] must not be greater than MaxExecutionEnvironments [2].",
    )
    assert await refused(stage, "9", 1) == ("ResourceNotFoundException", f"Function not found: {ARN}f:9")
    assert await refused(stage, "1", 1, function="g") == ("ResourceNotFoundException", f"Function not found: {ARN}g:1")
    code, message = await refused(stage, "$LATEST.PUBLISHED", 1)
    assert (code, "$LATEST.PUBLISHED" in message) == (INVALID, True)
    assert (await refused(stage, "1", 1, function="f:1"))[0] == INVALID


async def test_not_together_with_snap_start(stage: Stage) -> None:
    await stage.create(SnapStart={"ApplyOn": "PublishedVersions"})
    await stage.call("PublishVersion", FunctionName="f")
    code, message = await refused(stage, "1", 1)
    assert (code, "SnapStart" in message) == (INVALID, True)
    await put(stage, "1", most=2)


async def test_not_together_with_provisioned_concurrency(stage: Stage) -> None:
    await two_versions(stage)
    await provision(stage, "live", 1)
    assert (await refused(stage, "1", most=5))[0] == "ResourceConflictException"
    await put(stage, "2", most=5)
    assert (await provision_refused(stage, "2"))[0] == "ResourceConflictException"
    for moved in ({"FunctionVersion": "2"}, {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}}):
        error = await stage.refusal("UpdateAlias", FunctionName="f", Name="live", **moved)
        assert (error.code, "scaling configuration" in error.message) == ("ResourceConflictException", True)
    await put(stage, "2")
    await stage.call("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    await put(stage, "1", 1)
    await told(stage, v1=1, v2=1)


async def test_what_is_kept_is_paid_for_like_provisioned_concurrency(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(account_concurrency=110, unreserved_minimum=100))
    await two_versions(stage)
    assert (await refused(stage, "1", 11))[1].endswith("below its minimum value of [100].")
    await put(stage, "1", 6)
    assert (await provision_refused(stage, "2", 5))[0] == INVALID
    await put(stage, "1", 10)
    assert (await stage.call("GetAccountSettings"))["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    lower = await stage.refusal("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=9)
    assert "total provisioned concurrency [10]" in lower.message
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=10)
    assert (await refused(stage, "2", 1))[0] == INVALID
