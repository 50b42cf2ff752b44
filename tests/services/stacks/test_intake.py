"""Requests that are refused, and the operations that read templates and change sets."""

import json
import re
from typing import Any

import pytest

from mayfly.services.stacks.fetch import location

from .conftest import Stage, template, thing

pytestmark = pytest.mark.asyncio
SAM = {"Transform": "AWS::Serverless-2016-10-31"}


async def test_an_oversized_template_is_refused_in_the_request_and_in_the_bucket(stage: Stage) -> None:
    body = template({"A": thing()}, Metadata={"x": "y" * 51_200})
    code, message = await stage.refused("CreateStack", StackName="s", TemplateBody=body)
    assert code == "ValidationError"
    assert "less than or equal to 51200" in message
    stage.code.objects["b", "t.json"] = body.encode()
    await stage.call("CreateStack", StackName="s", TemplateURL="https://b.s3.amazonaws.com/t.json")
    stage.code.objects["b", "big"] = b" " * (1024 * 1024 + 1)
    code, message = await stage.refused("CreateStack", StackName="t", TemplateURL="https://b.s3.amazonaws.com/big")
    assert message == "Template may not exceed 1048576 bytes in size."


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://bucket.s3.us-east-1.amazonaws.com/a/b.yaml", ("bucket", "a/b.yaml", None)),
        ("https://s3.us-east-1.amazonaws.com/bucket/a%20b.yaml", ("bucket", "a b.yaml", None)),
        ("https://s3.amazonaws.com/my.bucket/t", ("my.bucket", "t", None)),
        ("https://my.bucket.s3.amazonaws.com/t?versionId=3", ("my.bucket", "t", "3")),
        ("http://127.0.0.1:4566/bucket/t", ("bucket", "t", None)),
        ("s3://bucket/t", ("bucket", "t", None)),
    ],
)
async def test_a_url_names_an_object(url: str, expected: Any) -> None:
    assert location(url, "http://127.0.0.1:4566") == expected


async def test_a_template_that_is_not_there_is_an_s3_error(stage: Stage) -> None:
    answer = await stage.refused("CreateStack", StackName="s", TemplateURL="https://b.s3.amazonaws.com/t")
    assert answer == ("ValidationError", "S3 error: The specified key does not exist.")


@pytest.mark.parametrize("name", ["", "1a", "a_b", "a" * 129])
async def test_a_stack_has_a_proper_name(stage: Stage, name: str) -> None:
    code, message = await stage.refused("CreateStack", StackName=name, TemplateBody=template({"A": thing()}))
    assert code == "ValidationError"
    assert "[a-zA-Z][-a-zA-Z0-9]*" in message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"NotificationARNs": ["arn:aws:sqs:us-east-1:123456789012:t"]}, "Invalid notification ARN"),
        ({"StackPolicyBody": "{}"}, "Invalid stack policy"),
        ({"ResourceTypes": ["AWS::S3::*"]}, "does not list: \\[Test::Shelf::Thing\\]"),
        ({"RollbackConfiguration": {"RollbackTriggers": [{"Arn": "a", "Type": "t"}] * 6}}, "at most"),
    ],
)
async def test_settings_that_make_no_sense_are_refused(stage: Stage, params: Any, message: str) -> None:
    code, found = await stage.refused("CreateStack", StackName="s", TemplateBody=template({"A": thing()}), **params)
    assert code == "ValidationError"
    assert re.search(message, found)


async def test_macros_have_to_be_acknowledged_except_where_they_are_looked_at_first(stage: Stage) -> None:
    body = template({"A": thing()}, **SAM)
    answer = await stage.refused("CreateStack", StackName="s", TemplateBody=body)
    assert answer == ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]")
    await stage.call("CreateChangeSet", StackName="c", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body)
    await stage.call("CreateStack", StackName="s", TemplateBody=body, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert (await stage.settled())["StackStatus"] == "CREATE_COMPLETE"


async def test_nothing_is_made_when_a_stack_is_refused(stage: Stage) -> None:
    await stage.refused("CreateStack", StackName="s", TemplateBody=template({"A": thing(), "B": {"Type": "X"}}))
    assert stage.shelf.log == []
    assert (await stage.refused("DescribeStacks", StackName="s"))[1] == "Stack with id s does not exist"


async def test_a_parameter_has_to_match_its_pattern(stage: Stage) -> None:
    body = template({"A": thing()}, Parameters={"P": {"Type": "String", "AllowedPattern": "[a-z]+"}})
    given = [{"ParameterKey": "P", "ParameterValue": "A1"}]
    answer = await stage.refused("CreateStack", StackName="s", TemplateBody=body, Parameters=given)
    assert answer == ("ValidationError", "Parameter 'P' must match pattern [a-z]+")


async def test_hidden_parameters_are_masked_and_previous_values_kept(stage: Stage) -> None:
    more = {"Parameters": {"P": {"Type": "String", "NoEcho": True}, "Q": {"Type": "Number", "Default": 1}}}
    resources = {"A": thing(Label={"Ref": "P"}, Size={"Ref": "Q"})}
    stack = await stage.create(resources, more=more, Parameters=[{"ParameterKey": "P", "ParameterValue": "secret"}])
    assert stack["Parameters"] == [
        {"ParameterKey": "P", "ParameterValue": "****"},
        {"ParameterKey": "Q", "ParameterValue": "1"},
    ]
    await stage.call(
        "UpdateStack",
        StackName="s",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "P", "UsePreviousValue": True},
            {"ParameterKey": "Q", "ParameterValue": "2"},
        ],
    )
    await stage.settled()
    assert stage.held()["A"] == {"Label": "secret", "Size": 2}
    events = (await stage.call("DescribeStackEvents", StackName="s"))["StackEvents"]
    shown = [event["ResourceProperties"] for event in events if "ResourceProperties" in event]
    assert any("****" in text for text in shown)
    assert not any("secret" in text for text in shown)


async def test_templates_are_shown_as_written_and_as_processed(stage: Stage) -> None:
    body = template({"A": thing(Size=1)}, Description="d", Outputs={"O": {"Value": {"Ref": "A"}}})
    await stage.call("CreateStack", StackName="s", TemplateBody=body)
    await stage.settled()
    assert (await stage.call("GetTemplate", StackName="s"))["TemplateBody"] == body
    processed = (await stage.call("GetTemplate", StackName="s", TemplateStage="Processed"))["TemplateBody"]
    assert json.loads(processed) == {"AWSTemplateFormatVersion": "2010-09-09", **json.loads(body)}


async def test_a_template_is_summed_up_and_validated(stage: Stage) -> None:
    parameters = {"P": {"Type": "String", "Default": "x", "AllowedValues": ["x", "y"], "Description": "p"}}
    body = template({"A": thing()}, Parameters=parameters, Description="d")
    valid = await stage.call("ValidateTemplate", TemplateBody=body)
    assert valid["Description"] == "d"
    assert valid["Parameters"] == [{"ParameterKey": "P", "DefaultValue": "x", "NoEcho": False, "Description": "p"}]
    summary = await stage.call("GetTemplateSummary", TemplateBody=body)
    assert summary["ResourceTypes"] == ["Test::Shelf::Thing"]
    assert summary["Parameters"][0]["ParameterConstraints"] == {"AllowedValues": ["x", "y"]}
    bad = await stage.refused("ValidateTemplate", TemplateBody=template({"A": {"Type": "X::Y::Z"}}))
    assert bad == (
        "ValidationError",
        "Template format error: Unrecognized resource types: [X::Y::Z]. "
        "The page reference/resource-types of Mayfly's documentation lists those that it has.",
    )


async def test_a_change_set_creates_a_stack_when_it_is_executed(stage: Stage) -> None:
    made = await stage.call(
        "CreateChangeSet",
        StackName="s",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateBody=template({"A": thing()}),
        NotificationARNs=[],
    )
    assert (await stage.stack())["StackStatus"] == "REVIEW_IN_PROGRESS"
    found = await stage.call("DescribeChangeSet", ChangeSetName=made["Id"])
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert [item["ResourceChange"]["Action"] for item in found["Changes"]] == ["Add"]
    assert stage.shelf.log == []
    await stage.call("ExecuteChangeSet", ChangeSetName="c", StackName="s")
    stack = await stage.settled()
    assert (stack["StackStatus"], stack["ChangeSetId"]) == ("CREATE_COMPLETE", made["Id"])
    assert list(stage.held()) == ["A"]
    assert (await stage.refused("ExecuteChangeSet", ChangeSetName="c", StackName="s"))[0] == "InvalidChangeSetStatus"


async def test_a_change_set_updates_and_one_without_changes_fails(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)})
    body = template({"A": thing(Size=2)})
    for name in ("one", "two"):
        await stage.call("CreateChangeSet", StackName="s", ChangeSetName=name, TemplateBody=body)
    found = await stage.call("DescribeChangeSet", ChangeSetName="one", StackName="s")
    (change,) = [item["ResourceChange"] for item in found["Changes"]]
    assert (change["Action"], change["Replacement"]) == ("Modify", "False")
    assert change["PhysicalResourceId"] in stage.shelf.things
    await stage.call("ExecuteChangeSet", ChangeSetName="one", StackName="s")
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"
    summaries = (await stage.call("ListChangeSets", StackName="s"))["Summaries"]
    assert [item["ChangeSetName"] for item in summaries] == ["one"]
    await stage.call("CreateChangeSet", StackName="s", ChangeSetName="three", TemplateBody=body)
    found = await stage.call("DescribeChangeSet", ChangeSetName="three", StackName="s")
    assert found["Status"] == "FAILED"
    assert "didn't contain changes" in found["StatusReason"]
    await stage.call("DeleteChangeSet", ChangeSetName="three", StackName="s")
    answer = await stage.refused("DescribeChangeSet", ChangeSetName="three", StackName="s")
    assert answer == ("ChangeSetNotFound", "ChangeSet [three] does not exist")


async def test_a_change_set_may_create_a_stack_in_which_nothing_is(stage: Stage) -> None:
    body = template({"A": thing(Condition="No")}, Conditions={"No": {"Fn::Equals": ["a", "b"]}})
    await stage.call("CreateChangeSet", StackName="s", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body)
    found = await stage.call("DescribeChangeSet", StackName="s", ChangeSetName="c")
    assert (found["Status"], found["ExecutionStatus"], found["Changes"]) == ("CREATE_COMPLETE", "AVAILABLE", [])
    await stage.call("ExecuteChangeSet", StackName="s", ChangeSetName="c")
    assert (await stage.settled())["StackStatus"] == "CREATE_COMPLETE"


async def test_a_change_set_says_from_which_value_to_which(stage: Stage) -> None:
    def resources(kind: str) -> dict[str, Any]:
        return {"A": thing(Kind=kind), "B": thing(Label={"Ref": "A"})}

    await stage.create(resources("one"))
    name = (await stage.call("DescribeStackResource", StackName="s", LogicalResourceId="A"))["StackResourceDetail"]
    body = template(resources("two"))
    await stage.call("CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=body)
    found = await stage.call("DescribeChangeSet", StackName="s", ChangeSetName="c", IncludePropertyValues=True)
    changes = {item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in found["Changes"]}
    assert (changes["A"]["Replacement"], changes["A"]["PolicyAction"]) == ("True", "ReplaceAndDelete")
    target = changes["B"]["Details"][0]["Target"]
    assert (target["BeforeValue"], target["AfterValue"]) == (
        name["PhysicalResourceId"],
        "{{changeSet:KNOWN_AFTER_APPLY}}",
    )
    assert json.loads(changes["A"]["AfterContext"]) == {"Properties": {"Kind": "two"}}
    plain = await stage.call("DescribeChangeSet", StackName="s", ChangeSetName="c")
    assert "AfterContext" not in plain["Changes"][0]["ResourceChange"]


async def test_the_name_of_a_failed_change_set_is_free_and_that_of_a_good_one_is_not(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)})
    same, other = template({"A": thing(Size=1)}), template({"A": thing(Size=2)})
    await stage.call("CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=same)
    await stage.call("CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=other)
    assert (await stage.call("DescribeChangeSet", StackName="s", ChangeSetName="c"))["Status"] == "CREATE_COMPLETE"
    answer = await stage.refused("CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=other)
    assert answer == ("AlreadyExistsException", "ChangeSet c already exists")


async def test_a_change_set_for_a_stack_that_is_not_there_is_refused_unless_it_creates_it(stage: Stage) -> None:
    body = template({"A": thing()})
    answer = await stage.refused("CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=body)
    assert answer == ("ValidationError", "Stack with id s does not exist")
    await stage.create({"A": thing()})
    code, message = await stage.refused(
        "CreateChangeSet", StackName="s", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body
    )
    assert code == "ValidationError"
    assert "already exists" in message


async def test_a_stack_under_review_can_be_deleted(stage: Stage) -> None:
    made = await stage.call(
        "CreateChangeSet",
        StackName="s",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateBody=template({"A": thing()}),
    )
    await stage.call("DeleteStack", StackName="s")
    await stage.service.driver.settled(made["StackId"])
    assert (await stage.stack(made["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
