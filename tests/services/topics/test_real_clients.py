"""Topics as boto3 and the AWS CLI speak to them."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess

Client = Callable[..., Any]


def fresh(suffix: str = "") -> str:
    return f"t-{uuid.uuid4().hex[:12]}{suffix}"


def test_the_life_of_a_topic(client: Client) -> None:
    sns = client("sns")
    name = fresh()
    arn = sns.create_topic(
        Name=name, Attributes={"DisplayName": "Mine"}, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    )["TopicArn"]
    assert arn.endswith(f":{name}")
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Yours")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "Yours"
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": ""},
    ]
    sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "c", "Value": "3"}])
    assert {tag["Key"] for tag in sns.list_tags_for_resource(ResourceArn=arn)["Tags"]} == {"b", "c"}
    sns.add_permission(TopicArn=arn, Label="l", AWSAccountId=["111111111111"], ActionName=["Publish"])
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    assert [one["Sid"] for one in policy["Statement"]] == ["__default_statement_ID", "l"]
    sns.remove_permission(TopicArn=arn, Label="l")
    found = [one["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for one in page["Topics"]]
    assert arn in found
    sns.delete_topic(TopicArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException, match="Topic does not exist"):
        sns.get_topic_attributes(TopicArn=arn)


def test_subscriptions_with_attributes_and_batches_go_over_the_wire(client: Client) -> None:
    sns = client("sns")
    arn = sns.create_topic(Name=fresh())["TopicArn"]
    queue = arn.replace(":sns:", ":sqs:")
    subscription = sns.subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=queue,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": '{"a": ["x"]}'},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (attributes["RawMessageDelivery"], attributes["FilterPolicyScope"]) == ("true", "MessageAttributes")
    assert [one["Endpoint"] for one in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]] == [queue]
    reply = sns.publish_batch(
        TopicArn=arn,
        PublishBatchRequestEntries=[
            {
                "Id": "a",
                "Message": "日本語",
                "MessageAttributes": {"b": {"DataType": "Binary", "BinaryValue": b"\x00"}},
            },
            {"Id": "b", "Message": ""},
        ],
    )
    assert [one["Id"] for one in reply["Successful"]] == ["a"]
    assert [(one["Id"], one["Code"]) for one in reply["Failed"]] == [("b", "InvalidParameter")]
    sns.unsubscribe(SubscriptionArn=subscription)
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []


def test_errors_have_the_codes_that_sdks_know(client: Client) -> None:
    sns = client("sns")
    arn = sns.create_topic(Name=fresh())["TopicArn"]
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com")
    with pytest.raises(sns.exceptions.InvalidParameterValueException):
        sns.publish(TopicArn=arn, Message="x", MessageAttributes={"a": {"DataType": "Odd", "StringValue": "x"}})
    with pytest.raises(sns.exceptions.TooManyEntriesInBatchRequestException):
        sns.publish_batch(
            TopicArn=arn, PublishBatchRequestEntries=[{"Id": str(number), "Message": "x"} for number in range(11)]
        )
    with pytest.raises(ClientError, match="SMS"):
        sns.publish(PhoneNumber="+4915112345678", Message="x")
    with pytest.raises(ClientError, match="push notifications"):
        sns.create_platform_application(Name="a", Platform="GCM", Attributes={"PlatformCredential": "x"})
    assert sns.list_platform_applications()["PlatformApplications"] == []


def test_the_aws_command_line_publishes(platform: PlatformProcess) -> None:
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_DEFAULT_REGION": platform.region,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        "AWS_CONFIG_FILE": "/dev/null",
    }

    def aws(*arguments: str) -> Any:
        command = [sys.executable, "-m", "awscli", "sns", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    arn = aws("create-topic", "--name", fresh(".fifo"), "--attributes", "FifoTopic=true")["TopicArn"]
    told = aws(
        "publish",
        *("--topic-arn", arn, "--message", "hello", "--subject", "s"),
        *("--message-group-id", "g", "--message-deduplication-id", "d"),
        *("--message-attributes", '{"a": {"DataType": "Number", "StringValue": "1"}}'),
    )
    assert len(told["SequenceNumber"]) == 20


def received(sqs: Any, url: str, count: int) -> list[str]:
    """The bodies of `count` messages of a queue, taken out."""
    found: list[str] = []
    while len(found) < count:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=10).get("Messages", [])
        assert messages, f"{len(found)} of {count} messages came"
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message["Body"])
    return found


def new_queue(sqs: Any, suffix: str = "", **attributes: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=fresh(suffix), Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def test_what_is_published_arrives_in_queues_with_its_attributes(client: Client) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name=fresh())["TopicArn"]
    url, queue = new_queue(sqs)
    raw_url, raw = new_queue(sqs)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=raw, Attributes={"RawMessageDelivery": "true"})
    told = sns.publish(
        TopicArn=topic,
        Message="héllo",
        MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}},
    )
    [document] = map(json.loads, received(sqs, url, 1))
    assert (document["MessageId"], document["Message"]) == (told["MessageId"], "héllo")
    [message] = sqs.receive_message(QueueUrl=raw_url, WaitTimeSeconds=10, MessageAttributeNames=["All"])["Messages"]
    assert message["Body"] == "héllo"
    assert message["MessageAttributes"]["n"]["StringValue"] == "1"


def test_a_fifo_topic_keeps_the_order_of_a_fifo_queue(client: Client) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name=fresh(".fifo"), Attributes={"FifoTopic": "true"})["TopicArn"]
    url, queue = new_queue(sqs, ".fifo", FifoQueue="true")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    for number in range(30):
        sns.publish(TopicArn=topic, Message=str(number), MessageGroupId="g", MessageDeduplicationId=f"d{number // 2}")
    assert received(sqs, url, 15) == [str(number) for number in range(0, 30, 2)]


def test_a_bucket_tells_a_queue_and_a_topic(client: Client) -> None:
    s3, sns, sqs = client("s3"), client("sns"), client("sqs")
    bucket = fresh()
    s3.create_bucket(Bucket=bucket)
    direct_url, direct = new_queue(sqs)
    behind_url, behind = new_queue(sqs)
    topic = sns.create_topic(Name=fresh())["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=behind)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": direct, "Events": ["s3:ObjectCreated:*"]}],
            "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}],
        },
    )
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="a")
    test, created = map(json.loads, received(sqs, direct_url, 2))
    assert (test["Event"], created["Records"][0]["eventName"]) == ("s3:TestEvent", "ObjectCreated:Put")
    _, removed = map(json.loads, received(sqs, behind_url, 2))
    assert removed["Subject"] == "Amazon S3 Notification"
    assert json.loads(removed["Message"])["Records"][0]["eventName"] == "ObjectRemoved:Delete"


def test_a_queue_may_keep_a_topic_out_and_asks_for_no_network_where_there_is_none(client: Client) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name=fresh())["TopicArn"]
    dead_url, dead = new_queue(sqs)
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead})}

    def policy(condition: dict[str, Any]) -> str:
        deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*", "Condition": condition}
        return json.dumps({"Version": "2012-10-17", "Statement": [deny]})

    open_url, opened = new_queue(sqs, Policy=policy({"Bool": {"aws:SecureTransport": "false"}}))
    _, closed = new_queue(sqs, Policy=policy({"ArnEquals": {"aws:SourceArn": topic}}))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=opened)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=closed, Attributes=redrive)
    sns.publish(TopicArn=topic, Message="x")
    for url in (open_url, dead_url):
        [body] = received(sqs, url, 1)
        assert json.loads(body)["Message"] == "x"
