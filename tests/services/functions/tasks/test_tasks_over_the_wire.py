"""Tasks on a running platform: pages, the function's own word of its progress, stops, and a kill under load."""

import base64
import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from mayfly.cli.connection import Connection, RefusedError, connect
from tests.conftest import PlatformProcess, start_platform
from tests.services.functions.stage import zipped

CODE = """
import json, os, time, urllib.request
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

def report(task_id, **progress):
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_mayfly/tasks/{task_id}/progress"
    request = AWSRequest("POST", url, data=json.dumps(progress))
    SigV4Auth(boto3.Session().get_credentials(), "mayfly", os.environ["AWS_REGION"]).add_auth(request)
    made = urllib.request.Request(url, request.data.encode(), dict(request.headers), method="POST")
    urllib.request.urlopen(made).read()

def handler(event, context):
    if "sleep" in event:
        report(context.aws_request_id, done=1, total=4, message="asleep")
        time.sleep(event["sleep"])
    if event.get("fail"):
        raise RuntimeError("as asked")
    return {"got": event}

def notes(event, context):
    table = boto3.client("dynamodb")
    table.update_item(TableName="ran", Key={"id": {"S": context.aws_request_id}},
                      UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": {"N": "1"}})
    if event["n"] % 5 == 0:
        raise RuntimeError("as asked")
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def create(platform: PlatformProcess, handler: str = "app.handler", timeout_s: int = 30) -> str:
    name = f"t-{uuid4().hex[:12]}"
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    platform.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler=handler,
        Role=role,
        Code={"ZipFile": zipped({"app.py": CODE})},
        Timeout=timeout_s,
    )
    return name


def send(connection: Connection, method: str, path: str, body: Any = None) -> Any:
    content = b"" if body is None else json.dumps(body).encode()
    with connection.open(method, f"/_mayfly/tasks{path}", content) as reply:
        return json.load(reply)


def submit(connection: Connection, path: str, file: Path) -> Any:
    with connection.open("POST", path, file, content_type="application/x-ndjson") as reply:
        return json.load(reply)


def until(connection: Connection, task_id: str, *states: str) -> Any:
    """The task, once it is in one of these states; the test's own timeout is the bound."""
    while (task := send(connection, "GET", f"/{task_id}"))["state"] not in states:
        time.sleep(0.02)
    return task


def test_a_task_is_invoked_watched_and_shown_with_its_result(platform: PlatformProcess) -> None:
    name, connection = create(platform), connect(platform.data)
    client = platform.client("lambda")
    context = base64.b64encode(json.dumps({"mayfly": {"priority": 5, "tenant": "acme"}}).encode()).decode()
    event = json.dumps({"n": 1}).encode()
    reply = client.invoke(FunctionName=name, InvocationType="Event", Payload=event, ClientContext=context)
    task = until(connection, reply["ResponseMetadata"]["RequestId"], "succeeded")
    assert (task["function"], task["priority"], task["tenant"]) == (name, 5, "acme")
    assert task["result"] == {"got": {"n": 1}}
    listed = send(connection, "GET", f"?function={name}&state=succeeded&limit=1")
    assert [each["id"] for each in listed["tasks"]] == [task["id"]]
    streams = platform.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert task["logStream"] in [each["logStreamName"] for each in streams]


def test_a_function_reports_progress_and_its_task_is_stopped(platform: PlatformProcess) -> None:
    name, connection = create(platform), connect(platform.data)
    made = send(connection, "POST", "", {"function": name, "payload": {"sleep": 25}})
    until(connection, made["id"], "running")
    while "progress" not in (task := send(connection, "GET", f"/{made['id']}")):
        time.sleep(0.02)
    assert task["progress"] == {"done": 1, "total": 4, "message": "asleep"}
    stopped = send(connection, "POST", f"/{made['id']}/stop")
    assert (stopped["state"], stopped["reason"]) == ("cancelled", "Cancelled")
    assert "The call was stopped" in stopped["failedAttempts"][0]["error"]
    with pytest.raises(RefusedError, match="was cancelled"):
        send(connection, "POST", f"/{made['id']}/stop")


def test_a_batch_is_submitted_counted_and_run_again(platform: PlatformProcess, tmp_path: Path) -> None:
    name, connection = create(platform), connect(platform.data)
    platform.client("lambda").put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    file = tmp_path / "tasks"
    file.write_text(
        "".join(json.dumps({"payload": {"fail": n % 10 == 0}, "priority": n % 7}) + "\n" for n in range(300))
    )
    made = submit(connection, f"/_mayfly/tasks?function={name}", file)
    assert (made["accepted"], made["before"]) == (300, 0)
    again = submit(connection, f"/_mayfly/tasks?function={name}&batch={made['batch']}", file)
    assert (again["accepted"], again["before"]) == (0, 300)
    while (counts := send(connection, "GET", f"/counts?batch={made['batch']}"))["succeeded"] + counts["failed"] < 300:
        time.sleep(0.05)
    assert (counts["succeeded"], counts["failed"]) == (270, 30)
    assert send(connection, "POST", "/redrive", {"function": name, "states": ["failed"]}) == {"queued": 30}
    while (counts := send(connection, "GET", f"/counts?batch={made['batch']}"))["failed"] < 30:
        time.sleep(0.05)
    file.write_text('{"payload": 1}\n{"priority": "high"}\n')
    with pytest.raises(RefusedError, match="line 2"):
        submit(connection, f"/_mayfly/tasks?function={name}", file)


def test_pages_are_for_the_account_alone(platform: PlatformProcess) -> None:
    root = connect(platform.data)
    thief = Connection(root.url, root.region, root.account, root.access_key_id, "x" * 40)
    for method, path in (("GET", ""), ("GET", "/counts?function=f"), ("POST", "/x/stop"), ("POST", "/x/progress")):
        with pytest.raises(RefusedError, match="Access denied"):
            send(thief, method, path, {} if method == "POST" else None)
    for path, message in (("?limit=0", "limit"), ("?state=odd", "a state is one of"), ("/counts", "either a function")):
        with pytest.raises(RefusedError, match=message):
            send(root, "GET", path)


# Connections that are cut are not closed by the client library.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_was_accepted_is_run_and_ends_when_the_platform_is_killed_under_load(tmp_path: Path) -> None:
    """Every event writes its id into a table, which knows nothing of queues; a fifth of them fail and are kept."""
    accepted: list[str] = []
    server, first = start_platform(tmp_path / "data")
    try:
        name = create(first, "app.notes", timeout_s=60)
        client = first.client("lambda")
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        first.client("dynamodb").create_table(
            TableName="ran",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

        def invoke() -> None:
            with contextlib.closing(first.client("lambda")) as own:
                for n in range(10_000):
                    event = json.dumps({"n": n}).encode()
                    try:
                        reply = own.invoke(FunctionName=name, InvocationType="Event", Payload=event)
                    except (BotoCoreError, ClientError):  # it was killed: what is not answered was not accepted
                        return
                    accepted.append(reply["ResponseMetadata"]["RequestId"])

        senders = [threading.Thread(target=invoke) for _ in range(4)]
        for sender in senders:
            sender.start()
        while len(accepted) < 600:
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGKILL)
        for sender in senders:
            sender.join(60)
    finally:
        server.kill()
        server.wait(60)
    server, second = start_platform(tmp_path / "data")
    try:
        connection, table = connect(second.data), second.client("dynamodb")
        while True:
            counts = send(connection, "GET", f"/counts?function={name}")
            if not counts["queued"] and not counts["running"]:
                break
            time.sleep(0.1)
        ran = {
            item["id"]["S"] for page in table.get_paginator("scan").paginate(TableName="ran") for item in page["Items"]
        }
        assert set(accepted) <= ran
        ended = {"succeeded": 0, "failed": 0}
        for task_id in accepted:
            ended[send(connection, "GET", f"/{task_id}")["state"]] += 1
        assert sum(ended.values()) == len(accepted)
        assert ended["failed"] > 0
    finally:
        server.terminate()
        server.wait(60)
