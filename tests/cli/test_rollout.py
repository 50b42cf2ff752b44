"""`mayfly rollout` against a running platform: a version that does well takes over, one that does not is taken back."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.test_commands import TRUST, mayfly
from tests.conftest import PlatformProcess, start_platform

GOOD = "def handler(event, context): return context.function_version"
HOOK = """
import os
import boto3

def handler(event, context):
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=os.environ["VERDICT"],
    )
"""
BAD = "def handler(event, context): raise ValueError('as asked')"


def zipped(text: str) -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", text)
    return package.getvalue()


def changed(functions: Any, name: str, text: str) -> None:
    functions.update_function_code(FunctionName=name, ZipFile=zipped(text))
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


@pytest.fixture
def function(platform: PlatformProcess) -> str:
    return prepared(platform)


def prepared(platform: PlatformProcess) -> str:
    """The name of a function whose alias `live` leads to its version 1."""
    iam, functions = platform.client("iam"), platform.client("lambda")
    name = f"rollout-{uuid4().hex[:12]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions.create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped(GOOD)},
        Publish=True,
    )
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1")
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


@contextlib.contextmanager
def called(functions: Any, name: str) -> Iterator[None]:
    """The alias is called all the time meanwhile."""
    over = threading.Event()

    def call() -> None:
        while not over.wait(0.01):
            functions.invoke(FunctionName=name, Qualifier="live")

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield
    finally:
        over.set()
        caller.join()


def rolled_out(platform: PlatformProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return mayfly("rollout", *arguments, data=platform.data)


def test_a_version_that_does_well_takes_over(platform: PlatformProcess, function: str) -> None:
    functions = platform.client("lambda")
    changed(functions, function, f"{GOOD} + 'b'")
    done = rolled_out(platform, function, "--canary", "50%/1s", "--max-errors", "0%", "--max-latency", "30s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50% of the calls go to version 2" in done.stdout
    alias = functions.get_alias(FunctionName=function, Name="live")
    assert (alias["FunctionVersion"], alias.get("RoutingConfig")) == ("2", None)
    listed = json.loads(rolled_out(platform, "status", function, "--json").stdout)
    assert [each["status"] for each in listed] == ["Succeeded"]
    platform.client("codedeploy").get_waiter("deployment_successful").wait(
        deploymentId=listed[0]["deploymentId"], WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    assert "100% of the calls" in rolled_out(platform, "status", function).stdout


def test_a_version_that_fails_is_taken_back_by_itself(platform: PlatformProcess, function: str) -> None:
    functions = platform.client("lambda")
    changed(functions, function, BAD)
    with called(functions, function):
        done = rolled_out(platform, function, "--canary", "30%/10m", "--max-errors", "5%")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "5.00% may." in done.stderr
    assert "The calls go to the old version again." in done.stderr
    assert json.loads(functions.invoke(FunctionName=function, Qualifier="live")["Payload"].read()) == "1"


@pytest.mark.parametrize("verdict", ["Succeeded", "Failed"])
def test_a_hook_as_codedeploy_has_them_decides(platform: PlatformProcess, function: str, verdict: str) -> None:
    functions = platform.client("lambda")
    own = functions.get_function_configuration(FunctionName=function)
    hook = f"{function}-hook"
    functions.create_function(
        FunctionName=hook,
        Runtime=own["Runtime"],
        Handler="app.handler",
        Role=own["Role"],
        Timeout=20,
        Code={"ZipFile": zipped(HOOK)},
        Environment={"Variables": {"VERDICT": verdict}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=hook)
    changed(functions, function, f"{GOOD} + 'd'")
    done = rolled_out(platform, function, "--all-at-once", "--before", hook, "--after", hook)
    leads_to = functions.get_alias(FunctionName=function, Name="live")["FunctionVersion"]
    if verdict == "Succeeded":
        assert (done.returncode, leads_to) == (0, "2"), done.stderr
    else:
        assert (done.returncode, leads_to) == (2, "1"), done.stdout
        assert f"The hook {hook} of BeforeAllowTraffic failed" in done.stderr


def test_one_under_way_is_stopped(platform: PlatformProcess, function: str) -> None:
    functions = platform.client("lambda")
    changed(functions, function, f"{GOOD} + 'c'")
    begun = rolled_out(platform, function, "--linear", "10%/10m", "--detach")
    assert begun.returncode == 0, begun.stderr
    stopped = rolled_out(platform, "stop", function)
    assert "Stopped" in stopped.stdout
    assert functions.get_alias(FunctionName=function, Name="live")["FunctionVersion"] == "1"
    assert rolled_out(platform, "stop", function).returncode == 1


def test_a_rollout_goes_on_after_the_servers_sudden_death(tmp_path: Path) -> None:
    server, running = start_platform(tmp_path / "data")
    try:
        functions, name = running.client("lambda"), prepared(running)
        changed(functions, name, f"{GOOD} + 'e'")
        assert rolled_out(running, name, "--canary", "50%/4s", "--detach").returncode == 0
        os.kill(server.pid, signal.SIGKILL)
        server.wait(60)
        server, running = start_platform(tmp_path / "data")
        ended = rolled_out(running, "status", name, "--follow", "--json")
        assert (ended.returncode, json.loads(ended.stdout)["status"]) == (0, "Succeeded"), ended.stderr
        alias = running.client("lambda").get_alias(FunctionName=name, Name="live")
        assert (alias["FunctionVersion"], alias.get("RoutingConfig")) == ("2", None)
    finally:
        server.terminate()
        assert server.wait(60) == 0


def test_a_new_alias_needs_no_rollout(platform: PlatformProcess, function: str) -> None:
    made = rolled_out(platform, function, "--all-at-once", "--alias", "fresh")
    assert made.stdout.strip() == f"{function}:fresh is new, and leads to version 1."


def test_a_function_that_is_not_there_is_said_in_its_own_words(platform: PlatformProcess) -> None:
    refused = rolled_out(platform, "nobody", "--all-at-once")
    assert refused.returncode == 1
    assert refused.stderr.startswith("mayfly: ResourceNotFoundException: Function not found: arn:aws:lambda:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of"),
        (["--canary", "10%/5m", "--all-at-once"], "give one of"),
        (["--canary", "ten"], "such as 10%/5m"),
        (["--all-at-once", "--max-latency", "soon"], "250ms or 2s"),
    ],
)
def test_what_cannot_be_meant_is_said_at_once(platform: PlatformProcess, arguments: list[str], message: str) -> None:
    refused = rolled_out(platform, "any", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
