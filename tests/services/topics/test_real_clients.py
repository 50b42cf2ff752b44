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
