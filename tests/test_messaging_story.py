"""Stories that go through many services, as a user would build them, with real clients against the real server.

What one service does alone is tested beside it; here is that they fit together, and that nothing is lost between them
when the server is killed. Everything that a function is told it counts in a table, which is how the stories see it.
"""

import hashlib
import hmac
import io
import json
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PlatformProcess, start_platform
from tests.test_pipes_over_the_wire import make_queue, make_role

# One for all stories: it counts the messages of topics, the bodies of a pipe's messages and the names of alarms. A
# message of a pipe that asks for it fails when it is first met, and is handed back as the only failure of its batch.
COUNT = """
import json, os
import boto3

table = boto3.client("dynamodb")


def count(text):
    reply = table.update_item(
        TableName=os.environ["AWS_LAMBDA_FUNCTION_NAME"], Key={"text": {"S": text}}, ReturnValues="ALL_NEW",
        UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": {"N": "1"}},
    )
    return int(reply["Attributes"]["times"]["N"])


def handler(event, context):
    if isinstance(event, list):
        failed = [each["messageId"] for each in event if count(each["body"]) == 1 and each["body"] == "fail once"]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
    for record in event.get("Records", []):
        count(record["Sns"]["Message"])
    if "alarmData" in event:
        count(event["alarmData"]["alarmName"])
"""


def make_function(platform: PlatformProcess, name: str) -> str:
    """A function that counts what it is told in a table of its own name; its ARN."""
    platform.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "text", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "text", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", COUNT)
    functions = platform.client("lambda")
    made = functions.create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=make_role(platform, name, "lambda.amazonaws.com", "scheduler.amazonaws.com"),
        Code={"ZipFile": package.getvalue()},
        MemorySize=512,
        Timeout=30,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    arn: str = made["FunctionArn"]
    return arn


def counted(platform: PlatformProcess, name: str) -> dict[str, int]:
    """What the function was told, and how often."""
    pages = platform.client("dynamodb").get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
    return {item["text"]["S"]: int(item["times"]["N"]) for page in pages for item in page["Items"]}


def wait_until_counted(platform: PlatformProcess, name: str, wanted: Iterable[str]) -> dict[str, int]:
    """Wait until the function was told all of it; the test's time-out bounds it."""
    while not set(wanted) <= (found := counted(platform, name)).keys():
        time.sleep(0.05)
    return found


def take(platform: PlatformProcess, url: str, count: int) -> list[str]:
    """The bodies of `count` messages, deleted; the test's time-out bounds the wait."""
    sqs, bodies = platform.client("sqs"), list[str]()
    while len(bodies) < count:
        reply = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in reply.get("Messages", []):
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def make_uploads_known(platform: PlatformProcess, name: str) -> str:
    """Bucket → default bus → rule → topic → queue and function, all called `name`; the queue's URL."""
    objects, topics, events = platform.client("s3"), platform.client("sns"), platform.client("events")
    url, queue = make_queue(platform, name)
    topic = topics.create_topic(Name=name)["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    topics.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=make_function(platform, name))
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [name]}, "object": {"key": [{"suffix": ".jpg"}]}},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    target = {"Id": "topic", "Arn": topic, "InputTransformer": {}}
    target["InputTransformer"] = {"InputPathsMap": {"key": "$.detail.object.key"}, "InputTemplate": '"<key>"'}
    assert events.put_targets(Rule=name, Targets=[target])["FailedEntryCount"] == 0
    objects.create_bucket(Bucket=name)
    everything = {"EventBridgeConfiguration": dict[str, Any]()}
    objects.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=everything)
    return url


def test_a_picture_that_is_uploaded_reaches_a_queue_and_a_function_by_bus_rule_and_topic(
    platform: PlatformProcess,
) -> None:
    url = make_uploads_known(platform, "story-pictures")
    for key in ("notes.txt", "cat.jpg"):
        platform.client("s3").put_object(Bucket="story-pictures", Key=key, Body=b"x")
    wait_until_counted(platform, "story-pictures", ['"cat.jpg"'])
    assert take(platform, url, 1) == ['"cat.jpg"']
    assert counted(platform, "story-pictures") == {'"cat.jpg"': 1}


@pytest.mark.timeout(200)
def test_every_picture_reaches_both_although_the_server_is_killed_in_the_middle(tmp_path: Path) -> None:
    data, name = tmp_path / "data", "pictures"
    server, platform = start_platform(data)
    try:
        url = make_uploads_known(platform, name)
        wanted = [f'"{number}.jpg"' for number in range(60)]
        for number in range(0, 60, 20):
            objects = platform.client("s3")
            for one in range(number, number + 20):
                objects.put_object(Bucket=name, Key=f"{one}.jpg", Body=b"x")
            if number < 40:
                server.send_signal(signal.SIGKILL)  # with calls of the function waiting and under way
                server.wait()
                server, platform = start_platform(data)
        queue = url.replace(url.split("/")[2], platform.url.split("/")[2])
        assert sorted(take(platform, queue, 60)) == sorted(wanted)
        wait_until_counted(platform, name, wanted)
        assert platform.client("sqs").receive_message(QueueUrl=queue).get("Messages", []) == []
    finally:
        server.terminate()
        server.wait()


def test_a_schedule_fills_a_queue_that_a_pipe_empties_into_a_function_which_may_hand_messages_back(
    platform: PlatformProcess,
) -> None:
    name = "story-pipe"
    # Short, so that what the function hands back comes again soon.
    url, queue = make_queue(platform, name, VisibilityTimeout="1")
    function = make_function(platform, name)
    role = platform.client("iam").get_role(RoleName=name)["Role"]["Arn"]
    platform.client("pipes").create_pipe(Name=name, Source=queue, Target=function, RoleArn=role)
    platform.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": queue, "RoleArn": role, "Input": "by the clock"},
    )
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(["well", "fail once"])]
    platform.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    while wait_until_counted(platform, name, ["by the clock", "well", "fail once"])["fail once"] < 2:
        time.sleep(0.05)
    assert counted(platform, name) == {"by the clock": 1, "well": 1, "fail once": 2}
    platform.client("pipes").delete_pipe(Name=name)
    platform.client("scheduler").delete_schedule(Name=name)


def test_an_alarm_tells_a_function_and_a_queue_behind_a_topic(platform: PlatformProcess) -> None:
    name = "story-alarm"
    url, queue = make_queue(platform, name)
    topics, cloudwatch = platform.client("sns"), platform.client("cloudwatch")
    topic = topics.create_topic(Name=name)["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Story",
        MetricName="QueueLength",
        Statistic="Maximum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=100.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
        AlarmActions=[topic, make_function(platform, name)],
    )
    reading = {"MetricName": "QueueLength", "Value": 101.0, "StorageResolution": 1}
    cloudwatch.put_metric_data(Namespace="Story", MetricData=[reading])
    (told,) = map(json.loads, take(platform, url, 1))
    assert (told["AlarmName"], told["OldStateValue"], told["NewStateValue"]) == (name, "INSUFFICIENT_DATA", "ALARM")
    assert wait_until_counted(platform, name, [name]) == {name: 1}
    cloudwatch.delete_alarms(AlarmNames=[name])


def test_what_a_third_party_signs_goes_by_its_bus_into_a_queue(platform: PlatformProcess) -> None:
    name = "story-webhook"
    events = platform.client("events")
    events.create_event_bus(Name=name)
    url, queue = make_queue(platform, name)
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"detail-type": ["push"]}))
    target = {"Id": "queue", "Arn": queue, "InputPath": "$.detail.ref"}
    events.put_targets(Rule=name, EventBusName=name, Targets=[target])
    command = [sys.executable, "-m", "mayfly", "webhook", "create", name, "--bus", name, "--json"]
    made = json.loads(
        subprocess.run([*command, "--data", str(platform.data)], check=True, stdout=subprocess.PIPE).stdout
    )
    for event, ref in (("ping", None), ("push", "refs/heads/main")):
        body = json.dumps({"ref": ref}).encode()
        signature = hmac.new(made["secret"].encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={signature}"}
        request = urllib.request.Request(made["url"], body, {"Content-Type": "application/json", **headers})
        with urllib.request.urlopen(request, timeout=60) as reply:
            assert reply.status == 202
    assert take(platform, url, 1) == ['"refs/heads/main"']
