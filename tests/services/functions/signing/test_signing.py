"""Code signing configurations, and what they refuse."""

import logging
from typing import Any, Literal

import pytest

from mayfly.services.functions.signing.checking import METRIC
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ACCOUNT, ARN, REGION, ROLE, Stage, zipped

PROFILE = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/release/abcdefghij"
PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:"
MISSING = f"{PREFIX}csc-{'0' * 17}"
REFUSED = "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client"


async def config(stage: Stage, policy: Literal["Warn", "Enforce"] = "Enforce", **params: Any) -> str:
    """The ARN of a new one."""
    made = await stage.call(
        "CreateCodeSigningConfig",
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy},
        **params,
    )
    arn: str = made["CodeSigningConfig"]["CodeSigningConfigArn"]
    return arn


async def test_a_configuration_is_made_changed_and_shown(stage: Stage) -> None:
    made = await stage.call("CreateCodeSigningConfig", AllowedPublishers={"SigningProfileVersionArns": [PROFILE]})
    shown = made["CodeSigningConfig"]
    assert shown["CodeSigningConfigArn"] == f"{PREFIX}{shown['CodeSigningConfigId']}"
    assert shown["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert shown["AllowedPublishers"] == {"SigningProfileVersionArns": [PROFILE]}
    stage.pass_time(60)
    named = {"CodeSigningConfigArn": shown["CodeSigningConfigArn"]}
    same = await stage.call("UpdateCodeSigningConfig", **named)
    assert same["CodeSigningConfig"] == shown
    changed = await stage.call(
        "UpdateCodeSigningConfig",
        **named,
        Description="d",
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )
    assert changed == await stage.call("GetCodeSigningConfig", **named)
    assert changed["CodeSigningConfig"]["Description"] == "d"
    assert changed["CodeSigningConfig"]["LastModified"] > shown["LastModified"]
    await stage.call("DeleteCodeSigningConfig", **named)
    assert await stage.call("ListCodeSigningConfigs") == {"CodeSigningConfigs": []}


@pytest.mark.parametrize(
    "operation",
    [
        "GetCodeSigningConfig",
        "UpdateCodeSigningConfig",
        "DeleteCodeSigningConfig",
        "ListFunctionsByCodeSigningConfig",
    ],
)
async def test_one_that_is_not_there_is_not_found(stage: Stage, operation: str) -> None:
    error = await stage.refusal(operation, CodeSigningConfigArn=MISSING)
    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == f"The Lambda code signing configuration {MISSING} can not be found."


async def test_what_a_function_cannot_have_is_refused_in_the_words_of_aws(stage: Stage) -> None:
    await stage.create("f")
    arn = await config(stage)
    for name in ("f", "no"):
        error = await stage.refusal("PutFunctionCodeSigningConfig", FunctionName=name, CodeSigningConfigArn=MISSING)
        assert (error.code, error.status) == ("CodeSigningConfigNotFoundException", 404)
        assert error.message.endswith(f"Check that the provided configuration is not deleted: {MISSING}.")
    for operation, params in (
        ("PutFunctionCodeSigningConfig", {"CodeSigningConfigArn": arn}),
        ("GetFunctionCodeSigningConfig", {}),
        ("DeleteFunctionCodeSigningConfig", {}),
    ):
        error = await stage.refusal(operation, FunctionName="no", **params)
        assert (error.code, error.message) == ("ResourceNotFoundException", f"Function not found: {ARN}no")
    assert (
        await stage.wire.service.operations["GetFunctionCodeSigningConfig"](stage.context(), {"FunctionName": "f"})
        == {}
    )
    assert await stage.call("DeleteFunctionCodeSigningConfig", FunctionName="f") == {}


async def test_lists_have_pages(stage: Stage) -> None:
    arns = sorted([await config(stage, "Warn") for _ in range(3)])
    first = await stage.call("ListCodeSigningConfigs", MaxItems=2)
    rest = await stage.call("ListCodeSigningConfigs", Marker=first["NextMarker"])
    found = [one["CodeSigningConfigArn"] for one in (*first["CodeSigningConfigs"], *rest["CodeSigningConfigs"])]
    assert (found, "NextMarker" in rest) == (arns, False)
    for name in "abc":
        await stage.create(name, CodeSigningConfigArn=arns[0])
    named = {"CodeSigningConfigArn": arns[0]}
    one = await stage.call("ListFunctionsByCodeSigningConfig", **named, MaxItems=2)
    two = await stage.call("ListFunctionsByCodeSigningConfig", **named, Marker=one["NextMarker"])
    assert (*one["FunctionArns"], *two["FunctionArns"]) == tuple(f"{ARN}{name}" for name in "abc")
    assert (await stage.call("ListFunctionsByCodeSigningConfig", CodeSigningConfigArn=arns[1]))["FunctionArns"] == []


async def test_enforced_no_code_is_deployed_that_nobody_can_verify(stage: Stage) -> None:
    arn = await config(stage)
    layer = (await stage.call("PublishLayerVersion", LayerName="l", Content={"ZipFile": zipped()}))["LayerVersionArn"]
    refusals = [
        await stage.refusal(
            "CreateFunction",
            FunctionName="g",
            Runtime="python3.11",
            Handler="h.h",
            Role=ROLE,
            Code={"ZipFile": zipped()},
            CodeSigningConfigArn=arn,
        )
    ]
    await stage.create("f")
    await stage.call("PutFunctionCodeSigningConfig", FunctionName="f", CodeSigningConfigArn=arn)
    signed = zipped({"app.py": "", "META-INF/aws_signer_signature_v1.0.SF": "not of anybody"})
    refusals += [
        await stage.refusal("UpdateFunctionCode", FunctionName="f", ZipFile=code)
        for code in (zipped({"app.py": "new"}), signed)
    ]
    refusals.append(await stage.refusal("UpdateFunctionConfiguration", FunctionName="f", Layers=[layer]))
    for refused in refusals:
        assert (refused.code, refused.status) == ("CodeVerificationFailedException", 400)
        assert refused.message.startswith(REFUSED)
    assert [one["FunctionName"] for one in (await stage.call("ListFunctions"))["Functions"]] == ["f"]
    # What needs no deployment goes on.
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[])
    await stage.call("Invoke", FunctionName="f", Payload=b"1")
    await stage.call("DeleteFunctionCodeSigningConfig", FunctionName="f")
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"app.py": "new"}))


async def test_with_a_warning_code_is_deployed_logged_and_counted(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    arn = await config(stage, "Warn")
    with caplog.at_level(logging.WARNING):
        await stage.create("f", CodeSigningConfigArn=arn)
        await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"app.py": "new"}))
    assert stage.counts.totals[METRIC, (("FunctionName", "f"),)] == 2
    assert [record.message for record in caplog.records if "nobody has verified" in record.message]
    shown = await stage.call("GetFunctionCodeSigningConfig", FunctionName="f")
    assert shown == {"CodeSigningConfigArn": arn, "FunctionName": "f"}
    assert not {"SigningProfileVersionArn", "SigningJobArn"} & set(
        await stage.call("GetFunctionConfiguration", FunctionName="f")
    )


async def test_a_configuration_that_functions_use_cannot_be_deleted_and_one_goes_with_its_last_function(
    stage: Stage,
) -> None:
    arn = await config(stage, "Warn")
    await stage.create("f", CodeSigningConfigArn=arn)
    refused = await stage.refusal("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)
    assert refused.code == "ResourceConflictException"
    await stage.call("DeleteFunction", FunctionName="f")
    await stage.create("f")
    assert (
        await stage.wire.service.operations["GetFunctionCodeSigningConfig"](stage.context(), {"FunctionName": "f"})
        == {}
    )
    await stage.call("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)


async def test_configurations_and_what_they_guard_outlive_a_restart(open_stage: OpenStage) -> None:
    first = await open_stage()
    arn = await config(first, "Warn")
    await first.create("f", CodeSigningConfigArn=arn)
    await first.call(
        "UpdateCodeSigningConfig",
        CodeSigningConfigArn=arn,
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )
    await first.stop(0)
    second = await open_stage()
    refused = await second.refusal("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"app.py": "new"}))
    assert refused.code == "CodeVerificationFailedException"


async def test_configurations_have_tags(stage: Stage) -> None:
    arn = await config(stage, Tags={"team": "a"})
    await stage.call("TagResource", Resource=arn, Tags={"stage": "b"})
    assert (await stage.call("ListTags", Resource=arn))["Tags"] == {"team": "a", "stage": "b"}
    await stage.call("UntagResource", Resource=arn, TagKeys=["team"])
    assert (await stage.call("ListTags", Resource=arn))["Tags"] == {"stage": "b"}
    assert (await stage.refusal("ListTags", Resource=MISSING)).code == "ResourceNotFoundException"
