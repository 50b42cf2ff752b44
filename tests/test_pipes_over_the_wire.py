"""Pipes with real clients against the real server: queue to queue exactly once, although the server is killed."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PlatformProcess, start_platform

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def make_role(platform: PlatformProcess, name: str) -> str:
    made = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    arn: str = made["Role"]["Arn"]
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
