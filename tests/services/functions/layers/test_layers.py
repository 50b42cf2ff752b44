"""Layers as resources, their policies, and functions that use them, on a stage."""

import asyncio
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mayfly.services.contract import ONCE
from mayfly.settings import FunctionLimits
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ACCOUNT, REGION, Stage, zipped

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:"


async def publish(stage: Stage, name: str = "shared", content: bytes | None = None, **params: Any) -> str:
    """The ARN of a new version."""
    published = await stage.call(
        "PublishLayerVersion", LayerName=name, Content={"ZipFile": content or zipped({f"{name}.txt": name})}, **params
    )
    arn: str = published["LayerVersionArn"]
    return arn


def stored(size: int) -> bytes:
    """A zip that unpacks to so many bytes, none of which compress."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("big", os.urandom(size))
    return buffer.getvalue()


def trees(stage: Stage) -> set[str]:
    """The directories that instances may see."""
    return {path.name for path in (stage.data / "layers").iterdir()} - {"incoming", "compiled"}


def opt(stage: Stage) -> dict[str, str]:
    """What the last call's instance sees below /opt."""
    target, _ = stage.engine.calls[-1]
    assert len(target.sandbox.layers) == 1
    (tree,) = target.sandbox.layers
    return {path.name: path.read_text() for path in Path(tree).iterdir() if path.is_file()}


async def test_versions_are_numbered_and_a_number_is_never_given_twice(stage: Stage) -> None:
    first = await stage.call(
        "PublishLayerVersion",
        LayerName="shared",
        Content={"ZipFile": zipped()},
        Description="d",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.11"],
        CompatibleArchitectures=[],
    )
    assert (first["LayerArn"], first["LayerVersionArn"], first["Version"]) == (f"{ARN}shared", f"{ARN}shared:1", 1)
    assert (first["Description"], first["LicenseInfo"]) == ("d", "MIT")
    assert (first["CompatibleRuntimes"], first["CompatibleArchitectures"]) == (["python3.11"], [])
    assert await publish(stage) == f"{ARN}shared:2"
    for number in (1, 2, 2):
        await stage.call("DeleteLayerVersion", LayerName="shared", VersionNumber=number)
    assert (await stage.call("ListLayerVersions", LayerName="shared")) == {"LayerVersions": []}
    third = await stage.call("PublishLayerVersion", LayerName=f"{ARN}shared", Content={"ZipFile": zipped()})
    assert third["Version"] == 3
    assert not {"LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures"} & set(third)


async def test_a_version_is_the_same_by_number_and_by_arn(stage: Stage) -> None:
    arn = await publish(stage)
    by_number = await stage.call("GetLayerVersion", LayerName="shared", VersionNumber=1)
    by_arn = await stage.call("GetLayerVersionByArn", Arn=arn)
    assert by_number == by_arn
    assert by_arn["Content"]["Location"].startswith("http://127.0.0.1:4566/_mayfly/code/")
    assert {"CodeSha256", "CodeSize"} <= set(by_arn["Content"])


async def test_a_layer_can_come_from_a_bucket(stage: Stage) -> None:
    stage.bucket.objects["code", "layer.zip"] = zipped({"x": "1"})
    made = await stage.call("PublishLayerVersion", LayerName="b", Content={"S3Bucket": "code", "S3Key": "layer.zip"})
    assert made["Content"]["CodeSize"] == len(zipped({"x": "1"}))


@pytest.mark.parametrize(
    ("operation", "params", "code", "words"),
    [
        ("GetLayerVersion", {"LayerName": "no", "VersionNumber": 1}, "ResourceNotFound", "you requested does not"),
        ("GetLayerVersion", {"LayerName": "shared", "VersionNumber": 2}, "ResourceNotFound", "you requested does not"),
        ("GetLayerVersion", {"LayerName": "shared", "VersionNumber": 0}, "InvalidParameterValue", "less than 1"),
        ("GetLayerVersion", {"LayerName": "shared", "VersionNumber": 2**63}, "ResourceNotFound", "does not exist"),
        ("DeleteLayerVersion", {"LayerName": "shared", "VersionNumber": -1}, "InvalidParameterValue", "less than 1"),
        ("GetLayerVersionByArn", {"Arn": f"{ARN}shared:7"}, "ResourceNotFound", "you requested does not exist"),
        (
            "GetLayerVersionByArn",
            {"Arn": f"{ARN}shared:1".replace(ACCOUNT, "1" * 12)},
            "AccessDenied",
            "no resource-based policy allows the lambda:GetLayerVersion action",
        ),
        ("ListLayerVersions", {"LayerName": "shared", "Marker": "x"}, "InvalidParameterValue", "Invalid marker"),
        ("GetLayerVersionPolicy", {"LayerName": "shared", "VersionNumber": 1}, "ResourceNotFound", "No policy is"),
        (
            "GetLayerVersionPolicy",
            {"LayerName": "shared", "VersionNumber": 2},
            "ResourceNotFound",
            f"Layer version {ARN}shared:2 does not exist.",
        ),
        ("PublishLayerVersion", {"LayerName": "x", "Content": {"ZipFile": b"?"}}, "InvalidParameterValue", "unzip"),
        (
            "PublishLayerVersion",
            {"LayerName": "x", "Content": {"ZipFile": zipped()}, "CompatibleRuntimes": ["python3.6", "cobol"]},
            "Validation",
            "Value '[python3.6, cobol]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum",
        ),
        ("ListLayers", {"CompatibleRuntime": "cobol"}, "Validation", "Value 'cobol' at 'compatibleRuntime' failed"),
        ("PublishLayerVersion", {"LayerName": "x", "Content": {}}, "InvalidParameterValue", "provide a source"),
    ],
)
async def test_what_is_wrong_is_said_in_the_words_of_aws(
    stage: Stage, operation: str, params: dict[str, Any], code: str, words: str
) -> None:
    await publish(stage)
    error = await stage.refusal(operation, **params)
    assert error.code == f"{code}Exception"
    assert words in error.message


async def test_lists_have_pages_and_show_what_suits_a_runtime_and_an_architecture(stage: Stage) -> None:
    for number in range(3):
        await publish(stage, "a", CompatibleRuntimes=["python3.11"] if number < 2 else ["nodejs22.x"])
    await publish(stage, "b", CompatibleArchitectures=["x86_64"])
    await publish(stage, "c", CompatibleRuntimes=["python3.11", "python3.12"], CompatibleArchitectures=["arm64"])

    def latest(reply: Any) -> list[tuple[str, int]]:
        return [(one["LayerName"], one["LatestMatchingVersion"]["Version"]) for one in reply["Layers"]]

    first = await stage.call("ListLayers", MaxItems=2)
    rest = await stage.call("ListLayers", MaxItems=2, Marker=first["NextMarker"])
    assert (latest(first), latest(rest)) == ([("a", 3), ("b", 1)], [("c", 1)])
    assert "NextMarker" not in rest
    assert latest(await stage.call("ListLayers", CompatibleRuntime="python3.11")) == [("a", 2), ("c", 1)]
    assert latest(await stage.call("ListLayers", CompatibleArchitecture="x86_64")) == [("b", 1)]

    newest = await stage.call("ListLayerVersions", LayerName="a", MaxItems=1, CompatibleRuntime="python3.11")
    older = await stage.call(
        "ListLayerVersions", LayerName="a", CompatibleRuntime="python3.11", Marker=newest["NextMarker"]
    )
    assert [one["Version"] for one in (*newest["LayerVersions"], *older["LayerVersions"])] == [2, 1]
    assert "NextMarker" not in older


async def test_the_policy_of_a_version_changes_by_statements_and_guards_its_revision(stage: Stage) -> None:
    await publish(stage)
    where = {"LayerName": "shared", "VersionNumber": 1}
    asked = {**where, "Action": "lambda:GetLayerVersion"}
    one = await stage.call("AddLayerVersionPermission", **asked, StatementId="s1", Principal="*")
    assert f'"Resource":"{ARN}shared:1"' in one["Statement"]
    stale = await stage.refusal(
        "AddLayerVersionPermission", **asked, StatementId="s2", Principal="*", RevisionId="wrong"
    )
    assert (stale.code, stale.status) == ("PreconditionFailedException", 412)
    assert "Call the GetLayerPolicy API" in stale.message
    twice = await stage.refusal("AddLayerVersionPermission", **asked, StatementId="s1", Principal="*")
    assert twice.code == "ResourceConflictException"
    two = await stage.call(
        "AddLayerVersionPermission",
        **asked,
        StatementId="s2",
        Principal="123456789012",
        RevisionId=one["RevisionId"],
    )
    policy = await stage.call("GetLayerVersionPolicy", **where)
    assert policy["RevisionId"] == two["RevisionId"] != one["RevisionId"]
    assert '"Principal":{"AWS":"arn:aws:iam::123456789012:root"}' in policy["Policy"]
    gone = await stage.refusal("RemoveLayerVersionPermission", **where, StatementId="s3")
    assert gone.message == "Statement s3 is not found in resource policy."
    for sid in ("s1", "s2"):
        await stage.call("RemoveLayerVersionPermission", **where, StatementId=sid)
    assert (await stage.refusal("GetLayerVersionPolicy", **where)).code == "ResourceNotFoundException"


async def test_an_organization_may_only_be_named_of_everybody(stage: Stage) -> None:
    await publish(stage)
    asked = {"LayerName": "shared", "VersionNumber": 1, "StatementId": "s", "Action": "lambda:GetLayerVersion"}
    named = {**asked, "OrganizationId": "o-0123456789"}
    refused = await stage.refusal("AddLayerVersionPermission", **named, Principal="123456789012")
    assert refused.code == "InvalidParameterValueException"
    made = await stage.call("AddLayerVersionPermission", **named, Principal="*")
    assert '"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-0123456789"}}' in made["Statement"]


async def test_a_function_shows_its_layers_in_order_and_its_versions_keep_theirs(stage: Stage) -> None:
    one, two = await publish(stage, "one"), await publish(stage, "two")
    made = await stage.create(Layers=[two, one], Publish=True)
    assert [layer["Arn"] for layer in made["Layers"]] == [two, one]
    assert [layer["CodeSize"] for layer in made["Layers"]] == [
        len(zipped({"two.txt": "two"})),
        len(zipped({"one.txt": "one"})),
    ]
    changed = await stage.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[one])
    assert [layer["Arn"] for layer in changed["Layers"]] == [one]
    kept = await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=7)
    assert [layer["Arn"] for layer in kept["Layers"]] == [one]
    none = await stage.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[])
    assert "Layers" not in none
    version = await stage.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert [layer["Arn"] for layer in version["Layers"]] == [two, one]


async def test_instances_see_all_layers_put_together_and_the_last_one_wins(stage: Stage) -> None:
    arns = []
    for number in range(5):
        files = {"who": str(number), f"only-{number}": "x"}
        arns.append(await publish(stage, f"l{number}", zipped(files)))
    await stage.create(Layers=arns)
    await stage.call("Invoke", FunctionName="f", Payload=b"1")
    assert opt(stage) == {"who": "4", **{f"only-{number}": "x" for number in range(5)}}
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[*arns[1:], arns[0]])
    await stage.call("Invoke", FunctionName="f", Payload=b"1")
    assert opt(stage)["who"] == "0"


@pytest.mark.parametrize(
    ("layers", "code", "words"),
    [
        ([f"{ARN}l:{n}" for n in range(1, 7)], "InvalidParameterValue", "Cannot reference more than 5 layers."),
        ([f"{ARN}no:1"], "InvalidParameterValue", f"Layer version {ARN}no:1 does not exist."),
        ([f"{ARN}shared:9"], "InvalidParameterValue", f"Layer version {ARN}shared:9 does not exist."),
        (
            [f"{ARN}shared:1", f"{ARN}shared:2"],
            "InvalidParameterValue",
            f"{ARN}shared:1 and {ARN}shared:2 are versions of the same layer.",
        ),
        (
            [f"{ARN}shared:1", f"{ARN}shared:1"],
            "InvalidParameterValue",
            f"{ARN}shared:1 and {ARN}shared:1 are versions of the same layer.",
        ),
        (
            [f"{ARN}shared:1".replace(REGION, "eu-west-1")],
            "InvalidParameterValue",
            f"Layers are expected to be in region {REGION}.",
        ),
        ([f"{ARN}shared:1".replace(ACCOUNT, "1" * 12)], "AccessDenied", "is not authorized to perform: lambda:GetL"),
        (["arn:aws:lambda:::awslayer:AmazonLinux1803"], "InvalidParameterValue", "does not exist"),
    ],
)
async def test_layers_that_cannot_be_are_refused_and_change_nothing(
    stage: Stage, layers: list[str], code: str, words: str
) -> None:
    await publish(stage)
    await publish(stage)
    await stage.create("other")
    refusals = [
        await stage.refusal("UpdateFunctionConfiguration", FunctionName="other", Layers=layers),
        await stage.refusal(
            "CreateFunction",
            FunctionName="f",
            Runtime="python3.11",
            Handler="h.h",
            Role=(await stage.call("GetFunctionConfiguration", FunctionName="other"))["Role"],
            Code={"ZipFile": zipped()},
            Layers=layers,
        ),
    ]
    for refused in refusals:
        assert refused.code == f"{code}Exception"
        assert words in refused.message
    assert [one["FunctionName"] for one in (await stage.call("ListFunctions"))["Functions"]] == ["other"]
    assert "Layers" not in await stage.call("GetFunctionConfiguration", FunctionName="other")


async def test_package_and_layers_together_have_a_limit_wherever_either_changes(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(unzipped_bytes=100_000))
    small, large = stored(20_000), stored(70_000)
    arn = await publish(stage, "half", stored(50_000))
    await stage.create("f", Code={"ZipFile": small}, Layers=[arn])
    words = "Function code combined with layers exceeds the maximum allowed size of 100000 bytes. The actual size is"
    code = await stage.refusal("UpdateFunctionCode", FunctionName="f", ZipFile=large)
    await stage.create("g", Code={"ZipFile": large})
    layers = await stage.refusal("UpdateFunctionConfiguration", FunctionName="g", Layers=[arn])
    assert code.message == layers.message == f"{words} 120000 bytes."
    too_large = await stage.refusal("PublishLayerVersion", LayerName="l", Content={"ZipFile": stored(100_001)})
    assert too_large.message == "Unzipped size must be smaller than 100000 bytes"


async def test_layers_count_against_what_may_be_stored(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(code_storage_bytes=3_000))
    await publish(stage, "a", stored(2_000))
    assert (await stage.call("GetAccountSettings"))["AccountUsage"]["TotalCodeSize"] == len(stored(2_000))
    full = await stage.refusal("PublishLayerVersion", LayerName="b", Content={"ZipFile": stored(2_000)})
    assert full.code == "CodeStorageExceededException"
    assert [one["LayerName"] for one in (await stage.call("ListLayers"))["Layers"]] == ["a"]


async def test_what_a_deleted_version_held_lives_as_long_as_a_function_or_version_uses_it(stage: Stage) -> None:
    one, two = await publish(stage, "one"), await publish(stage, "two")
    await stage.create(Layers=[one, two], Publish=True)
    for name in ("one", "two"):
        await stage.call("DeleteLayerVersion", LayerName=name, VersionNumber=1)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[])

    async def swept() -> set[str]:
        await stage.functions.sweep(0.0)
        await stage.blobs.sweep(0.0)
        return trees(stage)

    stage.pass_time(10)
    assert len(await swept()) == 3  # two contents, and what version 1 sees
    await stage.call("Invoke", FunctionName="f", Qualifier="1", Payload=b"1")
    assert opt(stage) == {"one.txt": "one", "two.txt": "two"}
    await stage.call("DeleteFunction", FunctionName="f", Qualifier="1")
    assert await swept() == set()
    assert (await stage.refusal("UpdateFunctionConfiguration", FunctionName="f", Layers=[one])).message.endswith(
        "does not exist."
    )


async def test_a_layer_that_no_function_uses_is_unpacked_again_when_one_does(stage: Stage) -> None:
    arn = await publish(stage)
    await stage.functions.sweep(0.0)
    assert trees(stage) == set()
    await stage.create(Layers=[arn])
    await stage.call("Invoke", FunctionName="f", Payload=b"1")
    assert opt(stage) == {"shared.txt": "shared"}


async def test_trees_that_are_gone_are_made_again_from_the_blobs(open_stage: OpenStage) -> None:
    first = await open_stage()
    one, two = await publish(first, "one"), await publish(first, "two")
    await first.create(Layers=[one, two])
    await first.stop(0)
    for path in (first.data / "layers").iterdir():
        if path.name != "incoming":
            os.rename(path, first.data / f"gone-{path.name}")
    second = await open_stage()
    await second.call("Invoke", FunctionName="f", Payload=b"1")
    assert opt(second) == {"one.txt": "one", "two.txt": "two"}


async def test_deleting_a_function_gives_back_what_all_of_its_versions_used(stage: Stage) -> None:
    arn = await publish(stage)
    await stage.create(Layers=[arn], Publish=True)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("DeleteLayerVersion", LayerName="shared", VersionNumber=1)
    await stage.call("DeleteFunction", FunctionName="f")
    await stage.functions.sweep(0.0)
    assert trees(stage) == set()
    stage.pass_time(10)
    assert await stage.blobs.sweep(0.0) == 2  # the package's and the layer's


async def test_the_layer_of_the_web_adapter_may_be_named_and_brings_nothing(stage: Stage) -> None:
    adapter = f"arn:aws:lambda:{REGION}:753240598075:layer:LambdaAdapterLayerX86:24"
    made = await stage.create(Layers=[adapter], Publish=True)
    assert made["Layers"] == [{"Arn": adapter, "CodeSize": 0}]
    await stage.call("Invoke", FunctionName="f", Payload=b"1")
    assert stage.engine.calls[-1][0].sandbox.layers == ()
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[await publish(stage), adapter])
    await stage.call("Invoke", FunctionName="f", Payload=b"1")
    assert opt(stage) == {"shared.txt": "shared"}
    other = await stage.refusal(
        "UpdateFunctionConfiguration", FunctionName="f", Layers=[adapter.replace("LambdaAdapterLayerX86", "Other")]
    )
    assert other.code == "AccessDeniedException"


async def test_lists_leave_out_a_description_that_there_is_not(stage: Stage) -> None:
    await publish(stage)
    await publish(stage, Description="d")
    found = (await stage.call("ListLayerVersions", LayerName="shared"))["LayerVersions"]
    assert [one.get("Description") for one in found] == ["d", None]
    assert (await stage.call("GetLayerVersion", LayerName="shared", VersionNumber=1))["Description"] == ""


async def test_versions_that_are_published_at_the_same_time_have_numbers_of_their_own(stage: Stage) -> None:
    arns = await asyncio.gather(*(publish(stage, "shared", zipped({"n": str(n)})) for n in range(10)))
    assert sorted(int(arn.rpartition(":")[2]) for arn in arns) == list(range(1, 11))


async def test_a_publisher_that_says_the_same_again_gets_what_it_published(stage: Stage) -> None:
    async def said(token: str | None) -> int:
        handler = stage.wire.service.operations["PublishLayerVersion"]
        context = stage.context({ONCE: token} if token is not None else None)
        version: int = (await handler(context, {"LayerName": "l", "Content": {"ZipFile": zipped()}}))["Version"]
        return version

    assert [await said(token) for token in ("a", "a", None, "b", "a")] == [1, 1, 2, 3, 1]
    await stage.call("DeleteLayerVersion", LayerName="l", VersionNumber=1)
    assert await said("a") == 4
