"""Event buses through boto3, against a running platform: the real functions, queues, topics, buckets and log groups."""

import io
import json
import sys
import time
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
HANDLER = "def handler(event, context):\n    print('got', event['detail']['n'], event['source'])\n"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def name() -> str:
    return f"wire-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def bus(client: Client, name: str) -> Any:
    """The name of a bus of this test's."""
    client("events").create_event_bus(Name=name)
    return name


def queue(client: Client, name: str, **attributes: str) -> tuple[str, str]:
    """URL and ARN."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(client: Client, url: str, count: int) -> list[dict[str, Any]]:
    """`count` messages, waited for."""
    sqs, found = client("sqs"), list[dict[str, Any]]()
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        reply = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, MessageAttributeNames=["All"]
        )
        for message in reply.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
    return found


def put_rule(client: Client, bus: str, rule: str, pattern: dict[str, Any], *targets: dict[str, Any]) -> None:
    events = client("events")
    events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps(pattern))
    named = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    assert events.put_targets(Rule=rule, EventBusName=bus, Targets=named)["FailedEntryCount"] == 0


def test_an_event_is_in_the_queue_when_put_events_returns(client: Client, bus: str) -> None:
    url, arn = queue(client, bus)
    put_rule(client, bus, "sales", {"source": ["shop"], "detail": {"price": [{"numeric": [">", 10]}]}}, {"Arn": arn})
    entries = [
        {"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": json.dumps({"price": price})}
        for price in (5, 50)
    ]
    reply = client("events").put_events(Entries=[*entries, {"EventBusName": bus, "Source": "shop"}])
    assert reply["FailedEntryCount"] == 1
    assert reply["Entries"][2]["ErrorCode"] == "InvalidArgument"
    (message,) = client("sqs").receive_message(QueueUrl=url)["Messages"]
    event = json.loads(message["Body"])
    assert (event["id"], event["detail"]) == (reply["Entries"][1]["EventId"], {"price": 50})


def test_ordered_queues_get_groups_and_topics_publish(client: Client, bus: str) -> None:
    url, arn = queue(client, f"{bus}.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    topic_url, topic_queue = queue(client, f"{bus}-topic")
    topic = client("sns").create_topic(Name=bus)["TopicArn"]
    client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=topic_queue, Attributes={"RawMessageDelivery": "true"}
    )
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"number <n>"'}
    put_rule(
        client,
        bus,
        "all",
        {"source": ["shop"]},
        {"Arn": arn, "SqsParameters": {"MessageGroupId": "g"}, "InputPath": "$.detail"},
        {"Arn": topic, "InputTransformer": transformer},
    )
    client("events").put_events(
        Entries=[{"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": '{"n": 1}'}]
    )
    assert json.loads(received(client, url, 1)[0]["Body"]) == {"n": 1}
    assert received(client, topic_url, 1)[0]["Body"] == '"number 1"'


def test_a_log_group_keeps_events(client: Client, bus: str) -> None:
    logs = client("logs")
    group = f"/aws/events/{bus}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    put_rule(client, bus, "all", {"source": ["shop"]}, {"Arn": arn})
    client("events").put_events(
        Entries=[{"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": '{"n": 1}'}]
    )
    (line,) = logs.filter_log_events(logGroupName=group)["events"]
    assert json.loads(line["message"])["detail"] == {"n": 1}


def test_what_cannot_be_delivered_is_a_dead_letter_with_its_reasons(client: Client, bus: str) -> None:
    url, dead = queue(client, f"{bus}-dead")
    gone = dead.replace("-dead", "-gone")
    put_rule(client, bus, "lost", {"source": ["shop"]}, {"Arn": gone, "DeadLetterConfig": {"Arn": dead}})
    client("events").put_events(
        Entries=[{"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": '{"n": 1}'}]
    )
    (message,) = received(client, url, 1)
    said = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (said["ERROR_CODE"], said["TARGET_ARN"]) == ("NO_RESOURCE", gone)
    assert json.loads(message["Body"])["detail"] == {"n": 1}


def test_a_function_that_is_not_there_is_a_dead_letter(client: Client, bus: str) -> None:
    url, dead = queue(client, f"{bus}-dead")
    function = f"arn:aws:lambda:us-east-1:000000000000:function:{bus}"
    put_rule(client, bus, "lost", {"source": ["shop"]}, {"Arn": function, "DeadLetterConfig": {"Arn": dead}})
    client("events").put_events(Entries=[{"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": "{}"}])
    (message,) = received(client, url, 1)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


def test_objects_tell_the_default_bus(client: Client, name: str) -> None:
    url, arn = queue(client, name)
    s3 = client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [name]}}}
    put_rule(client, "default", name, pattern, {"Arn": arn})
    s3.put_object(Bucket=name, Key="a.txt", Body=b"hello")
    (message,) = received(client, url, 1)
    event = json.loads(message["Body"])
    assert event["resources"] == [f"arn:aws:s3:::{name}"]
    assert (event["detail"]["object"]["key"], event["detail"]["object"]["size"]) == ("a.txt", 5)
    client("events").remove_targets(Rule=name, Ids=["0"])
    client("events").delete_rule(Name=name)


def test_an_archive_is_replayed(client: Client, bus: str) -> None:
    events = client("events")
    url, arn = queue(client, bus)
    source = events.describe_event_bus(Name=bus)["Arn"]
    archive = events.create_archive(ArchiveName=bus, EventSourceArn=source)["ArchiveArn"]
    for number in range(3):
        events.put_events(
            Entries=[{"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": json.dumps({"n": number})}]
        )
    assert events.describe_archive(ArchiveName=bus)["EventCount"] == 3
    put_rule(client, bus, "again", {"replay-name": [{"exists": True}]}, {"Arn": arn})
    now = datetime.now(UTC)
    events.start_replay(
        ReplayName=bus,
        EventSourceArn=archive,
        EventStartTime=now - timedelta(hours=1),
        EventEndTime=now + timedelta(minutes=1),
        Destination={"Arn": source},
    )
    messages = received(client, url, 3)
    assert sorted(json.loads(message["Body"])["detail"]["n"] for message in messages) == [0, 1, 2]
    assert {json.loads(message["Body"])["replay-name"] for message in messages} == {bus}


def test_pages_and_errors_are_those_of_the_model(client: Client, bus: str) -> None:
    events = client("events")
    for number in range(5):
        events.put_rule(Name=f"r{number}", EventBusName=bus, EventPattern='{"source":["x"]}')
    names = list[str]()
    token: dict[str, str] = {}
    while True:
        page = events.list_rules(EventBusName=bus, Limit=2, **token)
        names += [rule["Name"] for rule in page["Rules"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert names == [f"r{number}" for number in range(5)]
    with pytest.raises(events.exceptions.InvalidEventPatternException):
        events.put_rule(Name="bad", EventBusName=bus, EventPattern='{"source":"x"}')
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_rule(Name="missing", EventBusName=bus)
    with pytest.raises(events.exceptions.ResourceAlreadyExistsException):
        events.create_event_bus(Name=bus)
    with pytest.raises(events.exceptions.OperationDisabledException):
        events.create_partner_event_source(Name="aws.partner/a/b", Account="000000000000")
    with pytest.raises(ClientError) as caught:
        events.put_rule(Name="none", EventBusName=bus)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_pattern_can_be_tried_without_a_rule(client: Client) -> None:
    event = {"id": "1", "source": "aws.s3", "detail-type": "t", "account": "000000000000", "region": "us-east-1",
             "time": "2022-07-20T18:00:00Z", "resources": [], "detail": {"ip": "10.1.2.3", "n": 3}}  # fmt: skip
    pattern = {"detail": {"$or": [{"ip": [{"cidr": "10.0.0.0/8"}]}, {"n": [{"numeric": ["<", 1]}]}]}}
    events = client("events")
    assert events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"] is True
    assert events.test_event_pattern(EventPattern='{"detail":{"n":[4]}}', Event=json.dumps(event))["Result"] is False


def test_a_function_is_invoked_with_the_event(client: Client, bus: str) -> None:
    role = client("iam").create_role(RoleName=bus, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", HANDLER)
    functions = client("lambda")
    arn = functions.create_function(
        FunctionName=bus,
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=bus)
    put_rule(client, bus, "run", {"source": ["shop"]}, {"Arn": arn})
    client("events").put_events(
        Entries=[{"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": '{"n": 42}'}]
    )
    logs, group, lines = client("logs"), f"/aws/lambda/{bus}", list[str]()
    deadline = time.monotonic() + 30
    while not any("got 42 shop" in line for line in lines):
        assert time.monotonic() < deadline, lines
        try:
            lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            continue
