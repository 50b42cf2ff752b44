"""Pipes with real clients against the real server: queue to queue exactly once, although the server is killed."""

import io
import json
import signal
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PlatformProcess, start_platform

DOUBLE = "def handler(batch, context):\n    return [{'n': 2 * each['n']} for each in batch]\n"


def make_role(platform: PlatformProcess, name: str, *services: str) -> str:
    """A role that pipes may assume, and `services`."""
    allowed = {"Effect": "Allow", "Principal": {"Service": ["pipes.amazonaws.com", *services]}}
    trust = {"Version": "2012-10-17", "Statement": [{**allowed, "Action": "sts:AssumeRole"}]}
    made = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    arn: str = made["Role"]["Arn"]
    return arn


def make_function(platform: PlatformProcess, name: str, role: str) -> str:
    """A function that doubles, and answers calls."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", DOUBLE)
    functions = platform.client("lambda")
    arn: str = functions.create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return arn


def make_queue(platform: PlatformProcess, name: str, **attributes: str) -> tuple[str, str]:
    """Its URL and its ARN."""
    sqs = platform.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def drain(platform: PlatformProcess, url: str, bodies: Counter[str]) -> int:
    """Take what is there now; how many messages."""
    sqs = platform.client("sqs")
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    for message in messages:
        bodies[message["Body"]] += 1
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return len(messages)


def test_boto3_makes_a_pipe_that_filters_and_transforms(platform: PlatformProcess) -> None:
    pipes, sqs = platform.client("pipes"), platform.client("sqs")
    (source, source_arn), (target, target_arn) = make_queue(platform, "pipe-in"), make_queue(platform, "pipe-out")
    made = pipes.create_pipe(
        Name="wire",
        Source=source_arn,
        SourceParameters={"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]}},
        Target=target_arn,
        TargetParameters={"InputTemplate": '{"order": <$.body.id>, "pipe": "<aws.pipes.pipe-name>"}'},
        RoleArn=make_role(platform, "pipe-wire"),
    )
    assert made["CurrentState"] == "CREATING"
    sqs.send_message(QueueUrl=source, MessageBody=json.dumps({"kind": "other", "id": 1}))
    sqs.send_message(QueueUrl=source, MessageBody=json.dumps({"kind": "order", "id": 2}))
    bodies: Counter[str] = Counter()
    while not bodies:
        drain(platform, target, bodies)
    assert [json.loads(body) for body in bodies] == [{"order": 2, "pipe": "wire"}]
    assert pipes.describe_pipe(Name="wire")["CurrentState"] == "RUNNING"
    assert [pipe["Name"] for pipe in pipes.list_pipes(NamePrefix="wire")["Pipes"]] == ["wire"]
    with pytest.raises(pipes.exceptions.ConflictException):
        pipes.start_pipe(Name="wire")
    pipes.delete_pipe(Name="wire")
    while pipes.list_pipes(NamePrefix="wire")["Pipes"]:
        time.sleep(0.05)
    with pytest.raises(pipes.exceptions.NotFoundException):
        pipes.describe_pipe(Name="wire")


def test_a_tick_goes_over_a_bus_into_a_queue_and_through_a_pipe_with_a_function(platform: PlatformProcess) -> None:
    (_, source_arn), (target, target_arn) = make_queue(platform, "path-in"), make_queue(platform, "path-out")
    events, scheduler = platform.client("events"), platform.client("scheduler")
    bus = events.create_event_bus(Name="path")["EventBusArn"]
    events.put_rule(Name="path", EventBusName="path", EventPattern=json.dumps({"source": ["clock"]}))
    events.put_targets(Rule="path", EventBusName="path", Targets=[{"Id": "1", "Arn": source_arn}])
    role = make_role(platform, "path", "scheduler.amazonaws.com", "lambda.amazonaws.com")
    platform.client("pipes").create_pipe(
        Name="path",
        Source=source_arn,
        Enrichment=make_function(platform, "path", role),
        EnrichmentParameters={"InputTemplate": "<$.body.detail>"},
        Target=target_arn,
        TargetParameters={"InputTemplate": '{"doubled": <$.n>}'},
        RoleArn=role,
    )
    scheduler.create_schedule(
        Name="path",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": bus,
            "RoleArn": role,
            "Input": '{"n": 21}',
            "EventBridgeParameters": {"Source": "clock", "DetailType": "Tick"},
        },
    )
    bodies: Counter[str] = Counter()
    while not bodies:
        drain(platform, target, bodies)
    assert [json.loads(body) for body in bodies] == [{"doubled": 42}]
    scheduler.delete_schedule(Name="path")
    platform.client("pipes").delete_pipe(Name="path")


@pytest.mark.timeout(240)
def test_every_message_goes_through_once_although_the_server_is_killed(tmp_path: Path) -> None:
    data, count = tmp_path / "data", 400
    server, platform = start_platform(data)
    try:
        # Held for a short time, so that what the killed server had taken comes again soon.
        source, source_arn = make_queue(platform, "in", VisibilityTimeout="2")
        target, target_arn = make_queue(platform, "out")
        sqs = platform.client("sqs")
        for start in range(0, count, 10):
            entries: list[Any] = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
            sqs.send_message_batch(QueueUrl=source, Entries=entries)
        platform.client("pipes").create_pipe(
            Name="p",
            Source=source_arn,
            Target=target_arn,
            TargetParameters={"InputTemplate": "<$.body>"},
            RoleArn=make_role(platform, "p"),
        )
        bodies: Counter[str] = Counter()
        for share in (0.1, 0.5):
            while bodies.total() < share * count:
                drain(platform, target, bodies)
            server.send_signal(signal.SIGKILL)
            server.wait()
            server, platform = start_platform(data)
            source, target = (url.replace(url.split("/")[2], platform.url.split("/")[2]) for url in (source, target))
        while bodies.total() < count or drain(platform, target, bodies):
            drain(platform, target, bodies)
        assert bodies == Counter(str(n) for n in range(count))
    finally:
        server.terminate()
        server.wait()
