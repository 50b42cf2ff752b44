"""`aws cloudformation deploy`, unmodified, and a server that is killed while it makes a stack."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PlatformProcess, start_platform

TEMPLATE = """
Parameters: {Days: {Type: Number, Default: 7}}
Resources:
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}
Outputs: {Logs: {Value: !Ref Logs}}
"""


@pytest.fixture
def aws(platform: PlatformProcess, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """`aws("cloudformation", …)`: the exit status and everything that the command prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        "AWS_DEFAULT_REGION": platform.region,
    }

    def run(*arguments: str) -> tuple[int, str]:
        command = [str(Path(sys.executable).with_name("aws")), *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.timeout(600)  # the command line waits 5 to 30 seconds between two looks
def test_the_aws_command_line_deploys_deploys_again_and_deletes(
    aws: Callable[..., tuple[int, str]], client: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    deploy = ("cloudformation", "deploy", "--template-file", "t.yaml", "--stack-name", "aws-deploy")
    status, text = aws(*deploy)
    assert (status, "Successfully created/updated stack - aws-deploy" in text) == (0, True), text
    status, text = aws(*deploy, "--no-fail-on-empty-changeset")
    assert (status, "No changes to deploy" in text) == (0, True), text
    status, text = aws(*deploy, "--parameter-overrides", "Days=30")
    assert status == 0, text
    (output,) = client("cloudformation").describe_stacks(StackName="aws-deploy")["Stacks"][0]["Outputs"]
    (group,) = client("logs").describe_log_groups(logGroupNamePrefix=output["OutputValue"])["logGroups"]
    assert group["retentionInDays"] == 30
    assert aws("cloudformation", "delete-stack", "--stack-name", "aws-deploy")[0] == 0
    waiter = client("cloudformation").get_waiter("stack_delete_complete")
    waiter.wait(StackName="aws-deploy", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def many(count: int) -> str:
    """A template of roles and log groups in chains, so that making it takes a while."""
    trust = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}
    resources: dict[str, Any] = {}
    for number in range(count):
        chained = {"DependsOn": f"Role{number - 8}"} if number >= 8 else {}
        resources[f"Role{number}"] = {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": trust},
            **chained,
        }
        resources[f"Logs{number}"] = {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": {"Fn::Sub": f"/${{Role{number}}}"}},
        }
    return json.dumps({"Resources": resources})


@pytest.mark.parametrize("events", [10, 120])
def test_a_stack_is_finished_after_the_server_was_killed_in_the_middle(tmp_path: Path, events: int) -> None:
    server, running = start_platform(tmp_path / "data")
    try:
        cloudformation = running.client("cloudformation")
        cloudformation.create_stack(StackName="killed", TemplateBody=many(40), Capabilities=["CAPABILITY_IAM"])
        seen = 0
        while seen < events:
            pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName="killed")
            seen = sum(len(page["StackEvents"]) for page in pages)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        server, running = start_platform(tmp_path / "data")
        cloudformation, iam = running.client("cloudformation"), running.client("iam")
        waiting = {"Delay": 1, "MaxAttempts": 60}
        cloudformation.get_waiter("stack_create_complete").wait(StackName="killed", WaiterConfig=waiting)
        assert len(iam.list_roles()["Roles"]) == 40
        groups = running.client("logs").describe_log_groups(limit=50)["logGroups"]
        assert len(groups) == 40
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName="killed")
        assert sum(len(page["StackResourceSummaries"]) for page in pages) == 80
        cloudformation.delete_stack(StackName="killed")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="killed", WaiterConfig=waiting)
        assert iam.list_roles()["Roles"] == []
    finally:
        server.terminate()
        server.wait()
