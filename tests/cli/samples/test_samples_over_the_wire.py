"""Sample events beside the ones that a running platform sends: the same members of the same kinds."""

import io
import json
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from mayfly.cli.samples.catalogue import sample
from mayfly.cli.samples.place import Place
from tests.cli.samples.shape import shape
from tests.cli.test_commands import TRUST, mayfly
from tests.conftest import PlatformProcess

CODE = "import json\ndef handler(event, context):\n    print('EVENT ' + json.dumps(event))\n    return event\n"


@pytest.fixture(scope="module")
def recorder(platform: PlatformProcess) -> tuple[str, str]:
    """A function that prints its event: its name and ARN."""
    iam, functions = platform.client("iam"), platform.client("lambda")
    name = f"recorder-{uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    actions = ["sqs:*", "logs:*"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", CODE)
    made = functions.create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    for service in ("s3", "sns", "events", "lambda.alarms.cloudwatch"):
        functions.add_permission(
            FunctionName=name,
            StatementId=service.replace(".", "-"),
            Action="lambda:InvokeFunction",
            Principal=f"{service}.amazonaws.com",
        )
    return name, made["FunctionArn"]


Received = Callable[[str], dict[str, Any]]


@pytest.fixture
def received(platform: PlatformProcess, recorder: tuple[str, str]) -> Received:
    """The event that the function printed and that has this text."""

    def wait(text: str) -> dict[str, Any]:
        logs, deadline = platform.client("logs"), time.monotonic() + 60
        while True:
            try:
                found = logs.filter_log_events(logGroupName=f"/aws/lambda/{recorder[0]}")["events"]
            except logs.exceptions.ResourceNotFoundException:
                found = []
            for event in found:
                if event["message"].startswith("EVENT ") and text in event["message"]:
                    told: dict[str, Any] = json.loads(event["message"].removeprefix("EVENT "))
                    return told
            assert time.monotonic() < deadline, f"no event with {text}"
            time.sleep(0.1)

    return wait


@pytest.fixture
def place(platform: PlatformProcess) -> Place:
    return Place(platform.account, platform.region, datetime.now(UTC), lambda: str(uuid4()))


def test_messages_of_a_queue(
    platform: PlatformProcess, recorder: tuple[str, str], received: Received, place: Place
) -> None:
    sqs, text = platform.client("sqs"), f"body-{uuid4().hex}"
    queue = sqs.create_queue(QueueName=f"q-{uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = platform.client("lambda").create_event_source_mapping(FunctionName=recorder[0], EventSourceArn=arn)
    sqs.send_message(QueueUrl=queue, MessageBody=text)
    assert shape(sample("sqs", [f"body={text}"], place)) == shape(received(text))
    platform.client("lambda").delete_event_source_mapping(UUID=mapping["UUID"])


def test_a_notification_of_a_topic(
    platform: PlatformProcess, recorder: tuple[str, str], received: Received, place: Place
) -> None:
    sns, text = platform.client("sns"), f"message-{uuid4().hex}"
    topic = sns.create_topic(Name=f"t-{uuid4().hex[:8]}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=recorder[1])
    sns.publish(TopicArn=topic, Message=text, Subject="hello")
    assert shape(sample("sns", [f"message={text}"], place)) == shape(received(text))


def test_objects_that_come_and_go(
    platform: PlatformProcess, recorder: tuple[str, str], received: Received, place: Place
) -> None:
    s3, bucket = platform.client("s3"), f"b-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    rule = {"LambdaFunctionArn": recorder[1], "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    s3.put_object(Bucket=bucket, Key="a key", Body=b"x")
    assert shape(sample("s3:put", [], place)) == shape(received('"ObjectCreated:Put"'))
    s3.delete_object(Bucket=bucket, Key="a key")
    assert shape(sample("s3:delete", [], place)) == shape(received('"ObjectRemoved:Delete"'))


def test_an_event_of_a_bus(
    platform: PlatformProcess, recorder: tuple[str, str], received: Received, place: Place
) -> None:
    events, source = platform.client("events"), f"test.{uuid4().hex}"
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": recorder[1]}])
    events.put_events(Entries=[{"Source": source, "DetailType": "happened", "Detail": "{}"}])
    assert shape(sample("eventbridge", [f"source={source}"], place)) == shape(received(source))


def test_an_alarm(platform: PlatformProcess, recorder: tuple[str, str], received: Received, place: Place) -> None:
    metrics, alarm = platform.client("cloudwatch"), f"alarm-{uuid4().hex}"
    metrics.put_metric_alarm(
        AlarmName=alarm,
        Namespace="Test",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[recorder[1]],
    )
    metrics.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="as asked")
    assert shape(sample("alarm", [f"alarm={alarm}"], place)) == shape(received(alarm))
    metrics.delete_alarms(AlarmNames=[alarm])


@pytest.mark.parametrize("body", ["", '{"a": 1}'])
def test_a_request_to_a_function_url(
    platform: PlatformProcess, recorder: tuple[str, str], received: Received, place: Place, body: str
) -> None:
    functions, name = platform.client("lambda"), recorder[0]
    try:
        url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
        for action, more in (
            ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
            ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
        ):
            functions.add_permission(
                FunctionName=name, StatementId=action.partition(":")[2], Action=action, Principal="*", **more
            )
    except functions.exceptions.ResourceConflictException:
        url = functions.get_function_url_config(FunctionName=name)["FunctionUrl"]
    query = f"q={uuid4().hex}"
    asked = urllib.request.Request(f"{url}?{query}", body.encode() or None, {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30):
        pass
    wanted = [f"query={query}", f"body={body}", f"method={'POST' if body else 'GET'}"]
    assert shape(sample("url", wanted, place)) == shape(received(query))


def test_invoke_sends_a_sample_event(platform: PlatformProcess, recorder: tuple[str, str]) -> None:
    done = mayfly("invoke", recorder[0], "--event", "sqs", "--set", "body=said", data=platform.data)
    assert done.returncode == 0, done.stderr
    event = json.loads(done.stdout)
    assert event["Records"][0]["body"] == "said"
    assert event["Records"][0]["eventSourceARN"] == f"arn:aws:sqs:{platform.region}:{platform.account}:my-queue"


def test_a_sample_event_that_does_not_exist_is_said(platform: PlatformProcess, recorder: tuple[str, str]) -> None:
    done = mayfly("invoke", recorder[0], "--event", "sqsx", data=platform.data)
    assert done.returncode == 1
    assert "there is no sample event 'sqsx'" in done.stderr
    both = mayfly("invoke", recorder[0], "--event", "sqs", "-p", "{}", data=platform.data)
    assert both.returncode == 2


def test_samples_are_printed_and_listed(platform: PlatformProcess) -> None:
    done = mayfly("events", "sample", "s3:put", "--set", "key=a/b c", data=platform.data)
    assert json.loads(done.stdout)["Records"][0]["s3"]["object"]["key"] == "a/b+c"
    listed = mayfly("events", "sample", data=platform.data)
    assert "apigateway:v2" in listed.stdout
