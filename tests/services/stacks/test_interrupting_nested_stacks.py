"""Operations on stacks with nested ones, given up at moments that chance decides: nothing is stuck or left over."""

import contextlib
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .test_custom_resources import settled

Client = Callable[..., Any]
CHILD = {
    "Parameters": {"Days": {"Type": "Number"}},
    "Resources": {
        f"Logs{number}": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"RetentionInDays": {"Ref": "Days"}},
            **({"DependsOn": f"Logs{number - 1}"} if number else {}),
        }
        for number in range(8)
    },
    "Outputs": {"Days": {"Value": {"Ref": "Days"}}},
}


def around(bucket: str, depth: int) -> str:
    """A stack with two in it, which have one each."""
    url = f"https://{bucket}.s3.amazonaws.com/{depth - 1}.json"
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": url, "Parameters": {"Days": {"Ref": "Days"}}},
    }
    return json.dumps({
        "Parameters": {"Days": {"Type": "Number", "Default": 7}},
        "Resources": {f"Inner{number}": nested for number in range(2)},
        "Outputs": {"Days": {"Value": {"Fn::GetAtt": ["Inner1", "Outputs.Days"]}}},
    })  # fmt: skip


def test_whenever_an_operation_is_given_up_everything_comes_to_rest(client: Client) -> None:
    cloudformation, s3, logs = client("cloudformation"), client("s3"), client("logs")
    s3.create_bucket(Bucket="interrupted")
    for depth in range(2):
        body = json.dumps(CHILD) if depth == 0 else around("interrupted", depth)
        s3.put_object(Bucket="interrupted", Key=f"{depth}.json", Body=body)
    template = around("interrupted", 2)

    for _ in range(2):
        made = cloudformation.create_stack(StackName="interrupted", TemplateBody=template)
        time.sleep(random.uniform(0.0, 0.5))
        cloudformation.delete_stack(StackName="interrupted")
        assert settled(client, "interrupted") == {}
        assert cloudformation.describe_stacks(StackName=made["StackId"])["Stacks"][0]["StackStatus"] == (
            "DELETE_COMPLETE"
        )
        assert logs.describe_log_groups(logGroupNamePrefix="interrupted")["logGroups"] == []

    cloudformation.create_stack(StackName="interrupted", TemplateBody=template)
    assert settled(client, "interrupted")["StackStatus"] == "CREATE_COMPLETE"
    for days in (14, 30):
        given = [{"ParameterKey": "Days", "ParameterValue": str(days)}]
        cloudformation.update_stack(StackName="interrupted", UsePreviousTemplate=True, Parameters=given)
        time.sleep(random.uniform(0.0, 0.4))
        with contextlib.suppress(ClientError):  # it may be through already
            cloudformation.cancel_update_stack(StackName="interrupted")
        stack = settled(client, "interrupted")
        assert stack["StackStatus"] in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"), stack
        groups = logs.describe_log_groups(logGroupNamePrefix="interrupted")["logGroups"]
        assert len(groups) == 32
        wanted = {int(stack["Outputs"][0]["OutputValue"])}
        assert {group["retentionInDays"] for group in groups} == wanted
        stacks = cloudformation.describe_stacks()["Stacks"]
        names = {item["StackStatus"] for item in stacks if item["StackName"].startswith("interrupted")}
        assert names <= {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}, names
    cloudformation.delete_stack(StackName="interrupted")
    assert settled(client, "interrupted") == {}
    assert logs.describe_log_groups(logGroupNamePrefix="interrupted")["logGroups"] == []


pytestmark = pytest.mark.timeout(200)
