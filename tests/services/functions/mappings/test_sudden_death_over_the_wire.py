"""A real server is killed with SIGKILL while a queue drives a function: every message is worked on, and then gone."""

import io
import json
import signal
import time
import zipfile
from pathlib import Path
from typing import Any

from tests.conftest import PlatformProcess, start_platform

MESSAGES = 400
PATIENCE_S = 90
SOURCE = """
import boto3
sqs = boto3.client("sqs")
url = sqs.get_queue_url(QueueName="done")["QueueUrl"]
def handler(event, context):
    entries = [{"Id": str(at), "MessageBody": each["body"]} for at, each in enumerate(event["Records"])]
    assert "Failed" not in sqs.send_message_batch(QueueUrl=url, Entries=entries)
"""
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", SOURCE)
    return buffer.getvalue()


def prepared(platform: PlatformProcess) -> None:
    """A queue full of messages, and a mapping that is enabled."""
    sqs, functions = platform.client("sqs"), platform.client("lambda")
    role = platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    sqs.create_queue(QueueName="done")
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
    for start in range(0, MESSAGES, 10):
        entries = [{"Id": str(at), "MessageBody": str(start + at)} for at in range(10)]
        assert "Failed" not in sqs.send_message_batch(QueueUrl=url, Entries=entries)
    functions.create_function(
        FunctionName="f", Runtime="python3.11", Handler="app.handler", Role=role, Code={"ZipFile": zipped()}, Timeout=5
    )
    arn = f"arn:aws:sqs:{platform.region}:{platform.account}:work"
    functions.create_event_source_mapping(FunctionName="f", EventSourceArn=arn)


def taken(sqs: Any, least: int) -> set[str]:
    """The bodies of at least so many messages that were worked on, or of all of them."""
    url = sqs.get_queue_url(QueueName="done")["QueueUrl"]
    found: set[str] = set()
    until = time.monotonic() + PATIENCE_S
    while len(found) < least and time.monotonic() < until:
        reply = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        entries = []
        for at, message in enumerate(reply.get("Messages", ())):
            found.add(message["Body"])
            entries.append({"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]})
        if entries:
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found


def left(sqs: Any) -> int:
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


def test_every_message_is_worked_on_although_the_server_is_killed_meanwhile(tmp_path: Path) -> None:
    server, platform = start_platform(tmp_path / "data")
    try:
        prepared(platform)
        done = taken(platform.client("sqs"), 50)
        server.send_signal(signal.SIGKILL)
        server.wait()
        server, platform = start_platform(tmp_path / "data")
        sqs = platform.client("sqs")
        until = time.monotonic() + PATIENCE_S
        while len(done) < MESSAGES and time.monotonic() < until:
            done |= taken(sqs, min(50, MESSAGES - len(done)))
        assert done == {str(number) for number in range(MESSAGES)}
        while left(sqs) and time.monotonic() < until:
            time.sleep(0.1)
        assert left(sqs) == 0
    finally:
        server.terminate()
        server.wait()
