"""Stacks that wait for signals, on a real platform: by URL, by SignalResource, in time or not."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.stacks.test_custom_resources import settled

Client = Callable[..., Any]
BY_URL = """
Parameters: {Timeout: {Type: Number, Default: 60}}
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: !Ref Timeout, Count: 2}
Outputs:
  Data: {Value: !GetAtt Wait.Data}
"""
BY_POLICY = """
Resources:
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    CreationPolicy: {ResourceSignal: {Count: 2, Timeout: PT1M}}
  Other: {Type: AWS::Logs::LogGroup, DependsOn: Wait}
"""


@pytest.fixture
def make(client: Client) -> Iterator[Callable[..., str]]:
    """`make(name, template, Timeout="2")`: a stack that waits; how to signal it, if that is by URL."""
    cloudformation, made = client("cloudformation"), []

    def create(name: str, template: str, **given: str) -> str:
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        cloudformation.create_stack(StackName=name, TemplateBody=template, Parameters=parameters)
        made.append(name)
        for _ in range(200):
            rows = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
            begun = {row["LogicalResourceId"]: row.get("PhysicalResourceId") for row in rows}
            if begun.get("Wait"):
                return begun.get("Handle") or ""
        raise AssertionError("nothing waits")

    yield create
    for name in made:
        cloudformation.delete_stack(StackName=name)
        settled(client, name)


def signal(url: str, **members: str) -> int:
    body = json.dumps({"Status": "SUCCESS", "Reason": "", "Data": "", **members}).encode()
    request = urllib.request.Request(url, data=body, method="PUT", headers={"content-type": ""})
    try:
        with urllib.request.urlopen(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_stack_goes_on_when_it_was_signalled_often_enough(client: Client, make: Callable[..., str]) -> None:
    url = make("wait-url", BY_URL)
    assert signal(url, UniqueId="a", Data="one") == 200
    assert signal(url, UniqueId="a", Data="again") == 200  # the same signal counts once
    assert client("cloudformation").describe_stacks(StackName="wait-url")["Stacks"][0]["StackStatus"] == (
        "CREATE_IN_PROGRESS"
    )
    assert signal(url, UniqueId="b", Data="two") == 200
    stack = settled(client, "wait-url")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert json.loads(stack["Outputs"][0]["OutputValue"]) == {"a": "one", "b": "two"}


def test_a_url_that_is_not_whole_signals_nothing(client: Client, make: Callable[..., str]) -> None:
    url = make("wait-forged", BY_URL)
    assert signal(url[:-1], UniqueId="a") == 403
    assert signal(url, UniqueId="a", Status="MAYBE") == 400
    assert signal(url, UniqueId="a", Status="FAILURE", Reason="no good") == 200
    assert settled(client, "wait-forged")["StackStatus"] == "ROLLBACK_COMPLETE"
    events = client("cloudformation").describe_stack_events(StackName="wait-forged")["StackEvents"]
    reasons = [event.get("ResourceStatusReason") for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert reasons == ["WaitCondition received failed message: 'no good' for uniqueId: a"]


def test_a_wait_ends_with_its_time(client: Client, make: Callable[..., str]) -> None:
    signal(make("wait-late", BY_URL, Timeout="1"), UniqueId="a")
    assert settled(client, "wait-late")["StackStatus"] == "ROLLBACK_COMPLETE"
    events = client("cloudformation").describe_stack_events(StackName="wait-late")["StackEvents"]
    reasons = [event.get("ResourceStatusReason") for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert reasons == ["WaitCondition timed out. Received 1 conditions when expecting 2"]


def test_a_creation_policy_waits_for_signals_of_the_api(client: Client, make: Callable[..., str]) -> None:
    cloudformation = client("cloudformation")
    make("wait-policy", BY_POLICY)
    place = {"StackName": "wait-policy", "LogicalResourceId": "Wait", "Status": "SUCCESS"}
    cloudformation.signal_resource(**place, UniqueId="a")
    with pytest.raises(ClientError, match="already exists"):
        cloudformation.signal_resource(**place, UniqueId="a")
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.signal_resource(**{**place, "LogicalResourceId": "None"}, UniqueId="a")
    cloudformation.signal_resource(**place, UniqueId="b")
    assert settled(client, "wait-policy")["StackStatus"] == "CREATE_COMPLETE"


def test_what_waits_is_given_up_when_something_else_fails(client: Client, make: Callable[..., str]) -> None:
    broken = "  Bad: {Type: AWS::SQS::Queue, Properties: {QueueName: 'not a name!'}}\n"
    make("wait-beside", BY_POLICY + broken)
    assert settled(client, "wait-beside")["StackStatus"] == "ROLLBACK_COMPLETE"
    events = client("cloudformation").describe_stack_events(StackName="wait-beside")["StackEvents"]
    reasons = {
        event["LogicalResourceId"]: event.get("ResourceStatusReason")
        for event in events
        if event["ResourceStatus"] == "CREATE_FAILED"
    }
    assert reasons["Wait"] == "Resource creation cancelled"


def test_a_stack_that_takes_too_long_is_rolled_back(client: Client) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="wait-given-up", TemplateBody=BY_POLICY, TimeoutInMinutes=1)
    cloudformation.delete_stack(StackName="wait-given-up")  # while it waits
    assert settled(client, "wait-given-up") == {}
