"""What stacks take from the parameter store and from secrets, and that secrets stand nowhere."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mayfly.services.contract import ServiceError

from .conftest import Stage, template, thing

pytestmark = pytest.mark.asyncio
STORED = "AWS::SSM::Parameter::Value"


class Kept:
    """A parameter store and secrets, as far as stacks ask them."""

    def __init__(self, stage: Stage) -> None:
        self.parameters: dict[str, tuple[str, str]] = {}
        self.secrets: dict[str, str] = {}
        self.asked: list[Any] = []
        stage.shelf.replies["ssm", "GetParameters"] = self._get_parameters
        stage.shelf.replies["secretsmanager", "GetSecretValue"] = self._get_secret

    def _get_parameters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(sorted(params["Names"]))
        assert len(params["Names"]) <= 10
        found = []
        for name in params["Names"]:
            if name not in self.parameters:
                continue
            kind, value = self.parameters[name]
            plain, colon, version = name.partition(":")
            shown = value if kind != "SecureString" or params["WithDecryption"] else "ciphertext"
            item = {"Name": plain, "Type": kind, "Value": shown, "Version": int(version or 1)}
            found.append(item | ({"Selector": f":{version}"} if colon else {}))
        return {"Parameters": found, "InvalidParameters": [name for name in params["Names"] if name not in found]}

    def _get_secret(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(dict(params))
        if params["SecretId"] not in self.secrets:
            raise ServiceError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return {"SecretString": self.secrets[params["SecretId"]]}


@pytest.fixture
def kept(stage: Stage) -> Kept:
    return Kept(stage)


async def test_a_parameter_may_name_one_of_the_parameter_store(stage: Stage, kept: Kept) -> None:
    kept.parameters |= {"/a": ("String", "first"), "/l": ("StringList", "x,y")}
    declared = {"One": {"Type": f"{STORED}<String>", "Default": "/a"}, "Many": {"Type": f"{STORED}<List<String>>"},
                "Name": {"Type": "AWS::SSM::Parameter::Name", "Default": "/a"}}  # fmt: skip
    resources = {"A": thing(Label={"Ref": "One"}, Needs={"Ref": "Many"}, Kind={"Ref": "Name"})}
    more = {"Parameters": declared}
    given = [{"ParameterKey": "Many", "ParameterValue": "/l"}]
    stack = await stage.create(resources, more=more, Parameters=given)
    assert stage.held()["A"] == {"Label": "first", "Needs": ["x", "y"], "Kind": "/a"}
    shown = {item["ParameterKey"]: (item["ParameterValue"], item.get("ResolvedValue")) for item in stack["Parameters"]}
    assert shown == {"One": ("/a", "first"), "Many": ("/l", "x,y"), "Name": ("/a", None)}
    kept.parameters["/a"] = ("String", "second")
    await stage.update(resources, more=more, Parameters=[{"ParameterKey": "Many", "UsePreviousValue": True}])
    assert stage.held()["A"]["Label"] == "second"


async def test_a_parameter_that_is_not_stored_is_refused_before_anything_is_made(stage: Stage, kept: Kept) -> None:
    kept.parameters["/s"] = ("SecureString", "hush")
    for name, message in (
        ("/none", "Unable to fetch parameters [/none] from parameter store for this account."),
        ("/s", "Parameters [/s] referenced by template have types not supported by CloudFormation."),
    ):
        body = template({"A": thing()}, Parameters={"P": {"Type": f"{STORED}<String>", "Default": name}})
        assert await stage.refused("CreateStack", StackName="s", TemplateBody=body) == ("ValidationError", message)


async def test_plain_references_are_replaced_when_a_resource_is_made(stage: Stage, kept: Kept) -> None:
    kept.parameters |= {"/n": ("String", "thing-name"), "/size": ("String", "7"), "/v:2": ("String", "old")}
    resources = {
        "A": thing(
            Name="{{resolve:ssm:/n}}",
            Size="{{resolve:ssm:/size}}",
            Label={"Fn::Sub": "x-{{resolve:ssm:/v:2}}-${AWS::StackName}"},
        )
    }
    stack = await stage.create(resources, more={"Outputs": {"O": {"Value": "{{resolve:ssm:/n}}"}}})
    assert stage.shelf.things == {"thing-name": {"Name": "thing-name", "Size": 7, "Label": "x-old-s"}}
    assert stack["Outputs"][0]["OutputValue"] == "thing-name"
    kept.parameters.clear()
    await stage.call("DeleteStack", StackName="s")
    await stage.settled(stack["StackId"])
    assert stage.shelf.things == {}


async def test_a_reference_to_what_is_not_there_fails_its_resource(stage: Stage, kept: Kept) -> None:
    kept.parameters["/s"] = ("SecureString", "hush")
    for name, message in (
        ("/none", "Unable to fetch parameters [/none] from parameter store for this account."),
        ("/s", "Non-secure ssm prefix was used for secure parameter: [/s]"),
    ):
        stack = await stage.create({"A": thing(Label=f"{{{{resolve:ssm:{name}}}}}")}, "s" + name.strip("/"))
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        events = (await stage.call("DescribeStackEvents", StackName=stack["StackId"]))["StackEvents"]
        assert any(message in event.get("ResourceStatusReason", "") for event in events)


async def everything_shown(stage: Stage) -> str:
    """All that the stack tells, and all that it keeps."""
    told = [
        await stage.call("DescribeStackEvents", StackName="s"),
        await stage.call("DescribeStacks", StackName="s"),
        await stage.call("GetTemplate", StackName="s"),
        await stage.call("GetTemplate", StackName="s", TemplateStage="Processed"),
        await stage.call("DescribeStackResources", StackName="s"),
    ]
    tables = ("stacks_stacks", "stacks_resources", "stacks_events", "stacks_change_sets", "stacks_exports")
    rows = await stage.store.read(lambda reader: [reader.all(f"SELECT * FROM {table}") for table in tables])
    return json.dumps([told, rows], default=str)


async def test_secrets_reach_the_service_and_stand_nowhere_else(stage: Stage, kept: Kept) -> None:
    kept.secrets["db"] = json.dumps({"password": "p4ss", "port": 5432})
    kept.parameters["/key:1"] = ("SecureString", "k3y")
    url = {"Fn::Join": ["", ["db://u:{{resolve:secretsmanager:db:SecretString:password}}@", {"Ref": "AWS::Region"}]]}
    resources = {"A": thing(Label=url, Kind="{{resolve:ssm-secure:/key:1}}", Needs=["{{resolve:secretsmanager:db}}"])}
    await stage.create(resources)
    assert stage.held()["A"] == {"Label": "db://u:p4ss@us-east-1", "Kind": "k3y", "Needs": [kept.secrets["db"]]}
    shown = await everything_shown(stage)
    assert "p4ss" not in shown
    assert "k3y" not in shown
    assert "{{resolve:secretsmanager:db:SecretString:password}}" in shown
    _, message = await stage.refused("UpdateStack", StackName="s", TemplateBody=template(resources))
    assert message == "No updates are to be performed."


async def test_a_service_that_repeats_a_secret_in_its_refusal_does_not_give_it_away(stage: Stage, kept: Kept) -> None:
    kept.secrets["db"] = "p4ss"
    stage.shelf.fail["Create A"] = ServiceError("Bad", "the label p4ss is bad")
    stack = await stage.create({"A": thing(Label="{{resolve:secretsmanager:db}}")})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    shown = await everything_shown(stage)
    assert "the label **** is bad" in shown
    assert "p4ss" not in shown


async def test_a_secret_that_is_not_there_fails_its_resource(stage: Stage, kept: Kept) -> None:
    stack = await stage.create({"A": thing(Label="{{resolve:secretsmanager:none:SecretString:k:AWSPREVIOUS}}")})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert kept.asked[0] == {"SecretId": "none", "VersionStage": "AWSPREVIOUS"}
    assert "Secrets Manager can't find the specified secret." in await everything_shown(stage)


async def test_many_parameters_are_asked_for_in_batches(stage: Stage, kept: Kept) -> None:
    kept.parameters |= {f"/p{number:02}": ("String", str(number)) for number in range(25)}
    await stage.create({"A": thing(Label="".join(f"{{{{resolve:ssm:{name}}}}}" for name in sorted(kept.parameters)))})
    assert stage.held()["A"]["Label"] == "".join(map(str, range(25)))
    assert [len(names) for names in kept.asked] == [10, 10, 5]


async def test_a_reference_without_sense_is_refused_before_anything_is_made(stage: Stage) -> None:
    body = template({"A": thing(Label="{{resolve:vault:a}}")})
    _, message = await stage.refused("CreateStack", StackName="s", TemplateBody=body)
    assert message == "Incorrect format is used in the following dynamic reference: [{{resolve:vault:a}}]"
