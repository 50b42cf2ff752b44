"""Published versions: what they keep, when they are made, who may remove them."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from mayfly.engine.api import Failure, Prepared
from mayfly.services.functions.version_repository import last_number
from mayfly.settings import FunctionLimits
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage, zipped

OTHER = zipped({"app.py": "def handler(event, context): return 2"})


async def publish(stage: Stage, **params: Any) -> Any:
    return await stage.call("PublishVersion", FunctionName="f", **params)


async def numbers(stage: Stage) -> list[str]:
    return [each["Version"] for each in (await stage.call("ListVersionsByFunction", FunctionName="f"))["Versions"]]


async def test_a_version_keeps_code_and_configuration_as_they_were(stage: Stage) -> None:
    made = await stage.create(Timeout=7, Environment={"Variables": {"STAGE": "one"}})
    first = await publish(stage, Description="the first")
    assert (first["Version"], first["FunctionArn"]) == ("1", f"{ARN}f:1")
    assert (first["Description"], first["State"], first["LastUpdateStatus"]) == ("the first", "Active", "Successful")

    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9, Environment={"Variables": {}})
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
    kept = await stage.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert kept == first
    assert (kept["Timeout"], kept["CodeSha256"]) == (7, made["CodeSha256"])
    assert kept["Environment"] == {"Variables": {"STAGE": "one"}}
    assert await stage.call("GetFunctionConfiguration", FunctionName=f"{ARN}f:1") == first


async def test_publishing_what_has_not_changed_publishes_nothing(stage: Stage) -> None:
    await stage.create(Description="of $LATEST")
    first = await publish(stage, Description="its own")
    assert await publish(stage, Description="another") == first
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=5)
    await stage.call("TagResource", Resource=f"{ARN}f", Tags={"a": "b"})
    assert (await publish(stage))["Version"] == "1"

    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Description="changed")
    second = await publish(stage)
    assert (second["Version"], second["Description"]) == ("2", "changed")
    assert await numbers(stage) == ["$LATEST", "1", "2"]


async def test_numbers_are_never_used_again(stage: Stage) -> None:
    await stage.create()
    await publish(stage)
    await stage.call("DeleteFunction", FunctionName="f", Qualifier="1")
    assert (await publish(stage))["Version"] == "2"
    await stage.call("DeleteFunction", FunctionName="f")
    await stage.create()
    assert (await publish(stage))["Version"] == "3"
    assert await stage.store.read(lambda reader: last_number(reader, "f")) == 3


async def test_preconditions_of_publishing(stage: Stage) -> None:
    made = await stage.create()
    stale = await stage.refusal("PublishVersion", FunctionName="f", RevisionId="another")
    assert (stale.code, stale.status) == ("PreconditionFailedException", 412)
    other = await stage.refusal("PublishVersion", FunctionName="f", CodeSha256="another")
    assert other.message == (
        f"CodeSHA256 (another) is different from current CodeSHA256 in $LATEST ({made['CodeSha256']}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    assert await numbers(stage) == ["$LATEST"]
    await publish(stage, RevisionId=made["RevisionId"], CodeSha256=made["CodeSha256"])
    missing = await stage.refusal("PublishVersion", FunctionName="g")
    assert missing.message == f"Function not found: {ARN}g"


async def test_publish_with_a_new_function_and_with_new_code(stage: Stage) -> None:
    made = await stage.create(Publish=True)
    assert (made["Version"], made["FunctionArn"]) == ("1", f"{ARN}f")
    updated = await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER, Publish=True)
    assert (updated["Version"], updated["FunctionArn"]) == ("2", f"{ARN}f:2")
    again = await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER, Publish=True)
    assert again == updated
    dry = await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped(), Publish=True, DryRun=True)
    assert dry["Version"] == "$LATEST"
    assert await numbers(stage) == ["$LATEST", "1", "2"]


async def test_versions_are_listed_by_number_in_pages(stage: Stage) -> None:
    await stage.create()
    for number in range(1, 13):
        await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=number)
        await publish(stage)
    seen: list[Any] = []
    marker: dict[str, str] = {}
    while True:
        page = await stage.call("ListVersionsByFunction", FunctionName="f", MaxItems=5, **marker)
        assert len(page["Versions"]) <= 5
        seen += [(each["Version"], each["FunctionArn"]) for each in page["Versions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert seen == [(label, f"{ARN}f:{label}") for label in ["$LATEST", *map(str, range(1, 13))]]
    only = await stage.call("ListVersionsByFunction", FunctionName="f", MaxItems=1)
    assert not {"State", "LastUpdateStatus"} & only["Versions"][0].keys()
    assert [each["Version"] for each in only["Versions"]] == ["$LATEST"]
    assert (await stage.refusal("ListVersionsByFunction", FunctionName="f", Marker="x")).status == 400


async def test_all_versions_of_all_functions_are_listed_in_pages(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        await stage.create(name)
    await stage.call("PublishVersion", FunctionName="a")
    await stage.call("PublishVersion", FunctionName="c")
    for limit in (1, 2, 10):
        seen: list[str] = []
        marker: dict[str, str] = {}
        while True:
            page = await stage.call("ListFunctions", FunctionVersion="ALL", MaxItems=limit, **marker)
            seen += [each["FunctionArn"].removeprefix(ARN) for each in page["Functions"]]
            if "NextMarker" not in page:
                break
            marker = {"Marker": page["NextMarker"]}
        assert seen == ["a:$LATEST", "a:1", "b:$LATEST", "c:$LATEST", "c:1"]


async def test_a_version_runs_as_itself(stage: Stage) -> None:
    await stage.create(Handler="app.handler", MemorySize=256)
    await publish(stage)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", MemorySize=512)
    reply = await stage.call("Invoke", FunctionName="f", Qualifier="1")
    assert (reply["ExecutedVersion"], reply["StatusCode"]) == ("1", 200)
    latest = await stage.call("Invoke", FunctionName="f:$LATEST")
    assert latest["ExecutedVersion"] == "$LATEST"

    (one, call), (two, _) = stage.engine.calls
    assert (one.sandbox.memory_mb, two.sandbox.memory_mb) == (256, 512)
    assert one.key != two.key
    assert one.function == two.function == f"{ARN}f"
    assert call.arn == f"{ARN}f:1"
    environment = await one.environment("i-7")
    assert environment["AWS_LAMBDA_FUNCTION_VERSION"] == "1"
    assert "/[1]" in environment["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert [record.function_arn for record in stage.records.usage] == [f"{ARN}f:1", f"{ARN}f:$LATEST"]
    assert any("Version: 1\n" in line for line in stage.records.lines)


async def test_updating_the_function_leaves_a_versions_instances_alone(stage: Stage) -> None:
    await stage.create()
    await publish(stage)
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    await stage.call("Invoke", FunctionName="f")
    published, latest = (target.key for target, _ in stage.engine.calls)
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
    assert stage.engine.retired == [latest]
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    assert stage.engine.calls[-1][0].key == published


async def test_a_reservation_reaches_versions(stage: Stage) -> None:
    await stage.create()
    await publish(stage)
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    refused = await stage.refusal("Invoke", FunctionName="f", Qualifier="1")
    assert refused.code == "TooManyRequestsException"


async def test_what_is_not_there_is_not_found(stage: Stage) -> None:
    await stage.create()
    for operation in ("GetFunction", "GetFunctionConfiguration", "Invoke"):
        for qualifier in ("1", "01", "9" * 30, "prod"):
            refused = await stage.refusal(operation, FunctionName="f", Qualifier=qualifier)
            assert (refused.code, refused.message) == (
                "ResourceNotFoundException",
                f"Function not found: {ARN}f:{qualifier}",
            )


async def test_deleting_a_version(stage: Stage) -> None:
    await stage.create()
    await publish(stage)
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    key = stage.engine.calls[0][0].key
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    refused = await stage.refusal("DeleteFunction", FunctionName="f:1")
    assert (refused.code, refused.status, refused.message) == (
        "ResourceConflictException",
        409,
        "Unable to delete version because the following aliases reference it: [live]",
    )
    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    assert await stage.call("DeleteFunction", FunctionName="f:1") == {"StatusCode": 204}
    assert stage.engine.retired == [key]
    assert (await stage.refusal("Invoke", FunctionName="f", Qualifier="1")).code == "ResourceNotFoundException"
    assert await stage.call("DeleteFunction", FunctionName="f:1") == {"StatusCode": 204}
    await stage.call("Invoke", FunctionName="f")


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("live", "Deletion of aliases is not currently supported."),
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
    ],
)
async def test_only_versions_can_be_deleted_by_qualifier(stage: Stage, qualifier: str, message: str) -> None:
    await stage.create()
    refused = await stage.refusal("DeleteFunction", FunctionName="f", Qualifier=qualifier)
    assert (refused.code, refused.message) == ("InvalidParameterValueException", message)
    missing = await stage.refusal("DeleteFunction", FunctionName="g", Qualifier="live")
    assert missing.message == f"Function not found: {ARN}g"
    never = await stage.refusal("Invoke", FunctionName="g")
    assert never.message == f"Function not found: {ARN}g:$LATEST"


async def test_deleting_a_function_takes_everything_along(stage: Stage) -> None:
    await stage.create()
    await publish(stage)
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await stage.call("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    await stage.call("Invoke", FunctionName="f", Qualifier="live")
    await stage.call("DeleteFunction", FunctionName="f")
    assert stage.engine.retired == [stage.engine.calls[0][0].key]
    await stage.create()
    assert await numbers(stage) == ["$LATEST"]
    assert (await stage.call("ListAliases", FunctionName="f"))["Aliases"] == []
    assert (await stage.call("ListFunctionUrlConfigs", FunctionName="f"))["FunctionUrlConfigs"] == []


async def test_a_package_stays_as_long_as_a_version_uses_it(stage: Stage, tmp_path: Path) -> None:
    made = await stage.create()
    digest = base64.b64decode(made["CodeSha256"]).hex()
    await publish(stage)
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
    await stage.functions.sweep(0.0)
    await stage.blobs.sweep(0.0)
    assert (tmp_path / "code" / digest).is_dir()
    assert await stage.blobs.read_bytes(digest) == zipped()
    await stage.call("DeleteFunction", FunctionName="f", Qualifier="1")
    await stage.functions.sweep(0.0)
    assert not (tmp_path / "code" / digest).exists()


async def test_packages_of_versions_count(open_stage: OpenStage) -> None:
    size = len(zipped())
    stage = await open_stage(FunctionLimits(code_storage_bytes=2 * size))
    await stage.create()
    await publish(stage)
    usage = (await stage.call("GetAccountSettings"))["AccountUsage"]
    assert usage == {"TotalCodeSize": 2 * size, "FunctionCount": 1}
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    assert (await stage.refusal("PublishVersion", FunctionName="f")).code == "CodeStorageExceededException"
    assert await numbers(stage) == ["$LATEST", "1"]


# SnapStart.


async def active(stage: Stage, version: str = "1") -> Any:
    """The version's configuration once it is pending no more."""
    async with asyncio.timeout(60):
        while True:
            found = await stage.call("GetFunctionConfiguration", FunctionName="f", Qualifier=version)
            if found["State"] != "Pending":
                return found


SNAP_START = {"ApplyOn": "PublishedVersions"}


async def test_a_version_to_start_from_after_init_is_pending_until_that_is_made(stage: Stage) -> None:
    stage.engine.prepared = Prepared(optimized=True)
    made = await stage.create(SnapStart=SNAP_START)
    assert made["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    version = await publish(stage)
    assert (version["State"], version["StateReasonCode"]) == ("Pending", "Creating")
    assert "LastUpdateStatus" not in version

    done = await active(stage)
    assert (done["State"], done["LastUpdateStatus"]) == ("Active", "Successful")
    assert done["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert [(target.snap_start, target.key.endswith("$LATEST")) for target in stage.engine.preparing] == [(True, False)]
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    environment = await stage.engine.calls[0][0].environment("i")
    assert environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
    latest = await stage.call("GetFunctionConfiguration", FunctionName="f")
    assert latest["SnapStart"]["OptimizationStatus"] == "Off"


async def test_where_no_template_can_be_had_nothing_is_claimed(stage: Stage) -> None:
    await stage.create(SnapStart=SNAP_START)
    await publish(stage)
    done = await active(stage)
    assert done["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    environment = await stage.engine.calls[0][0].environment("i")
    assert environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"


async def test_a_version_whose_init_fails_has_failed(stage: Stage) -> None:
    failure = Failure("init-raised", b'{"errorMessage": "no such module"}')
    stage.engine.prepared = Prepared(optimized=False, failure=failure)
    await stage.create(SnapStart=SNAP_START)
    await publish(stage)
    done = await active(stage)
    assert (done["State"], done["StateReasonCode"]) == ("Failed", "FunctionError.RuntimeInitError")
    assert "no such module" in done["StateReason"]
    refused = await stage.refusal("Invoke", FunctionName="f", Qualifier="1")
    assert (refused.code, refused.status) == ("ResourceConflictException", 409)


async def test_a_pending_version_cannot_be_invoked_and_survives_its_server(open_stage: OpenStage) -> None:
    stage = await open_stage()
    stage.engine.before_prepared = asyncio.Event().wait  # which nobody sets
    await stage.create(SnapStart=SNAP_START)
    await publish(stage)
    refused = await stage.refusal("Invoke", FunctionName="f", Qualifier="1")
    assert (refused.code, refused.status) == ("SnapStartNotReadyException", 409)
    await stage.stop(0)

    again = await open_stage()
    assert (await active(again))["State"] == "Active"
