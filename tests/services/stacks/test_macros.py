"""Macros: functions that stacks made macros, snippets from buckets, and their order."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mayfly.services.contract import ServiceError

from .conftest import Stage, template, thing

pytestmark = pytest.mark.asyncio
EXPAND: dict[str, Any] = {"Capabilities": ["CAPABILITY_AUTO_EXPAND"]}
MACRO = "AWS::CloudFormation::Macro"


class Functions:
    """Answers Invoke with what `does` makes of an event."""

    def __init__(self, does: Callable[[dict[str, Any]], Any]) -> None:
        self.events: list[dict[str, Any]] = []
        self._does = does

    def __call__(self, params: Mapping[str, Any]) -> dict[str, Any]:
        event = json.loads(params["Payload"]) | {"function": params["FunctionName"]}
        self.events.append(event)
        reply = self._does(event)
        if reply is None:
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": b"{}"}
        return {"StatusCode": 200, "Payload": json.dumps(reply).encode()}


def success(event: Mapping[str, Any], fragment: Any) -> dict[str, Any]:
    return {"requestId": event["requestId"], "status": "success", "fragment": fragment}


def labelling(event: dict[str, Any]) -> dict[str, Any]:
    """Adds the macro's name to every label of a fragment."""
    name = event["transformId"].partition("::")[2]

    def labelled(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: item + f" {name}" if key == "Label" and isinstance(item, str) else labelled(item)
                for key, item in value.items()
            }
        return [labelled(item) for item in value] if isinstance(value, list) else value

    return success(event, labelled(event["fragment"]))


async def with_macros(stage: Stage, functions: Functions, *names: str) -> None:
    stage.shelf.replies["lambda", "Invoke"] = functions
    macros = {name: {"Type": MACRO, "Properties": {"Name": name, "FunctionName": f"fn-{name}"}} for name in names}
    assert (await stage.create(macros, "macros"))["StackStatus"] == "CREATE_COMPLETE"


async def test_a_macro_gets_the_template_and_what_it_answers_is_made(stage: Stage) -> None:
    def double(event: dict[str, Any]) -> Any:
        resources = event["fragment"]["Resources"]
        more = {f"{name}Copy": item for name, item in resources.items()}
        return success(event, {**event["fragment"], "Resources": {**resources, **more}})

    functions = Functions(double)
    await with_macros(stage, functions, "Double")
    await stage.create(
        {"A": thing(Size=1)},
        more={"Transform": {"Name": "Double", "Parameters": {"Depth": {"Ref": "P"}}},
              "Parameters": {"P": {"Type": "String"}, "L": {"Type": "CommaDelimitedList", "Default": "x,y"}}},
        Parameters=[{"ParameterKey": "P", "ParameterValue": "deep"}],
        **EXPAND,
    )  # fmt: skip
    assert set(stage.held()) == {"A", "ACopy"}
    (event,) = functions.events
    assert event.pop("requestId")
    assert "Transform" not in event["fragment"]
    assert event.pop("fragment")["Resources"]["A"]["Properties"] == {"Size": 1}
    assert event == {
        "function": "fn-Double",
        "accountId": "123456789012",
        "transformId": "123456789012::Double",
        "region": "us-east-1",
        "params": {"Depth": "deep"},
        "templateParameterValues": {"P": "deep", "L": ["x", "y"]},
    }


async def test_snippets_come_first_from_the_inside_then_the_whole_template_in_order(stage: Stage) -> None:
    await with_macros(stage, Functions(labelling), "one", "two", "three", "four")
    resource = thing(Label="x", Needs={"Label": "in", "Fn::Transform": {"Name": "one"}})
    resource["Fn::Transform"] = [{"Name": "two"}]
    await stage.create({"A": resource}, more={"Transform": ["three", "four"]}, **EXPAND)
    assert stage.held()["A"] == {"Label": "x two three four", "Needs": {"Label": "in one two three four"}}


async def test_a_processed_template_shows_what_macros_made(stage: Stage) -> None:
    await with_macros(stage, Functions(labelling), "one")
    await stage.create({"A": thing(Label="x")}, more={"Transform": "one"}, **EXPAND)
    original = await stage.call("GetTemplate", StackName="s")
    assert json.loads(original["TemplateBody"])["Transform"] == "one"
    processed = await stage.call("GetTemplate", StackName="s", TemplateStage="Processed")
    assert json.loads(processed["TemplateBody"])["Resources"]["A"]["Properties"] == {"Label": "x one"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": "failed", "errorMessage": "no luck"}, "Transform 123456789012::one failed with: no luck"),
        ({"status": "failed"}, "Transform 123456789012::one failed without an error message."),
        ({"status": "success"}, "Received malformed response from transform 123456789012::one"),
        ({"status": "success", "fragment": "text"}, "Template format error: unsupported structure."),
        (None, "Received malformed response from transform 123456789012::one"),
        ({"requestId": "another", "status": "success", "fragment": {}},
         "Received malformed response from transform 123456789012::one"),
    ],
)  # fmt: skip
async def test_a_macro_that_fails_makes_nothing(stage: Stage, answer: Any, message: str) -> None:
    functions = Functions(lambda event: answer and {"requestId": event["requestId"], **answer})
    await with_macros(stage, functions, "one")
    body = template({"A": thing()}, Transform="one")
    assert await stage.refused("CreateStack", StackName="s", TemplateBody=body, **EXPAND) == (
        "ValidationError",
        message,
    )
    assert stage.held() == {}


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("Nobody", "No transform named Nobody found."),
        ("AWS::Nothing", "No transform named AWS::Nothing found."),
        ("AWS::CodeDeployBlueGreen", "Transform AWS::CodeDeployBlueGreen is not supported: there are no ECS services"),
        ({"Name": {"Ref": "P"}}, "Key Name of transform definition must be a string."),
        ({"Name": "AWS::Include", "Parameters": {"Location": "s3://b/none"}},
         "Transform AWS::Include failed with: The specified key does not exist."),
        ({"Name": "AWS::Include"}, "Transform AWS::Include failed with: The location parameter is not a valid S3 uri."),
    ],
)  # fmt: skip
async def test_a_macro_that_is_not_there_is_refused(stage: Stage, transform: Any, message: str) -> None:
    body = template({"A": thing()}, Transform=transform)
    code, said = await stage.refused("CreateStack", StackName="s", TemplateBody=body, **EXPAND)
    assert (code, said[: len(message)]) == ("ValidationError", message)


async def test_snippets_are_included_where_they_are_named(stage: Stage) -> None:
    stage.code.objects["b", "part.yaml"] = b"Size: 7\nLabel: {Ref: P}"
    stage.code.objects["b", "more.json"] = json.dumps({"Mappings": {"M": {"k": {"v": "w"}}}}).encode()
    included = {"Name": "AWS::Include", "Parameters": {"Location": {"Fn::Sub": "s3://${B}/part.yaml"}}}
    resource = thing(Kind={"Fn::FindInMap": ["M", "k", "v"]}, **{"Fn::Transform": included})
    await stage.create(
        {"A": resource},
        more={"Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/more.json"}},
              "Parameters": {"B": {"Type": "String"}, "P": {"Type": "String", "Default": "p"}}},
        Parameters=[{"ParameterKey": "B", "ParameterValue": "b"}],
        **EXPAND,
    )  # fmt: skip
    assert stage.held()["A"] == {"Kind": "w", "Size": 7, "Label": "p"}


async def test_every_kind_of_macro_has_to_be_acknowledged(stage: Stage) -> None:
    body = template({"A": thing(**{"Fn::Transform": {"Name": "one"}})})
    answer = await stage.refused("CreateStack", StackName="s", TemplateBody=body)
    assert answer == ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]")


async def test_a_macro_is_gone_with_its_stack(stage: Stage) -> None:
    await with_macros(stage, Functions(labelling), "one")
    await stage.call("DeleteStack", StackName="macros")
    await stage.service.driver.settled((await stage.call("ListStacks"))["StackSummaries"][0]["StackId"])
    body = template({"A": thing()}, Transform="one")
    answer = await stage.refused("CreateStack", StackName="s", TemplateBody=body, **EXPAND)
    assert answer == ("ValidationError", "No transform named one found.")


async def test_loops_are_written_out_before_sam_is(stage: Stage) -> None:
    body = {"Fn::ForEach::Things": ["X", {"Ref": "Names"}, {"Thing${X}": thing(Label={"Ref": "X"})}]}
    more = {
        "Transform": ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "A,B"}},
        "Outputs": {"Count": {"Value": {"Fn::Length": {"Ref": "Names"}}}},
    }
    stack = await stage.create(body, more=more, **EXPAND)
    assert stage.held() == {"ThingA": {"Label": "A"}, "ThingB": {"Label": "B"}}
    assert stack["Outputs"] == [{"OutputKey": "Count", "OutputValue": "2"}]


async def test_a_function_that_may_not_be_called_is_a_macro_that_fails(stage: Stage) -> None:
    def denied(_: Mapping[str, Any]) -> dict[str, Any]:
        raise ServiceError("AccessDeniedException", "not for you")

    await with_macros(stage, Functions(labelling), "one")
    stage.shelf.replies["lambda", "Invoke"] = denied
    body = template({"A": thing()}, Transform="one")
    answer = await stage.refused("CreateStack", StackName="s", TemplateBody=body, **EXPAND)
    assert answer == ("ValidationError", "Transform 123456789012::one failed with: not for you")
