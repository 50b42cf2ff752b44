"""Loops of functions by way of queues, topics, buckets and buses, with boto3 inside and outside of the platform."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from mayfly.services.functions.recursion import MOST
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, role

__all__ = ["deploy", "functions", "role"]  # fixtures

CODE = """
import boto3, json, os

def handler(event, context):
    print("turn", os.environ["_X_AMZN_TRACE_ID"])
    how, of = os.environ["HOW"], os.environ.get("OF", "")
    name = context.function_name
    if how == "invoke":
        reply = boto3.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        return json.loads(reply["Payload"].read())
    if how == "event":
        boto3.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    if how == "sqs":
        boto3.client("sqs").send_message(QueueUrl=of, MessageBody="{}")
    if how == "sns":
        boto3.client("sns").publish(TopicArn=of, Message="{}")
    if how == "s3":
        boto3.client("s3").put_object(Bucket=of, Key=context.aws_request_id, Body=b"")
    if how == "events":
        boto3.client("events").put_events(Entries=[{"Source": of, "DetailType": "again", "Detail": "{}"}])
"""


@pytest.fixture
def make(deploy: Deploy, functions: Any) -> Callable[..., str]:
    def create(how: str, of: str = "", **params: Any) -> str:
        variables = {"HOW": how, "OF": of}
        return deploy(
            Code={"ZipFile": zipped({"app.py": CODE})}, Environment={"Variables": variables}, MemorySize=256, **params
        )

    return create


def turns(client: Callable[..., Any], name: str, least: int) -> list[str]:
    """What the handler was told, once it ran so often and no more."""
    logs, deadline, quiet = client("logs"), time.monotonic() + 100, 0
    found: list[str] = []
    while quiet < 3 and time.monotonic() < deadline:
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
            lines = [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            lines = []
        now = [line for line in lines if line.startswith("turn")]
        quiet = quiet + 1 if len(now) >= least and len(now) == len(found) else 0
        found = now
        time.sleep(0.2)
    return found


def test_a_call_that_would_be_the_seventeenth_in_a_chain_is_refused_unless_the_function_allows_it(
    functions: Any, make: Callable[..., str], client: Callable[..., Any]
) -> None:
    name = make("invoke", Timeout=60)
    assert functions.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"

    reply = json.loads(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
    assert "RecursiveInvocationException" in json.dumps(reply)
    assert len(turns(client, name, MOST)) == MOST

    header = next(line for line in turns(client, name, MOST) if line.rstrip().endswith(f":{MOST}")).split()[1]
    again = client("lambda")
    again.meta.events.register("before-call", lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": header}))
    with pytest.raises(ClientError) as refused:
        again.invoke(FunctionName=name, Payload=b"{}")
    assert refused.value.response["Error"]["Code"] == "RecursiveInvocationException"
    functions.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert functions.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    again.invoke(FunctionName=name, InvocationType="DryRun")


def test_an_asynchronous_loop_ends_in_the_dead_letters_and_is_counted(
    functions: Any, make: Callable[..., str], client: Callable[..., Any]
) -> None:
    queue = client("sqs").create_queue(QueueName=f"dead-{uuid4().hex[:8]}")["QueueUrl"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    name = make("event", DeadLetterConfig={"TargetArn": attributes["Attributes"]["QueueArn"]})
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")

    found = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20, MessageAttributeNames=["All"])
    assert [message["Body"] for message in found["Messages"]] == ["{}"]
    assert len(turns(client, name, MOST)) == MOST
    deadline, total = time.monotonic() + 60, 0.0
    while not total and time.monotonic() < deadline:
        statistics = client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="RecursiveInvocationsDropped",
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=time.time() - 3600,
            EndTime=time.time() + 60,
            Period=3600,
            Statistics=["Sum"],
        )
        total = sum(point["Sum"] for point in statistics["Datapoints"])
    assert total == 1


def test_a_loop_through_a_queue_ends(functions: Any, make: Callable[..., str], client: Callable[..., Any]) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName=f"loop-{uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = make("sqs", queue)
    mapping = functions.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=1)
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    found = turns(client, name, MOST)
    functions.delete_event_source_mapping(UUID=mapping["UUID"])
    assert len(found) == MOST


@pytest.mark.parametrize("how", ["sns", "s3", "events"])
def test_a_loop_through_a_topic_a_bucket_or_a_bus_ends(
    functions: Any, make: Callable[..., str], client: Callable[..., Any], how: str
) -> None:
    mark = f"loop-{uuid4().hex[:8]}"
    sns, s3, events = client("sns"), client("s3"), client("events")
    of = sns.create_topic(Name=mark)["TopicArn"] if how == "sns" else mark
    name = make(how, of)
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    functions.add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="*")
    if how == "sns":
        sns.subscribe(TopicArn=of, Protocol="lambda", Endpoint=arn)
        sns.publish(TopicArn=of, Message="{}")
    elif how == "s3":
        s3.create_bucket(Bucket=of)
        one = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket=of, NotificationConfiguration={"LambdaFunctionConfigurations": [one]}
        )
        s3.put_object(Bucket=of, Key="first", Body=b"")
    else:
        events.put_rule(Name=mark, EventPattern=json.dumps({"source": [mark]}))
        events.put_targets(Rule=mark, Targets=[{"Id": "1", "Arn": arn}])
        events.put_events(Entries=[{"Source": mark, "DetailType": "again", "Detail": "{}"}])
    assert len(turns(client, name, MOST)) == MOST
