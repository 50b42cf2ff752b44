"""What differs from what a stack says: pure, and found on a real platform."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.stacks.drift import differences

from .test_custom_resources import settled

Client = Callable[..., Any]
TEMPLATE = """
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60, Tags: [{Key: team, Value: a}]}}
  Gone: {Type: AWS::SQS::Queue}
  Same: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 3}}
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
"""
VALUES = st.recursive(
    st.integers() | st.text() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ({"A": 1}, {"A": "1", "B": 2}, []),
        ({"A": 1}, {"A": 2}, [("/A", "NOT_EQUAL")]),
        ({"A": 1}, {}, [("/A", "REMOVE")]),
        ({"A": {"B": 1}}, {"A": {"B": 1, "C": 2}}, [("/A/C", "ADD")]),
        ({"A": ["x", "y"]}, {"A": ["y", "x"]}, []),
        ({"A": ["x"]}, {"A": ["x", "y"]}, [("/A/1", "ADD")]),
        ({"A": [{"Key": "k", "Value": "v"}]}, {"A": [{"Key": "k", "Value": "w"}]}, [("/A/0/Value", "NOT_EQUAL")]),
        ({"A": []}, {}, []),
    ],
)
def test_only_what_the_stack_says_counts(expected: Any, actual: Any, found: Any) -> None:
    assert [(item.path, item.kind) for item in differences(expected, actual)] == found


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=4))
def test_what_is_as_it_should_be_does_not_differ(properties: dict[str, Any]) -> None:
    assert differences(properties, json.loads(json.dumps(properties))) == []


def test_what_was_changed_behind_a_stacks_back_is_found(client: Client) -> None:
    cloudformation, sqs = client("cloudformation"), client("sqs")
    cloudformation.create_stack(StackName="drift", TemplateBody=TEMPLATE)
    assert settled(client, "drift")["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    rows = cloudformation.describe_stack_resources(StackName="drift")["StackResources"]
    urls = {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}
    sqs.set_queue_attributes(QueueUrl=urls["Queue"], Attributes={"VisibilityTimeout": "90"})
    sqs.delete_queue(QueueUrl=urls["Gone"])

    detection = cloudformation.detect_stack_drift(StackName="drift")["StackDriftDetectionId"]
    for _ in range(200):
        found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
        time.sleep(0.05)
    assert (found["DetectionStatus"], found["StackDriftStatus"], found["DriftedStackResourceCount"]) == (
        "DETECTION_COMPLETE", "DRIFTED", 2,
    )  # fmt: skip
    drifts = cloudformation.describe_stack_resource_drifts(StackName="drift")["StackResourceDrifts"]
    by_name = {item["LogicalResourceId"]: item for item in drifts}
    assert {name: item["StackResourceDriftStatus"] for name, item in by_name.items()} == {
        "Queue": "MODIFIED", "Gone": "DELETED", "Same": "IN_SYNC", "Handle": "NOT_CHECKED",
    }  # fmt: skip
    assert by_name["Queue"]["PropertyDifferences"] == [
        {
            "PropertyPath": "/VisibilityTimeout",
            "ExpectedValue": "60",
            "ActualValue": "90",
            "DifferenceType": "NOT_EQUAL",
        }
    ]
    assert cloudformation.describe_stacks(StackName="drift")["Stacks"][0]["DriftInformation"]["StackDriftStatus"] == (
        "DRIFTED"
    )
    (only,) = cloudformation.describe_stack_resource_drifts(
        StackName="drift", StackResourceDriftStatusFilters=["DELETED"]
    )["StackResourceDrifts"]
    assert only["LogicalResourceId"] == "Gone"

    sqs.set_queue_attributes(QueueUrl=urls["Queue"], Attributes={"VisibilityTimeout": "60"})
    again = cloudformation.detect_stack_resource_drift(StackName="drift", LogicalResourceId="Queue")
    assert again["StackResourceDrift"]["StackResourceDriftStatus"] == "IN_SYNC"
    with pytest.raises(ClientError, match="not supported"):
        cloudformation.detect_stack_resource_drift(StackName="drift", LogicalResourceId="Handle")
    cloudformation.delete_stack(StackName="drift")
    assert settled(client, "drift") == {}


def test_what_is_about_aws_itself_is_refused_with_a_reason(client: Client) -> None:
    cloudformation = client("cloudformation")
    with pytest.raises(ClientError, match="many accounts and regions"):
        cloudformation.create_stack_set(StackSetName="s")
    with pytest.raises(ClientError, match="write a custom resource"):
        cloudformation.register_type(TypeName="Acme::Thing::Box", SchemaHandlerPackage="s3://x/y")
    limits = {item["Name"] for item in cloudformation.describe_account_limits()["AccountLimits"]}
    assert "StackLimit" in limits
    listed = cloudformation.list_types(Visibility="PUBLIC", Filters={"TypeNamePrefix": "AWS::SQS::"})["TypeSummaries"]
    assert "AWS::SQS::Queue" in {item["TypeName"] for item in listed}
    described = cloudformation.describe_type(Type="RESOURCE", TypeName="AWS::SQS::Queue")
    assert "VisibilityTimeout" in json.loads(described["Schema"])["properties"]
