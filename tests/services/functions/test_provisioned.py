"""Provisioned concurrency as it is asked for, told to the engine, and shown."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mayfly.settings import FunctionLimits
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage

NOT_FOUND = "ProvisionedConcurrencyConfigNotFoundException"


async def two_versions(stage: Stage) -> None:
    await stage.create()
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")


async def put(stage: Stage, qualifier: str, number: int) -> Any:
    return await stage.call(
        "PutProvisionedConcurrencyConfig",
        FunctionName="f",
        Qualifier=qualifier,
        ProvisionedConcurrentExecutions=number,
    )


async def get(stage: Stage, qualifier: str) -> Any:
    return await stage.call("GetProvisionedConcurrencyConfig", FunctionName="f", Qualifier=qualifier)


async def refused(stage: Stage, qualifier: str, number: int = 1) -> tuple[str, str]:
    error = await stage.refusal(
        "PutProvisionedConcurrencyConfig",
        FunctionName="f",
        Qualifier=qualifier,
        ProvisionedConcurrentExecutions=number,
    )
    return error.code, error.message


async def told(stage: Stage, **wanted: int) -> None:
    """Return once the engine keeps exactly so many instances of each version."""

    def now() -> dict[str, int]:
        return {target.version: number for target, number in stage.engine.wanted.values() if number}  # type: ignore[attr-defined]

    await until(stage, lambda: now() == {name.strip("v"): number for name, number in wanted.items()})


async def until(stage: Stage, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            stage.engine.arrived.clear()
            await stage.engine.arrived.wait()


async def test_what_is_put_becomes_ready(stage: Stage) -> None:
    await two_versions(stage)
    shown = await put(stage, "1", 5)
    assert shown["Status"] == "IN_PROGRESS"
    assert shown["RequestedProvisionedConcurrentExecutions"] == 5
    assert shown["AllocatedProvisionedConcurrentExecutions"] == 0
    assert shown["LastModified"].endswith("+0000")
    await told(stage, v1=5)

    stage.engine.available = 3
    partly = await get(stage, "1")
    assert (partly["Status"], partly["AvailableProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 3)
    stage.engine.available = 9
    ready = await get(stage, "1")
    assert (ready["Status"], ready["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 5)
    assert "StatusReason" not in ready


async def test_provisioned_instances_know_that_they_are(stage: Stage) -> None:
    await two_versions(stage)
    await put(stage, "1", 1)
    await told(stage, v1=1)
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    ((ahead, _),) = stage.engine.wanted.values()
    called, _ = stage.engine.calls[0]
    assert ahead.key == called.key
    kinds = [(await target.environment("i"))["AWS_LAMBDA_INITIALIZATION_TYPE"] for target in (ahead, called)]
    assert kinds == ["provisioned-concurrency", "on-demand"]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("init failed", "FUNCTION_ERROR_INIT_FAILURE"),
        ("exited", "FUNCTION_ERROR_INIT_FAILURE"),
        ("no memory is left for an instance of 128 MB", "no memory is left for an instance of 128 MB"),
    ],
)
async def test_a_failure_is_shown_with_its_reason(stage: Stage, reason: str, shown: str) -> None:
    await two_versions(stage)
    stage.engine.failure = reason
    await put(stage, "1", 2)
    await told(stage, v1=2)
    status = await get(stage, "1")
    assert (status["Status"], status["StatusReason"]) == ("FAILED", shown)


async def test_an_alias_takes_it_along(stage: Stage) -> None:
    await two_versions(stage)
    await put(stage, "live", 4)
    await told(stage, v1=4)
    await stage.call("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    await told(stage, v2=4)
    await stage.call(
        "UpdateAlias", FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.25}}
    )
    await told(stage, v2=3, v1=1)
    assert (await refused(stage, "live", 5)) == (
        "InvalidParameterValueException",
        "Alias with weights can not be used with Provisioned Concurrency",
    )
    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    await told(stage)


async def test_deleting_it_ends_it(stage: Stage) -> None:
    await two_versions(stage)
    await put(stage, "1", 2)
    await told(stage, v1=2)
    params = {"FunctionName": "f", "Qualifier": "1"}
    assert await stage.call("DeleteProvisionedConcurrencyConfig", **params) == {}
    await told(stage)
    assert (await stage.refusal("GetProvisionedConcurrencyConfig", **params)).code == NOT_FOUND
    assert await stage.call("DeleteProvisionedConcurrencyConfig", **params) == {}


@pytest.mark.parametrize("what", [{}, {"Qualifier": "1"}])
async def test_deleting_what_it_is_for_ends_it(stage: Stage, what: dict[str, str]) -> None:
    await two_versions(stage)
    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    await put(stage, "1", 2)
    await told(stage, v1=2)
    await stage.call("DeleteFunction", FunctionName="f", **what)
    await told(stage)


async def test_it_is_asked_for_again_after_a_restart(open_stage: OpenStage) -> None:
    stage = await open_stage()
    await two_versions(stage)
    await put(stage, "1", 2)
    await stage.call("CreateAlias", FunctionName="f", Name="next", FunctionVersion="2")
    await put(stage, "next", 3)
    await stage.stop(0)
    again = await open_stage()
    await told(again, v1=2, v2=3)
    assert (await get(again, "next"))["RequestedProvisionedConcurrentExecutions"] == 3


async def test_one_setting_a_version(stage: Stage) -> None:
    await two_versions(stage)
    await put(stage, "1", 1)
    alias_conflict = (
        "ResourceConflictException",
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    )
    assert await refused(stage, "live") == alias_conflict
    await stage.call("DeleteProvisionedConcurrencyConfig", FunctionName="f", Qualifier="1")
    await put(stage, "live", 1)
    await put(stage, "live", 2)
    assert await refused(stage, "1") == (
        "ResourceConflictException",
        "Version is pointed by a Provisioned Concurrency alias",
    )
    await put(stage, "2", 1)
    moved = await stage.refusal("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    assert (moved.code, moved.message) == alias_conflict


async def test_nothing_is_provisioned_for_the_unpublished_version(stage: Stage) -> None:
    await two_versions(stage)
    await stage.call("CreateAlias", FunctionName="f", Name="edge", FunctionVersion="$LATEST")
    unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    for qualifier in ("$LATEST", "edge"):
        assert await refused(stage, qualifier) == ("InvalidParameterValueException", unpublished)
    for operation in ("GetProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"):
        error = await stage.refusal(operation, FunctionName="f", Qualifier="$LATEST")
        assert error.message == "The function resource provided must be an alias or a published version."


@pytest.mark.parametrize(
    ("function", "qualifier", "message"),
    [
        ("f", "10", f"Function not found: {ARN}f:10"),
        ("f", "none", f"Cannot find alias arn: {ARN}f:none"),
        ("g", "1", f"Function not found: {ARN}g:1"),
        ("g", "none", f"Cannot find alias arn: {ARN}g:none"),
    ],
)
async def test_what_is_not_there(stage: Stage, function: str, qualifier: str, message: str) -> None:
    await two_versions(stage)
    params: dict[str, Any] = {"FunctionName": function, "Qualifier": qualifier}
    for operation in ("GetProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"):
        assert (await stage.refusal(operation, **params)).message == message
    params["ProvisionedConcurrentExecutions"] = 1
    error = await stage.refusal("PutProvisionedConcurrencyConfig", **params)
    assert (error.code, error.message) == ("ResourceNotFoundException", message)


async def test_the_account_keeps_its_minimum(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(account_concurrency=1000, unreserved_minimum=100))
    await two_versions(stage)
    assert await refused(stage, "1", 1001) == (
        "InvalidParameterValueException",
        "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].",
    )
    assert await refused(stage, "1", 901) == (
        "InvalidParameterValueException",
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
        "minimum value of [100].",
    )
    await put(stage, "1", 500)
    assert (await refused(stage, "2", 401))[0] == "InvalidParameterValueException"
    await put(stage, "2", 400)
    limits = (await stage.call("GetAccountSettings"))["AccountLimit"]
    assert limits["UnreservedConcurrentExecutions"] == 100
    await stage.create("g")
    other = await stage.refusal("PutFunctionConcurrency", FunctionName="g", ReservedConcurrentExecutions=1)
    assert "below its minimum value of [100]" in other.message


async def test_a_reservation_pays_for_it(stage: Stage) -> None:
    await two_versions(stage)
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=5)
    await put(stage, "1", 3)
    assert await refused(stage, "2", 3) == (
        "InvalidParameterValueException",
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
    )
    await put(stage, "2", 2)
    lower = await stage.refusal("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=4)
    assert lower.message == (
        " ReservedConcurrentExecutions  4 should not be lower than function's total provisioned concurrency [5]."
    )


async def test_not_together_with_snap_start(stage: Stage) -> None:
    await stage.create(SnapStart={"ApplyOn": "PublishedVersions"})
    await stage.call("PublishVersion", FunctionName="f")
    code, message = await refused(stage, "1")
    assert (code, "SnapStart" in message) == ("InvalidParameterValueException", True)


async def test_all_settings_of_a_function_are_listed_in_pages(stage: Stage) -> None:
    await two_versions(stage)
    assert await stage.call("ListProvisionedConcurrencyConfigs", FunctionName="f") == {
        "ProvisionedConcurrencyConfigs": []
    }
    await put(stage, "live", 1)
    await put(stage, "2", 2)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=10)
    await stage.call("PublishVersion", FunctionName="f")
    await put(stage, "3", 3)
    first = await stage.call("ListProvisionedConcurrencyConfigs", FunctionName="f", MaxItems=2)
    assert len(first["ProvisionedConcurrencyConfigs"]) == 2
    rest = await stage.call("ListProvisionedConcurrencyConfigs", FunctionName="f", Marker=first["NextMarker"])
    shown = [each for page in (first, rest) for each in page["ProvisionedConcurrencyConfigs"]]
    assert [(each["FunctionArn"], each["RequestedProvisionedConcurrentExecutions"]) for each in shown] == [
        (f"{ARN}f:2", 2),
        (f"{ARN}f:3", 3),
        (f"{ARN}f:live", 1),
    ]
    assert "NextMarker" not in rest
    missing = await stage.refusal("ListProvisionedConcurrencyConfigs", FunctionName="g")
    assert missing.message == f"Function not found: {ARN}g"


async def test_how_much_is_used_of_what_an_alias_points_to_is_told_once(stage: Stage) -> None:
    await two_versions(stage)
    assert await stage.functions.provisioned.use("f", "live") is None
    assert await stage.functions.provisioned.use("f", "9") is None
    assert await stage.functions.provisioned.use("f", "$LATEST") is None
    stage.engine.available = 10
    await put(stage, "live", 3)
    await told(stage, **{"1": 3})
    (key,) = stage.engine.wanted
    stage.engine.peaks[key] = 2
    assert await stage.functions.provisioned.use("f", "live") == (2, 3)
    assert await stage.functions.provisioned.use("f", "live") == (0, 3)
