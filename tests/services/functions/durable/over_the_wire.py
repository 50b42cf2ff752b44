"""What the tests of both SDKs share: calling durable functions, and looking at what became of that."""

import json
import time
from collections.abc import Callable
from typing import Any

Client = Callable[..., Any]


def run(client: Client, name: str, **event: Any) -> tuple[Any, dict[str, Any]]:
    """Invoke a function and wait for its execution: what it answered, and the reply."""
    reply = client("lambda", read_timeout=100).invoke(
        FunctionName=f"{name}:$LATEST", Payload=json.dumps(event).encode()
    )
    return json.loads(reply["Payload"].read() or b"null"), reply


def begin(client: Client, name: str, **event: Any) -> str:
    """Invoke it and do not wait: the ARN of the execution."""
    reply = client("lambda").invoke(
        FunctionName=f"{name}:$LATEST", InvocationType="Event", Payload=json.dumps(event).encode()
    )
    assert reply["StatusCode"] == 202
    arn: str = reply["DurableExecutionArn"]
    return arn


def eventually(client: Client, arn: str, *statuses: str) -> dict[str, Any]:
    """The execution once it has one of the statuses."""
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = client("lambda").get_durable_execution(DurableExecutionArn=arn)
        if found["Status"] in statuses:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def events(client: Client, arn: str) -> list[dict[str, Any]]:
    pages = client("lambda").get_paginator("get_durable_execution_history").paginate(DurableExecutionArn=arn)
    return [event for page in pages for event in page["Events"]]


def history(client: Client, arn: str) -> list[str]:
    """What happened, by the types of its events."""
    return [event["EventType"] for event in events(client, arn)]


def callback_of(client: Client, arn: str) -> str:
    """The id of the callback that an execution waits for."""
    deadline = time.monotonic() + 60
    while True:
        found = events(client, arn)
        started = [event for event in found if event["EventType"] == "CallbackStarted"]
        # The step that submits it has to be over, else the callback may be completed before anybody knows of it.
        if started and any(event["EventType"] == "StepSucceeded" for event in found):
            callback: str = started[0]["CallbackStartedDetails"]["CallbackId"]
            return callback
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def logged(client: Client, function: str, mark: str, last: str) -> list[str]:
    """Lines with a mark in the log of a function, once the last of them is there."""
    deadline = time.monotonic() + 30
    while True:
        lines = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}", filterPattern=f'"{mark}"')
        found = [line["message"] for line in lines["events"]]
        if any(last in line for line in found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
