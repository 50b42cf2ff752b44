"""Creating, reading, listing, changing and deleting functions."""

import asyncio
import json
from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.settings import FunctionLimits
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, ROLE, Stage, ok, zipped


async def test_a_created_function_is_described_with_awss_defaults(stage: Stage) -> None:
    shown = await stage.create()
    assert shown["FunctionArn"] == f"{ARN}f"
    assert (shown["Timeout"], shown["MemorySize"], shown["EphemeralStorage"]) == (3, 128, {"Size": 512})
    assert (shown["State"], shown["LastUpdateStatus"], shown["Version"]) == ("Active", "Successful", "$LATEST")
    assert shown["TracingConfig"] == {"Mode": "PassThrough"}
    assert shown["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
    assert shown["LastModified"] == "2023-11-14T22:13:20.000+0000"
    assert "Environment" not in shown
    assert await stage.call("GetFunctionConfiguration", FunctionName="f") == shown


@pytest.mark.parametrize("name", ["f", f"{ARN}f", "function:f", "000000000000:function:f"])
async def test_a_function_is_found_by_every_form_of_its_name(stage: Stage, name: str) -> None:
    await stage.create()
    assert (await stage.call("GetFunctionConfiguration", FunctionName=name))["FunctionArn"] == f"{ARN}f"
    qualified = await stage.call("GetFunctionConfiguration", FunctionName=f"{name}:$LATEST")
    assert qualified["FunctionArn"] == f"{ARN}f:$LATEST"


async def test_a_function_that_is_not_there_is_not_found_by_its_arn(stage: Stage) -> None:
    error = await stage.refusal("GetFunction", FunctionName="nope")
    assert (error.code, error.message, error.status) == (
        "ResourceNotFoundException",
        f"Function not found: {ARN}nope",
        404,
    )
    assert error.members == {"Type": "User"}


async def test_names_that_lead_elsewhere_are_refused(stage: Stage) -> None:
    await stage.create()
    other_region = "arn:aws:lambda:eu-west-1:000000000000:function:f"
    assert (await stage.refusal("GetFunction", FunctionName=other_region)).message == (
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    )
    other_account = "arn:aws:lambda:us-east-1:111111111111:function:f"
    assert (await stage.refusal("GetFunction", FunctionName=other_account)).code == "AccessDeniedException"
    assert (await stage.refusal("GetFunction", FunctionName="f:1", Qualifier="2")).message == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )
    assert (await stage.refusal("GetFunction", FunctionName="f", Qualifier="7")).message == (
        f"Function not found: {ARN}f:7"
    )


async def test_a_name_is_given_once(stage: Stage) -> None:
    await stage.create()
    with pytest.raises(Exception, match="Function already exist: f") as error:
        await stage.create()
    assert error.value.code == "ResourceConflictException"  # type: ignore[attr-defined]


async def test_functions_are_listed_in_pages(stage: Stage) -> None:
    for name in ("c", "a", "b"):
        await stage.create(name)
    first = await stage.call("ListFunctions", MaxItems=2)
    assert [shown["FunctionName"] for shown in first["Functions"]] == ["a", "b"]
    rest = await stage.call("ListFunctions", MaxItems=2, Marker=first["NextMarker"])
    assert [shown["FunctionName"] for shown in rest["Functions"]] == ["c"]
    assert "NextMarker" not in rest


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"Role": f"{ROLE}-not"}, "InvalidParameterValueException", "The role defined for the function cannot be assumed"),
    ({"Role": "arn:aws:iam::111111111111:role/r"}, "AccessDeniedException", "Cross-account pass role is not allowed."),
    ({"Runtime": "cobol1"}, "InvalidParameterValueException", "Value cobol1 at 'runtime' failed to satisfy"),
    ({"Runtime": "python3.7"}, "InvalidParameterValueException", "python3.7 is no longer supported"),
    ({"Runtime": "python3.15"}, "InvalidParameterValueException", "no interpreter was found"),
    ({"Runtime": "nodejs26.x"}, "InvalidParameterValueException", "cannot be had on this machine: no interpreter was"),
    ({"Runtime": "nodejs16.x"}, "InvalidParameterValueException", "nodejs16.x is no longer supported"),
    ({"Runtime": "dotnet8"}, "InvalidParameterValueException", "Mayfly does not implement the runtime dotnet8 yet"),
    ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
    ({"MemorySize": 10_241}, "ValidationException", "less than or equal to 10240"),
    ({"EphemeralStorage": {"Size": 10_241}}, "ValidationException", "less than or equal to 10240"),
    ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "request: AWS_REGION"),
    ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValueException", "exceeded the 4KB limit"),
    ({"PackageType": "Image"}, "InvalidParameterValueException", "created with container images"),
    ({"VpcConfig": {"SubnetIds": ["s"]}}, "InvalidParameterValueException", "VpcConfig"),
    (
        {"SnapStart": {"ApplyOn": "PublishedVersions"}, "EphemeralStorage": {"Size": 1024}},
        "InvalidParameterValueException",
        "ephemeral storage larger than 512 MB",
    ),
    ({"DeadLetterConfig": {"TargetArn": "arn"}}, "InvalidParameterValueException", "dead letters go to"),
    ({"KMSKeyArn": "arn"}, "InvalidParameterValueException", "KMSKeyArn"),
    (
        {"Architectures": ["arm64"], "Runtime": "provided.al2023"},
        "InvalidParameterValueException",
        "which is x86_64; Architectures [arm64] cannot be had",
    ),
    ({"Code": {}}, "InvalidParameterValueException", "Please provide a source for function code."),
    ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file."),
    ({"Code": {"S3Bucket": "bbb", "S3Key": "k"}}, "InvalidParameterValueException", "S3 Error Code: NoSuchKey"),
    ({"Tags": {str(n): "" for n in range(51)}}, "InvalidParameterValueException", "exceeds resource tag limit"),
    ({"FunctionName": "x" * 65}, "InvalidParameterValueException", "less than or equal to 64"),
    ({"PublishTo": "LATEST_PUBLISHED"}, "InvalidParameterValueException", "PublishTo"),
]


@pytest.mark.parametrize(("params", "code", "message"), REFUSED, ids=lambda value: str(value)[:40])
async def test_what_cannot_be_is_refused_and_changes_nothing(
    stage: Stage, params: dict[str, Any], code: str, message: str
) -> None:
    usual = {
        "FunctionName": "f",
        "Runtime": "python3.11",
        "Handler": "h.h",
        "Role": ROLE,
        "Code": {"ZipFile": zipped()},
    }
    error = await stage.refusal("CreateFunction", **{**usual, **params})
    assert error.code == code
    assert message in error.message
    assert (await stage.call("ListFunctions"))["Functions"] == []


async def test_a_managed_runtime_runs_functions_of_the_other_architecture(stage: Stage) -> None:
    made = await stage.create(Architectures=["arm64"])
    assert made["Architectures"] == ["arm64"]
    changed = await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped(), Architectures=["x86_64"])
    assert changed["Architectures"] == ["x86_64"]


async def test_defaults_that_are_spelled_out_are_accepted(stage: Stage) -> None:
    await stage.create(
        PackageType="Zip",
        Layers=[],
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        TracingConfig={"Mode": "PassThrough"},
        SnapStart={"ApplyOn": "None"},
        DeadLetterConfig={"TargetArn": ""},
        Architectures=["x86_64"],
        KMSKeyArn="",
        Publish=False,
    )


async def test_a_configuration_is_changed_member_by_member(stage: Stage) -> None:
    created = await stage.create(Environment={"Variables": {"A": "1"}}, Timeout=7)
    stage.clock.advance(5)
    changed = await stage.call("UpdateFunctionConfiguration", FunctionName="f", MemorySize=256)
    assert (changed["MemorySize"], changed["Timeout"], changed["Environment"]) == (256, 7, {"Variables": {"A": "1"}})
    assert changed["RevisionId"] != created["RevisionId"]
    assert changed["LastModified"] > created["LastModified"]


async def test_a_stale_revision_is_a_failed_precondition(stage: Stage) -> None:
    created = await stage.create()
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", RevisionId=created["RevisionId"], Timeout=4)
    for operation, params in (
        ("UpdateFunctionConfiguration", {"Timeout": 5}),
        ("UpdateFunctionCode", {"ZipFile": zipped()}),
    ):
        error = await stage.refusal(operation, FunctionName="f", RevisionId=created["RevisionId"], **params)
        assert (error.code, error.status) == ("PreconditionFailedException", 412)
    assert (await stage.call("GetFunctionConfiguration", FunctionName="f"))["Timeout"] == 4


async def test_an_updated_function_runs_on_new_instances_and_a_renamed_description_does_not(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    await stage.call("TagResource", Resource=f"{ARN}f", Tags={"a": "b"})
    await stage.call("Invoke", FunctionName="f")
    assert stage.engine.retired == []
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"app.py": "pass"}))
    await stage.call("Invoke", FunctionName="f")
    first, second, third = (target for target, _ in stage.engine.calls)
    assert first.key == second.key != third.key
    assert stage.engine.retired == [first.key]
    assert third.sandbox.code.joinpath("app.py").read_text() == "pass"


async def test_a_dry_run_of_new_code_changes_nothing(stage: Stage) -> None:
    created = await stage.create()
    shown = await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"x.py": ""}), DryRun=True)
    assert shown["CodeSha256"] != created["CodeSha256"]
    assert await stage.call("GetFunctionConfiguration", FunctionName="f") == created


async def test_code_comes_from_a_bucket(stage: Stage) -> None:
    stage.bucket.objects["bbb", "k"] = zipped({"from_bucket.py": "x"})
    await stage.create(Code={"S3Bucket": "bbb", "S3Key": "k"})
    await stage.call("Invoke", FunctionName="f")
    assert stage.engine.calls[0][0].sandbox.code.joinpath("from_bucket.py").read_text() == "x"


async def test_a_deleted_function_is_gone_and_its_instances_end(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    assert await stage.call("DeleteFunction", FunctionName="f") == {"StatusCode": 204}
    assert stage.engine.retired == [stage.engine.calls[0][0].key]
    assert (await stage.refusal("Invoke", FunctionName="f")).code == "ResourceNotFoundException"
    assert (await stage.refusal("DeleteFunction", FunctionName="f")).code == "ResourceNotFoundException"


async def test_latest_cannot_be_deleted_alone(stage: Stage) -> None:
    await stage.create()
    error = await stage.refusal("DeleteFunction", FunctionName="f", Qualifier="$LATEST")
    assert error.message == "$LATEST version cannot be deleted without deleting the function."


async def test_functions_survive_a_restart(open_stage: OpenStage) -> None:
    before = await open_stage()
    created = await before.create(Tags={"k": "v"})
    after = await open_stage()
    assert await after.call("GetFunctionConfiguration", FunctionName="f") == created
    after.engine.script = lambda target, call: ok(b'"again"')
    assert (await after.call("Invoke", FunctionName="f"))["Payload"] == b'"again"'


async def test_tags_are_merged_and_taken_away(stage: Stage) -> None:
    await stage.create(Tags={"a": "1"})
    await stage.call("TagResource", Resource=f"{ARN}f", Tags={"a": "2", "b": "3"})
    await stage.call("UntagResource", Resource=f"{ARN}f", TagKeys=["b", "nope"])
    assert await stage.call("ListTags", Resource=f"{ARN}f") == {"Tags": {"a": "2"}}
    assert (await stage.call("GetFunction", FunctionName="f"))["Tags"] == {"a": "2"}
    error = await stage.refusal("TagResource", Resource=f"{ARN}f", Tags={str(n): "" for n in range(50)})
    assert error.message == "Number of tags exceeds resource tag limit."
    assert "aliases and versions" in (await stage.refusal("ListTags", Resource=f"{ARN}f:$LATEST")).message


async def test_reserved_concurrency_leaves_the_account_its_minimum(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(account_concurrency=150))
    await stage.create("f")
    await stage.create("g")
    assert await stage.call("GetFunctionConcurrency", FunctionName="f") == {}
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=40)
    error = await stage.refusal("PutFunctionConcurrency", FunctionName="g", ReservedConcurrentExecutions=11)
    assert "below its minimum value of [100]" in error.message
    await stage.call("PutFunctionConcurrency", FunctionName="g", ReservedConcurrentExecutions=10)
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=30)
    limits = (await stage.call("GetAccountSettings"))["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (150, 110)
    assert (await stage.call("GetFunction", FunctionName="f"))["Concurrency"] == {"ReservedConcurrentExecutions": 30}
    assert stage.engine.reserved == {f"{ARN}f": 30, f"{ARN}g": 10}
    await stage.call("DeleteFunctionConcurrency", FunctionName="f")
    assert stage.engine.reserved[f"{ARN}f"] is None
    assert await stage.call("GetFunctionConcurrency", FunctionName="f") == {}


async def test_the_engine_learns_of_reserved_concurrency_at_start(open_stage: OpenStage) -> None:
    before = await open_stage()
    await before.create()
    await before.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=7)
    assert (await open_stage()).engine.reserved == {f"{ARN}f": 7}


async def test_account_usage_counts_functions_and_their_packages(stage: Stage) -> None:
    await stage.create("f")
    usage = (await stage.call("GetAccountSettings"))["AccountUsage"]
    assert usage == {"FunctionCount": 1, "TotalCodeSize": len(zipped())}


async def test_latest_is_the_only_version(stage: Stage) -> None:
    await stage.create()
    versions = (await stage.call("ListVersionsByFunction", FunctionName="f"))["Versions"]
    assert [shown["FunctionArn"] for shown in versions] == [f"{ARN}f:$LATEST"]


async def test_of_many_who_create_the_same_function_one_succeeds(stage: Stage) -> None:
    results = await asyncio.gather(*(stage.create() for _ in range(10)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ServiceError)]
    assert [error.code for error in refused] == ["ResourceConflictException"] * 9


async def test_changes_that_meet_are_all_kept(stage: Stage) -> None:
    await stage.create()
    await asyncio.gather(
        *(stage.call("TagResource", Resource=f"{ARN}f", Tags={f"t{n}": "x"}) for n in range(20)),
        *(
            stage.call(
                "AddPermission",
                FunctionName="f",
                StatementId=f"s{n}",
                Action="lambda:InvokeFunction",
                Principal="s3.amazonaws.com",
            )
            for n in range(20)
        ),
        stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9),
        stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"x.py": ""})),
        *(stage.call("Invoke", FunctionName="f") for _ in range(20)),
    )
    assert len((await stage.call("ListTags", Resource=f"{ARN}f"))["Tags"]) == 20
    assert len(json.loads((await stage.call("GetPolicy", FunctionName="f"))["Policy"])["Statement"]) == 20
    assert (await stage.call("GetFunctionConfiguration", FunctionName="f"))["Timeout"] == 9
    await stage.call("Invoke", FunctionName="f")
    last = stage.engine.calls[-1][0]
    assert last.timeout_s == 9.0
    assert last.sandbox.code.joinpath("x.py").exists()
    assert last.key not in stage.engine.retired


async def test_a_function_that_is_made_again_shares_nothing_with_the_old_one(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    await stage.call("DeleteFunction", FunctionName="f")
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    old, new = (target.key for target, _ in stage.engine.calls)
    assert old != new
