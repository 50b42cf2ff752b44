"""A server that is killed while it makes, changes and deletes a stack with a nested one and a custom resource: the next
goes on, and nothing is left over or made twice."""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import PlatformProcess, start_platform

TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
CODE = """
import cfnresponse, time
def handler(event, context):
    time.sleep(0.3)
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Name": "made"}, "thing")
"""
SIDE = {f"Side{number}": {"Type": "AWS::Logs::LogGroup"} for number in range(6)}
CHILD = {
    "Parameters": {"Days": {"Type": "Number"}, "Maker": {"Type": "String"}},
    "Resources": {
        "Thing": {
            "Type": "Custom::Thing",
            "Properties": {"ServiceToken": {"Ref": "Maker"}, "Days": {"Ref": "Days"}, "ServiceTimeout": 60},
        },
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"RetentionInDays": {"Ref": "Days"}, "LogGroupName": {"Fn::GetAtt": ["Thing", "Name"]}},
        },
    },
    "Outputs": {"Logs": {"Value": {"Ref": "Logs"}}},
}
PARENT = {
    "Parameters": {"Days": {"Type": "Number", "Default": 7}},
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Maker": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": CODE},
            },
        },
        "Child": {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {
                "TemplateURL": "https://templates.s3.amazonaws.com/child.json",
                "Parameters": {"Days": {"Ref": "Days"}, "Maker": {"Fn::GetAtt": ["Maker", "Arn"]}},
            },
        },
        "After": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": {"Fn::Sub": "after-${Child.Outputs.Logs}"}},
        },
        **SIDE,
    },
}


class Mortal:
    """A server that can be killed at any moment, and started again."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._server: subprocess.Popen[bytes]
        self.platform: PlatformProcess
        self._server, self.platform = start_platform(data)

    def kill(self) -> None:
        os.kill(self._server.pid, signal.SIGKILL)
        self._server.wait()

    def start(self) -> None:
        self._server, self.platform = start_platform(self._data)

    def end(self) -> None:
        self._server.terminate()
        self._server.wait()

    def kill_within(self, seconds: float) -> None:
        """Kill it at a moment that chance decides, and start the next."""
        dead = threading.Event()

        def end() -> None:
            self.kill()
            dead.set()

        timer = threading.Timer(random.uniform(0.0, seconds), end)
        timer.start()
        assert dead.wait(60)
        timer.join()
        self.start()

    def settled(self, name: str) -> dict[str, Any]:
        for _ in range(300):
            with contextlib.suppress(BotoCoreError):
                try:
                    (found,) = self.platform.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
                except ClientError:
                    return {}
                if not found["StackStatus"].endswith("_IN_PROGRESS"):
                    return dict(found)
            time.sleep(0.2)
        raise AssertionError(f"{name} never settled")

    def failures(self, name: str) -> list[str]:
        """Why something of a stack, or of one within it, failed."""
        client = self.platform.client("cloudformation")
        names = [name, *(one["StackId"] for one in client.describe_stacks()["Stacks"] if "ParentId" in one)]
        events = [event for name in names for event in client.describe_stack_events(StackName=name)["StackEvents"]]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
            for event in events
            if "FAILED" in event["ResourceStatus"]
        ]

    def groups(self) -> set[str]:
        found = self.platform.client("logs").describe_log_groups(limit=50)["logGroups"]
        return {group["logGroupName"] for group in found if not group["logGroupName"].startswith("/aws/")}


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    made = Mortal(tmp_path / "data")
    yield made
    made.end()


@pytest.mark.timeout(280)
def test_whenever_the_server_is_killed_the_next_one_brings_the_stack_to_its_end(mortal: Mortal) -> None:
    s3 = mortal.platform.client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="child.json", Body=json.dumps(CHILD))
    template = json.dumps(PARENT)

    mortal.platform.client("cloudformation").create_stack(
        StackName="mortal", TemplateBody=template, Capabilities=["CAPABILITY_IAM"]
    )
    mortal.kill_within(2.0)
    stack = mortal.settled("mortal")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    assert {"made", "after-made"} <= mortal.groups()
    assert len(mortal.groups()) == 8

    parameters = [{"ParameterKey": "Days", "ParameterValue": "30"}]
    mortal.platform.client("cloudformation").update_stack(
        StackName="mortal", UsePreviousTemplate=True, Parameters=parameters, Capabilities=["CAPABILITY_IAM"]
    )
    mortal.kill_within(1.0)
    stack = mortal.settled("mortal")
    assert stack["StackStatus"] == "UPDATE_COMPLETE", mortal.failures("mortal")
    (group,) = mortal.platform.client("logs").describe_log_groups(logGroupNamePrefix="made")["logGroups"]
    assert group["retentionInDays"] == 30

    mortal.platform.client("cloudformation").delete_stack(StackName="mortal")
    mortal.kill_within(1.0)
    assert mortal.settled("mortal") == {}
    assert mortal.groups() == set()
    assert mortal.platform.client("iam").list_roles()["Roles"] == []
    assert mortal.platform.client("lambda").list_functions()["Functions"] == []
    assert mortal.platform.client("cloudformation").describe_stacks()["Stacks"] == []
