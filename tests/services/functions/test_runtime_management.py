"""When runtimes are updated, as far as a machine with one version of each can say."""

import pytest

from tests.services.functions.stage import ARN, Stage

NOW = "arn:aws:lambda:us-east-1::runtime:"


async def test_a_function_begins_with_automatic_updates(stage: Stage) -> None:
    await stage.create()
    found = await stage.call("GetRuntimeManagementConfig", FunctionName="f")
    assert found == {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{ARN}f"}


async def test_a_mode_is_kept_for_each_version(stage: Stage) -> None:
    made = await stage.create(Publish=True)
    present = made["RuntimeVersionConfig"]["RuntimeVersionArn"]
    manual = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": present}
    put = await stage.call("PutRuntimeManagementConfig", FunctionName="f", **manual)
    assert put == {**manual, "FunctionArn": f"{ARN}f"}
    await stage.call("PutRuntimeManagementConfig", FunctionName="f", Qualifier="1", UpdateRuntimeOn="FunctionUpdate")
    for qualifier, mode in (("$LATEST", "Manual"), ("1", "FunctionUpdate")):
        found = await stage.call("GetRuntimeManagementConfig", FunctionName="f", Qualifier=qualifier)
        assert (found["UpdateRuntimeOn"], found["FunctionArn"]) == (mode, f"{ARN}f:{qualifier}")
        assert found.get("RuntimeVersionArn") == (present if mode == "Manual" else None)


async def test_another_version_of_a_runtime_than_the_machines_is_refused(stage: Stage) -> None:
    await stage.create()
    refused = await stage.refusal(
        "PutRuntimeManagementConfig", FunctionName="f", UpdateRuntimeOn="Manual", RuntimeVersionArn=f"{NOW}older"
    )
    assert refused.code == "InvalidParameterValueException"
    assert f"{NOW}older is not on this machine" in refused.message


@pytest.mark.parametrize(
    "params", [{"UpdateRuntimeOn": "Manual"}, {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": f"{NOW}x"}]
)
async def test_an_arn_goes_with_the_manual_mode_alone(stage: Stage, params: dict[str, str]) -> None:
    await stage.create()
    refused = await stage.refusal("PutRuntimeManagementConfig", FunctionName="f", **params)
    assert refused.code == "InvalidParameterValueException"


async def test_another_runtime_begins_anew(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutRuntimeManagementConfig", FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Runtime="python3.12")
    found = await stage.call("GetRuntimeManagementConfig", FunctionName="f")
    assert found["UpdateRuntimeOn"] == "Auto"


async def test_aliases_and_what_is_not_there_have_none(stage: Stage) -> None:
    assert (await stage.refusal("GetRuntimeManagementConfig", FunctionName="f")).status == 404
    await stage.create(Publish=True)
    assert (await stage.refusal("GetRuntimeManagementConfig", FunctionName="f", Qualifier="7")).status == 404
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    refused = await stage.refusal("GetRuntimeManagementConfig", FunctionName="f", Qualifier="live")
    assert refused.code == "InvalidParameterValueException"
