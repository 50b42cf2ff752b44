"""Asynchronous invocations on a running platform, also when it is killed in the middle."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import PlatformProcess, start_platform
from tests.services.functions.stage import zipped

CODE = """
import json, time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    print("ran", json.dumps(event))
    if event.get("fail"):
        raise RuntimeError("as asked")
    return {"got": event}

def sink(event, context):
    print("record", json.dumps(event))
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def create(platform: PlatformProcess, handler: str = "app.handler") -> str:
    name = f"e-{uuid4().hex[:12]}"
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = platform.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler=handler,
        Role=role,
        Code={"ZipFile": zipped({"app.py": CODE})},
        Timeout=30,
    )
    arn: str = made["FunctionArn"]
    return arn


def printed(platform: PlatformProcess, arn: str, word: str) -> list[Any]:
    """What the function printed after `word`, so far."""
    logs = platform.client("logs")
    group = f"/aws/lambda/{arn.rpartition(':')[2]}"
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(line.removeprefix(f"{word} ")) for line in lines if line.startswith(f"{word} ")]


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again, as a user would; the test's own timeout is the bound."""
    while not condition():
        time.sleep(0.05)


def test_an_event_is_acknowledged_and_then_runs(platform: PlatformProcess) -> None:
    arn = create(platform)
    reply = platform.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=b'{"n": 1}')
    assert (reply["StatusCode"], reply["Payload"].read()) == (202, b"")
    until(lambda: printed(platform, arn, "ran") == [{"n": 1}])


def test_a_failed_event_is_recorded_at_its_destination(platform: PlatformProcess) -> None:
    arn, sink = create(platform), create(platform, "app.sink")
    functions = platform.client("lambda")
    functions.put_function_event_invoke_config(
        FunctionName=arn, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": sink}}
    )
    functions.invoke(FunctionName=arn, InvocationType="Event", Payload=b'{"fail": true}')
    until(lambda: len(printed(platform, sink, "record")) == 1)
    [record] = printed(platform, sink, "record")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["functionArn"] == f"{arn}:$LATEST"
    assert record["requestPayload"] == {"fail": True}
    assert record["responsePayload"]["errorMessage"] == "as asked"


@pytest.mark.parametrize("ran_before", [0, 5])
def test_no_acknowledged_event_is_lost_when_the_server_is_killed(tmp_path: Path, ran_before: int) -> None:
    server, before = start_platform(tmp_path / "data")
    try:
        arn = create(before)
        functions = before.client("lambda")
        for number in range(20):
            event = json.dumps({"n": number, "sleep": 0.1}).encode()
            functions.invoke(FunctionName=arn, InvocationType="Event", Payload=event)
        until(lambda: len(printed(before, arn, "ran")) >= ran_before)
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    server, after = start_platform(tmp_path / "data")
    try:
        until(lambda: {event["n"] for event in printed(after, arn, "ran")} == set(range(20)))
    finally:
        server.terminate()
        assert server.wait(60) == 0
