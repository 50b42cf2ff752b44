"""Stacks that are resources of stacks, on a real platform: made, changed, taken back, deleted with the stack around."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
WAIT = {"Delay": 1, "MaxAttempts": 60}
CHILD = """
Parameters:
  Days: {Type: Number, Default: 7}
  Extra: {Type: String, Default: none}
  Beside: {Type: String, Default: none}
Conditions: {More: !Not [!Equals [!Ref Extra, none]]}
Resources:
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}
  Queue: {Type: AWS::SQS::Queue, Condition: More, Properties: {QueueName: !Ref Extra}}
Outputs:
  Name: {Value: !Ref Logs}
  Days: {Value: !Ref Days}
"""
PARENT = """
Parameters: {Days: {Type: Number, Default: 7}, Extra: {Type: String, Default: none}, Bad: {Type: String, Default: ok}}
Conditions: {Broken: !Equals [!Ref Bad, bad]}
Resources:
  Known: {Type: AWS::Logs::LogGroup}
  Child:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: PLACE
      Parameters: {Days: !Ref Days, Extra: !Ref Extra, Beside: !Ref Known}
      Tags: [{Key: own, Value: child}]
  After:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "after-${Child.Outputs.Name}"}
  Broken:
    Type: AWS::SQS::Queue
    Condition: Broken
    DependsOn: Child
    Properties: {QueueName: "not a name of a queue!"}
Outputs:
  Inner: {Value: !GetAtt Child.Outputs.Name}
  Child: {Value: !Ref Child}
"""


@pytest.fixture
def bucket(client: Client) -> Iterator[str]:
    s3 = client("s3")
    s3.create_bucket(Bucket="nested-templates")
    yield "nested-templates"
    for item in s3.list_objects_v2(Bucket="nested-templates").get("Contents", ()):
        s3.delete_object(Bucket="nested-templates", Key=item["Key"])
    s3.delete_bucket(Bucket="nested-templates")


@pytest.fixture
def parent(client: Client, bucket: str) -> Iterator[str]:
    client("s3").put_object(Bucket=bucket, Key="child.yaml", Body=CHILD)
    yield PARENT.replace("PLACE", f"https://{bucket}.s3.us-east-1.amazonaws.com/child.yaml")
    cloudformation = client("cloudformation")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        if "ParentId" not in stack and stack["StackName"].startswith("around"):
            cloudformation.delete_stack(StackName=stack["StackId"])
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack["StackId"], WaiterConfig=WAIT)


def _wait(client: Client, what: str, name: str) -> dict[str, Any]:
    cloudformation = client("cloudformation")
    cloudformation.get_waiter(what).wait(StackName=name, WaiterConfig=WAIT)
    found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return found


def _settled(client: Client, name: str) -> dict[str, Any]:
    """The stack once nothing is under way."""
    for _ in range(240):
        found: dict[str, Any] = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        if not found["StackStatus"].endswith("_IN_PROGRESS"):
            return found
        time.sleep(0.25)
    raise AssertionError(f"{name} is still in {found['StackStatus']}")


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}


def _given(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def _statuses(client: Client, stack_id: str) -> list[str]:
    pages = client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id)
    events = [event for page in pages for event in page["StackEvents"]]
    return [event["ResourceStatus"] for event in reversed(events) if event["PhysicalResourceId"] == stack_id]


def test_a_nested_stack_is_made_changed_and_deleted_with_the_one_around_it(client: Client, parent: str) -> None:
    cloudformation = client("cloudformation")
    tags = [{"Key": "team", "Value": "a"}]
    cloudformation.create_stack(StackName="around", TemplateBody=parent, Tags=tags)
    around = _wait(client, "stack_create_complete", "around")
    child = cloudformation.describe_stacks(StackName=_outputs(around)["Child"])["Stacks"][0]
    assert child["StackName"].startswith("around-Child-")
    told = cloudformation.describe_stack_events(StackName="around")["StackEvents"]
    ids = {event["PhysicalResourceId"] for event in told if event["LogicalResourceId"] == "Child"}
    assert ids <= {"", child["StackId"]}, "whoever follows the events of the child finds it by what is told first"
    assert (child["ParentId"], child["RootId"]) == (around["StackId"], around["StackId"])
    assert {tag["Key"]: tag["Value"] for tag in child["Tags"]} == {"team": "a", "own": "child"}
    assert _outputs(around)["Inner"] == _outputs(child)["Name"]

    cloudformation.update_stack(StackName="around", UsePreviousTemplate=True, Parameters=_given(Days="30"))
    _wait(client, "stack_update_complete", "around")
    child = cloudformation.describe_stacks(StackName=child["StackId"])["Stacks"][0]
    assert (child["StackStatus"], _outputs(child)["Days"]) == ("UPDATE_COMPLETE", "30")

    cloudformation.delete_stack(StackName="around")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=around["StackId"], WaiterConfig=WAIT)
    child = cloudformation.describe_stacks(StackName=child["StackId"])["Stacks"][0]
    assert child["StackStatus"] == "DELETE_COMPLETE"
    assert client("logs").describe_log_groups(logGroupNamePrefix="around-Child")["logGroups"] == []


def test_a_change_of_what_the_url_holds_is_an_update(client: Client, parent: str, bucket: str) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="around-url", TemplateBody=parent)
    around = _wait(client, "stack_create_complete", "around-url")
    client("s3").put_object(Bucket=bucket, Key="child.yaml", Body=CHILD.replace("Default: 7", "Default: 3"))
    template = parent.replace("Days: !Ref Days, Extra: !Ref Extra", "Extra: !Ref Extra")
    cloudformation.update_stack(StackName="around-url", TemplateBody=template)
    _wait(client, "stack_update_complete", "around-url")
    cloudformation.update_stack(StackName="around-url", UsePreviousTemplate=True)  # nobody knows before it looked
    _wait(client, "stack_update_complete", "around-url")
    child = cloudformation.describe_stacks(StackName=_outputs(around)["Child"])["Stacks"][0]
    assert _outputs(child)["Days"] == "3"


def test_a_failing_child_takes_the_creation_around_it_back(client: Client, parent: str) -> None:
    cloudformation = client("cloudformation")
    made = cloudformation.create_stack(
        StackName="around-bad", TemplateBody=parent, Parameters=_given(Extra="no such name!")
    )
    around = _settled(client, "around-bad")
    assert around["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=made["StackId"])["StackEvents"]
    (failed,) = [e for e in events if (e["LogicalResourceId"], e["ResourceStatus"]) == ("Child", "CREATE_FAILED")]
    assert (
        "was not successfully created: The following resource(s) failed to create: [Queue"
        in (failed["ResourceStatusReason"])
    )
    assert _statuses(client, failed["PhysicalResourceId"])[-1] == "DELETE_COMPLETE"
    assert client("logs").describe_log_groups(logGroupNamePrefix="around-bad")["logGroups"] == []


def test_an_update_that_fails_beside_a_child_takes_the_childs_back(client: Client, parent: str) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="around-back", TemplateBody=parent, Parameters=_given(Extra="kept-queue"))
    around = _wait(client, "stack_create_complete", "around-back")
    queue = client("sqs").get_queue_url(QueueName="kept-queue")["QueueUrl"]
    client("sqs").send_message(QueueUrl=queue, MessageBody="still there")
    given = _given(Days="14", Extra="none", Bad="bad")  # the child gives its queue up, and then something else fails
    cloudformation.update_stack(StackName="around-back", UsePreviousTemplate=True, Parameters=given)
    around = _settled(client, "around-back")
    assert around["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    child = cloudformation.describe_stacks(StackName=_outputs(around)["Child"])["Stacks"][0]
    assert _outputs(child)["Days"] == "7"
    assert client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "still there"
    statuses = _statuses(client, child["StackId"])
    assert statuses[-4:] == [
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]


def test_termination_protection_is_the_roots(client: Client, parent: str) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="around-kept", TemplateBody=parent)
    around = _wait(client, "stack_create_complete", "around-kept")
    with pytest.raises(ClientError, match="nested stack"):
        cloudformation.update_termination_protection(
            StackName=_outputs(around)["Child"], EnableTerminationProtection=True
        )


def test_a_change_set_shows_those_of_nested_stacks(client: Client, parent: str) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="around-set", TemplateBody=parent)
    _wait(client, "stack_create_complete", "around-set")
    made = cloudformation.create_change_set(
        StackName="around-set",
        ChangeSetName="look",
        UsePreviousTemplate=True,
        Parameters=_given(Days="60"),
        IncludeNestedStacks=True,
    )
    root = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    changes = {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in root["Changes"]}
    below = cloudformation.describe_change_set(ChangeSetName=changes["Child"]["ChangeSetId"])
    assert (below["ParentChangeSetId"], below["RootChangeSetId"]) == (made["Id"], made["Id"])
    (change,) = [item["ResourceChange"] for item in below["Changes"]]
    assert change["LogicalResourceId"] == "Logs"
    with pytest.raises(ClientError, match="belongs to a change set"):
        cloudformation.execute_change_set(ChangeSetName=below["ChangeSetId"])
    cloudformation.execute_change_set(ChangeSetName=made["Id"])
    _wait(client, "stack_update_complete", "around-set")
    assert json.dumps(root["Parameters"]).count("60") == 1
