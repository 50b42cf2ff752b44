"""Alarms and events of the platform with real clients against the real server: what goes wrong starts what mends it."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess
from tests.test_aws_cli import Aws, aws

__all__ = ["aws"]  # a fixture

SOURCE = """
import json
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    print("MEND", json.dumps(event.get("alarmData", event)))
"""
T = TypeVar("T")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def packed(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


@pytest.fixture
def function(platform: PlatformProcess, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A function that fails when asked to, and prints what else it is given; named after the test."""
    name = request.node.name[:60]
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    functions = platform.client("lambda")
    made = functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role["Arn"],
        Code={"ZipFile": packed(SOURCE)},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    yield made
    functions.delete_function(FunctionName=name)


def printed(platform: PlatformProcess, function: dict[str, Any]) -> list[dict[str, Any]]:
    """What the function was given, as its log tells it."""
    try:
        found = platform.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{function['FunctionName']}", filterPattern="MEND"
        )
    except ClientError:
        return []
    return [json.loads(event["message"].split(" ", 1)[1]) for event in found["events"]]


def wait_for(look: Callable[[], T]) -> T:
    """What `look` gives as soon as it gives something; the test's time-out bounds it."""
    while not (found := look()):
        time.sleep(0.05)
    return found


def test_an_alarm_invokes_a_function_and_the_bus_hears_of_it(
    platform: PlatformProcess, function: dict[str, Any]
) -> None:
    cloudwatch, events, sqs = (platform.client(name) for name in ("cloudwatch", "events", "sqs"))
    queue = sqs.create_queue(QueueName="alarm-changes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": ["wire"], "state": {"value": ["ALARM"]}}}
    events.put_rule(Name="alarm-changes", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="alarm-changes", Targets=[{"Id": "1", "Arn": arn}])
    cloudwatch.put_metric_alarm(
        AlarmName="wire",
        Namespace="Wire",
        MetricName="Load",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[function["FunctionArn"]],
    )
    cloudwatch.set_alarm_state(AlarmName="wire", StateValue="ALARM", StateReason="tried")
    (given,) = wait_for(lambda: printed(platform, function))
    assert given["alarmName"] == "wire"
    assert given["state"]["reason"] == "tried"
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", []))
    event = json.loads(message["Body"])
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    history = cloudwatch.describe_alarm_history(AlarmName="wire")["AlarmHistoryItems"]
    assert [item["HistoryItemType"] for item in history] == ["Action", "StateUpdate", "ConfigurationUpdate"]
    cloudwatch.delete_alarms(AlarmNames=["wire"])
    events.remove_targets(Rule="alarm-changes", Ids=["1"])
    events.delete_rule(Name="alarm-changes")


def test_what_functions_did_is_in_the_metrics_at_once(platform: PlatformProcess, function: dict[str, Any]) -> None:
    functions, name = platform.client("lambda"), function["FunctionName"]
    for payload in (b"{}", b"{}", b'{"fail": true}'):
        functions.invoke(FunctionName=name, Payload=payload)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        functions.invoke(FunctionName=name, Payload=b"{}")
    now = datetime.now(UTC)
    sums = {}
    for metric in ("Invocations", "Errors", "Throttles"):
        found = platform.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )
        sums[metric] = sum(point["Sum"] for point in found["Datapoints"])
    assert sums == {"Invocations": 3, "Errors": 1, "Throttles": 1}


def test_a_rule_hears_of_functions_that_are_throttled(platform: PlatformProcess, function: dict[str, Any]) -> None:
    events, sqs, functions = (platform.client(name) for name in ("events", "sqs", "lambda"))
    queue = sqs.create_queue(QueueName="throttles")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = function["FunctionName"]
    pattern = {"source": ["mayfly.functions"], "detail": {"functionName": [name]}}
    events.put_rule(Name="throttles", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="throttles", Targets=[{"Id": "1", "Arn": arn}])
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        functions.invoke(FunctionName=name, Payload=b"{}")
    platform.client("cloudwatch").list_metrics()  # brings metrics up to date
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", []))
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["detail"]) == ("Function Throttled", {"functionName": name, "count": 1})
    events.remove_targets(Rule="throttles", Ids=["1"])
    events.delete_rule(Name="throttles")


def test_the_aws_cli_puts_data_and_reads_statistics(aws: Aws) -> None:
    aws("cloudwatch", "put-metric-data", "--namespace", "Cli", "--metric-name", "Orders", "--value", "3")
    now = datetime.now(UTC)
    reply = aws(
        "cloudwatch",
        "get-metric-statistics",
        *("--namespace", "Cli", "--metric-name", "Orders", "--statistics", "Sum", "--period", "60"),
        *("--start-time", (now - timedelta(minutes=5)).isoformat(), "--end-time", now.isoformat()),
    )
    assert reply["Datapoints"][0]["Sum"] == 3
