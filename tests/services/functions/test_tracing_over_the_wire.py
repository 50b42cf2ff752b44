"""Traces on a running platform: AWS's own SDK for X-Ray inside a function, and what it calls is part of its trace."""

import base64
import importlib.util
import json
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, invoke, role

__all__ = ["deploy", "functions", "role"]

ACTIVE = {"Mode": "Active"}
TRACED = """
import json, os
import boto3
from botocore.config import Config
from aws_xray_sdk.core import patch, xray_recorder

patch(["botocore"])
functions, queues, topics, buses = (boto3.client(name) for name in ("lambda", "sqs", "sns", "events"))
buckets = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))

@xray_recorder.capture("work")
def work(event):
    reply = functions.invoke(FunctionName=event["calls"], Payload=b"{}")
    queues.send_message(QueueUrl=event["queue"], MessageBody="direct")
    topics.publish(TopicArn=event["topic"], Message="by a topic")
    buckets.put_object(Bucket=event["bucket"], Key="by-a-bucket", Body=b"")
    buses.put_events(Entries=[{"Source": event["bucket"], "DetailType": "by a bus", "Detail": "{}"}])
    return json.load(reply["Payload"])

def handler(event, context):
    with xray_recorder.in_subsegment("sub") as sub:
        sub.put_annotation("key", "value")
    return {"own": os.environ["_X_AMZN_TRACE_ID"], "called": work(event)}
"""
CALLED = "import os\n\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n"
WEB = """
import os

def handler(event, context):
    return [event['headers']['x-amzn-trace-id'], os.environ['_X_AMZN_TRACE_ID']]
"""


def installed(*packages: str) -> dict[str, bytes]:
    """The files of packages, as a deployment package brings them."""
    files = {}
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in root.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                files[f"{package}/{path.relative_to(root)}"] = path.read_bytes()
    return files


def fields(header: str) -> dict[str, str]:
    pairs = (field.partition("=") for field in header.split(";"))
    return {name: value for name, _, value in pairs}


def sampled(functions: Any, name: str, event: Any) -> Any:
    """The reply to a call that was sampled: the first of a second always is."""
    for _ in range(50):
        reply = invoke(functions, name, event, LogType="Tail")
        headers = reply["ResponseMetadata"]["HTTPHeaders"]
        if fields(headers["x-amzn-trace-id"])["Sampled"] == "1":
            return reply
    raise AssertionError("no call was sampled")


def test_awss_sdk_for_x_ray_works_and_everything_that_a_function_calls_is_part_of_its_trace(
    platform: PlatformProcess, functions: Any, deploy: Deploy
) -> None:
    sqs, sns, unique = platform.client("sqs"), platform.client("sns"), uuid4().hex[:8]
    queue = sqs.create_queue(QueueName=f"traced-{unique}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=f"traced-{unique}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    s3, events = platform.client("s3"), platform.client("events")
    bucket, rule = f"traced-{unique}", f"traced-{unique}"
    s3.create_bucket(Bucket=bucket)
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=configuration, SkipDestinationValidation=True
    )
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [bucket]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    called = deploy(Code={"ZipFile": zipped({"app.py": CALLED})})
    files: dict[str, str | bytes] = {"app.py": TRACED, **installed("aws_xray_sdk", "wrapt")}
    name = deploy(Code={"ZipFile": zipped(files)}, TracingConfig=ACTIVE, MemorySize=256)

    reply = sampled(functions, name, {"calls": called, "queue": queue, "topic": topic, "bucket": bucket})

    told = fields(reply["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"])
    own, answered = fields(reply["Payload"]["own"]), fields(reply["Payload"]["called"])
    assert own["Root"] == answered["Root"] == told["Root"]
    assert own["Sampled"] == answered["Sampled"] == "1"
    assert answered["Parent"] != own["Parent"], "the SDK made a segment between the two"
    log = tail_of(reply)
    assert f"XRAY TraceId: {own['Root']}\tSegmentId: {own['Parent']}\tSampled: true" in log
    assert "X-Ray" not in log
    messages: list[dict[str, Any]] = []
    while len(messages) < 4:
        received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MessageSystemAttributeNames=["All"])
        assert received.get("Messages"), "every service sent one message"
        messages += received["Messages"]
        for message in received["Messages"]:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    roots = {fields(message["Attributes"]["AWSTraceHeader"])["Root"] for message in messages}
    assert roots == {told["Root"]}
    events.remove_targets(Rule=rule, Ids=["1"])
    events.delete_rule(Name=rule)
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=queue)
    s3.delete_object(Bucket=bucket, Key="by-a-bucket")
    s3.delete_bucket(Bucket=bucket)


def tail_of(reply: Any) -> str:
    return base64.b64decode(reply["LogResult"]).decode()


def test_a_url_tells_its_event_and_its_caller_the_trace(functions: Any, deploy: Deploy) -> None:
    name = deploy(Code={"ZipFile": zipped({"app.py": WEB})}, TracingConfig=ACTIVE)
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
        functions.add_permission(FunctionName=name, StatementId=action[7:], Action=action, Principal="*")
    root = "1-5759e988-bd862e3fe1be46a994272793"
    request = urllib.request.Request(url, headers={"X-Amzn-Trace-Id": f"Root={root};Sampled=1"})
    with urllib.request.urlopen(request, timeout=30) as response:
        told, (in_event, in_function) = response.headers["x-amzn-trace-id"], json.load(response)
    assert {fields(each)["Root"] for each in (told, in_event, in_function)} == {root}
    assert {fields(each)["Sampled"] for each in (told, in_event, in_function)} == {"1"}


def test_a_stream_and_an_event_tell_their_trace(functions: Any, deploy: Deploy) -> None:
    name = deploy()
    streamed = functions.invoke_with_response_stream(FunctionName=name, Payload=b"{}")
    assert [list(event) for event in streamed["EventStream"]][-1] == ["InvokeComplete"]
    assert streamed["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    queued = functions.invoke(FunctionName=name, Payload=b"{}", InvocationType="Event")
    for reply in (streamed, queued):
        assert fields(reply["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"])["Sampled"] == "0"
