"""Topics and subscriptions: their lives, their attributes, and what is refused."""

import json
from typing import Any

import pytest

from mayfly.policy.retries import Phases
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.topics import delivery_policy
from tests.services.topics.conftest import ACCOUNT, CONTEXT, FUNCTION, REGION, World, queue

ROLE = "arn:aws:iam::000000000000:role/r"


async def attributes(world: World, topic: str) -> dict[str, str]:
    reply = await world.call("GetTopicAttributes", TopicArn=topic)
    return dict(reply["Attributes"])


async def refusal(world: World, operation: str, **request: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **request)
    return caught.value


async def test_a_topic_shows_what_it_was_given_and_what_holds_otherwise(world: World) -> None:
    topic = await world.topic("t", DisplayName="Mine")
    shown = await attributes(world, topic)
    assert (shown["TopicArn"], shown["Owner"], shown["DisplayName"]) == (topic, ACCOUNT, "Mine")
    assert shown["SubscriptionsConfirmed"] == shown["SubscriptionsPending"] == shown["SubscriptionsDeleted"] == "0"
    assert json.loads(shown["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3
    assert json.loads(shown["Policy"])["Statement"][0]["Resource"] == topic
    assert "FifoTopic" not in shown
    assert "SignatureVersion" not in shown
    shown = await attributes(world, await world.topic("t.fifo"))
    assert (shown["FifoTopic"], shown["ContentBasedDeduplication"], shown["FifoThroughputScope"]) == (
        "true",
        "false",
        "Topic",
    )


async def test_making_a_topic_again_is_no_error_if_it_is_the_same(world: World) -> None:
    tags = [{"Key": "a", "Value": "1"}]
    topic = await world.topic("t", tags=tags, DisplayName="x")
    assert await world.topic("t") == topic
    assert await world.topic("t", tags=tags, DisplayName="x") == topic
    again: dict[str, Any] = {"Name": "t", "Attributes": {"DisplayName": "y"}}
    assert "different attributes" in (await refusal(world, "CreateTopic", **again)).message
    again = {"Name": "t", "Tags": [{"Key": "a", "Value": "2"}]}
    assert "different tags" in (await refusal(world, "CreateTopic", **again)).message


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("", {}),
        ("a b", {}),
        ("x" * 257, {}),
        ("t.fifo", {}),
        ("t", {"FifoTopic": "true"}),
        ("t", {"FifoTopic": "perhaps"}),
        ("t", {"Nonsense": "x"}),
        ("t", {"ContentBasedDeduplication": "true"}),
        ("t.fifo", {"FifoTopic": "true", "ContentBasedDeduplication": "x"}),
        ("t.fifo", {"FifoTopic": "true", "FifoThroughputScope": "x"}),
        ("t.fifo", {"FifoTopic": "true", "ArchivePolicy": "{"}),
        ("t.fifo", {"FifoTopic": "true", "ArchivePolicy": '{"MessageRetentionPeriod": 0}'}),
        ("t.fifo", {"FifoTopic": "true", "ArchivePolicy": '{"MessageRetentionPeriod": 366}'}),
        ("t", {"ArchivePolicy": '{"MessageRetentionPeriod": 1}'}),
        ("t", {"SignatureVersion": "3"}),
        ("t", {"TracingConfig": "Active"}),
        ("t", {"TracingConfig": "x"}),
        ("t", {"KmsMasterKeyId": "alias/aws/sns"}),
        ("t", {"MaximumMessageSize": "1023"}),
        ("t", {"MaximumMessageSize": "1048577"}),
        ("t", {"DisplayName": "x" * 101}),
        ("t", {"HTTPSuccessFeedbackRoleArn": "x"}),
        ("t", {"LambdaSuccessFeedbackSampleRate": "101"}),
        ("t", {"Policy": "{"}),
        ("t", {"Policy": "{}"}),
        ("t", {"Policy": '{"Statement": [{"Effect": "Maybe"}]}'}),
        ("t", {"Policy": '{"Statement": [{"Effect": "Allow", "Principal": "*"}]}'}),
        ("t", {"DeliveryPolicy": "{"}),
        ("t", {"DeliveryPolicy": '{"http": {"healthyRetryPolicy": {}}}'}),
    ],
)
async def test_a_topic_that_cannot_be_is_refused(world: World, name: str, given: dict[str, str]) -> None:
    error = await refusal(world, "CreateTopic", Name=name, Attributes=given)
    assert error.code == "InvalidParameterException"
    assert error.message.startswith("Invalid parameter: ")
    assert (await world.call("ListTopics"))["Topics"] == []


async def test_topics_are_listed_by_the_hundred(world: World) -> None:
    made = [await world.topic(f"t{number:03}") for number in range(205)]
    found: list[str] = []
    token: dict[str, str] = {}
    sizes = []
    while True:
        page = await world.call("ListTopics", **token)
        sizes.append(len(page["Topics"]))
        found += [one["TopicArn"] for one in page["Topics"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert (sizes, found) == ([100, 100, 5], made)
    assert "NextToken" in (await refusal(world, "ListTopics", NextToken="%")).message


async def test_subscriptions_are_listed_by_the_hundred(world: World) -> None:
    topic, other = await world.topic("t"), await world.topic("other")
    await world.subscribe(other, "sqs", queue("elsewhere"))
    for number in range(101):
        await world.subscribe(topic, "sqs", queue(f"q{number}"))
    for operation, more, total in (
        ("ListSubscriptionsByTopic", {"TopicArn": topic}, 101),
        ("ListSubscriptions", {}, 102),
    ):
        first = await world.call(operation, **more)
        second = await world.call(operation, **more, NextToken=first["NextToken"])
        assert (len(first["Subscriptions"]), len(second["Subscriptions"])) == (100, total - 100)
        assert "NextToken" not in second


async def test_a_deleted_topic_is_gone_with_its_subscriptions_and_may_be_made_anew(world: World) -> None:
    topic = await world.topic()
    subscription = await world.subscribe(topic, "sqs", queue("q"))
    await world.call("DeleteTopic", TopicArn=topic)
    await world.call("DeleteTopic", TopicArn=topic)
    error = await refusal(world, "GetSubscriptionAttributes", SubscriptionArn=subscription)
    assert (error.code, error.message) == ("NotFoundException", "Subscription does not exist")
    assert await world.topic() == topic
    assert (await world.call("ListSubscriptions"))["Subscriptions"] == []


async def test_what_is_anothers_is_not_there(world: World) -> None:
    topic = await world.topic()
    subscription = await world.subscribe(topic, "sqs", queue("q"))
    other = RequestContext("r", "111111111111", REGION, CONTEXT.principal, CONTEXT.endpoint)
    for operation, request in (
        ("GetTopicAttributes", {"TopicArn": topic}),
        ("Publish", {"TopicArn": topic, "Message": "x"}),
        ("GetSubscriptionAttributes", {"SubscriptionArn": subscription}),
    ):
        with pytest.raises(ServiceError) as caught:
            await world.call(operation, other, **request)
        assert caught.value.code == "NotFoundException"
    await world.call("Unsubscribe", other, SubscriptionArn=subscription)
    assert len((await world.call("ListSubscriptions"))["Subscriptions"]) == 1
    assert (await world.call("ListSubscriptions", other))["Subscriptions"] == []


async def test_permissions_are_statements_of_the_policy(world: World) -> None:
    topic = await world.topic()
    given = {"TopicArn": topic, "Label": "l", "AWSAccountId": ["111111111111"], "ActionName": ["Publish", "Subscribe"]}
    await world.call("AddPermission", **given)
    statement = json.loads((await attributes(world, topic))["Policy"])["Statement"][-1]
    assert statement == {
        "Sid": "l",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": ["SNS:Publish", "SNS:Subscribe"],
        "Resource": topic,
    }
    assert "already exists" in (await refusal(world, "AddPermission", **given)).message
    wrong = {**given, "Label": "m", "ActionName": ["Explode"]}
    assert "out of service scope" in (await refusal(world, "AddPermission", **wrong)).message
    wrong = {**given, "Label": "m", "AWSAccountId": ["x"]}
    assert "account id" in (await refusal(world, "AddPermission", **wrong)).message
    await world.call("RemovePermission", TopicArn=topic, Label="l")
    assert "no statement" in (await refusal(world, "RemovePermission", TopicArn=topic, Label="l")).message


async def test_tags_are_merged_and_limited(world: World) -> None:
    topic = await world.topic("t", tags=[{"Key": "a", "Value": "1"}])
    await world.call("TagResource", ResourceArn=topic, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    await world.call("UntagResource", ResourceArn=topic, TagKeys=["b", "none"])
    assert (await world.call("ListTagsForResource", ResourceArn=topic))["Tags"] == [{"Key": "a", "Value": "2"}]
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    assert (await refusal(world, "TagResource", ResourceArn=topic, Tags=many)).code == "TagLimitExceededException"
    error = await refusal(world, "TagResource", ResourceArn=f"{topic}x", Tags=many)
    assert error.code == "ResourceNotFoundException"
    twice = [{"Key": "a", "Value": "1"}] * 2
    assert "Duplicated" in (await refusal(world, "TagResource", ResourceArn=topic, Tags=twice)).message


@pytest.mark.parametrize(
    ("protocol", "endpoint", "message"),
    [
        ("carrier-pigeon", "x", "does not support this protocol string"),
        ("email", "a@example.com", "Mayfly does not deliver to email"),
        ("sms", "+49", "Mayfly does not deliver to sms"),
        ("firehose", "x", "Mayfly does not deliver to firehose"),
        ("sqs", "https://sqs.us-east-1.amazonaws.com/000000000000/q", "SQS endpoint ARN"),
        ("sqs", FUNCTION, "SQS endpoint ARN"),
        ("sqs", "arn:aws:sqs:eu-west-1:000000000000:q", "SQS endpoint ARN"),
        ("lambda", queue("q"), "Lambda endpoint ARN"),
        ("lambda", "arn:aws:lambda:us-east-1:000000000000:layer:l", "Lambda endpoint ARN"),
        ("http", "https://example.com/", "match the specified protocol"),
        ("https", "http://example.com/", "match the specified protocol"),
        ("https", "example.com", "match the specified protocol"),
        ("https", "https:///x", "match the specified protocol"),
    ],
)
async def test_who_cannot_be_delivered_to_cannot_subscribe(
    world: World, protocol: str, endpoint: str, message: str
) -> None:
    topic = await world.topic()
    error = await refusal(world, "Subscribe", TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
    assert (error.code, message in error.message) == ("InvalidParameterException", True)


@pytest.mark.parametrize(
    ("protocol", "endpoint", "given", "message"),
    [
        ("sqs", queue("q"), {"Nonsense": "x"}, "AttributeName"),
        ("sqs", queue("q"), {"RawMessageDelivery": "x"}, "true or false"),
        ("lambda", FUNCTION, {"RawMessageDelivery": "true"}, "does not support raw message delivery"),
        ("sqs", queue("q"), {"FilterPolicy": "{"}, "FilterPolicy"),
        ("sqs", queue("q"), {"FilterPolicy": '{"a": "b"}'}, "FilterPolicy"),
        ("sqs", queue("q"), {"FilterPolicy": '{"a": {"b": ["c"]}}'}, "nested filter policy"),
        ("sqs", queue("q"), {"FilterPolicyScope": "Everything"}, "FilterPolicyScope"),
        ("sqs", queue("q"), {"RedrivePolicy": "{}x"}, "RedrivePolicy"),
        ("sqs", queue("q"), {"RedrivePolicy": '{"deadLetterTargetArn": "x"}'}, "RedrivePolicy"),
        ("sqs", queue("q"), {"RedrivePolicy": json.dumps({"deadLetterTargetArn": queue("d.fifo")})}, "standard queue"),
        ("sqs", queue("q"), {"DeliveryPolicy": "{}{"}, "not for subscriptions of the protocol sqs"),
        ("https", "https://example.com/", {"DeliveryPolicy": '{"http": {}}'}, "Unexpected JSON member: http"),
        ("sqs", queue("q"), {"SubscriptionRoleArn": ROLE}, "firehose"),
    ],
)
async def test_attributes_that_cannot_be_are_refused(
    world: World, protocol: str, endpoint: str, given: dict[str, str], message: str
) -> None:
    topic = await world.topic()
    request = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
    error = await refusal(world, "Subscribe", **request, Attributes=given)
    assert message in error.message
    assert error.message.startswith("Invalid parameter: Attributes Reason: ")
    assert (await world.call("ListSubscriptions"))["Subscriptions"] == []


async def test_a_nested_policy_needs_the_scope_of_the_body_whichever_comes_first(world: World) -> None:
    topic = await world.topic()
    nested = '{"a": {"b": ["c"]}}'
    given = {"FilterPolicy": nested, "FilterPolicyScope": "MessageBody"}
    arn = await world.subscribe(topic, "sqs", queue("q"), **given)
    shown = (await world.call("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
    assert (shown["FilterPolicy"], shown["FilterPolicyScope"]) == (nested, "MessageBody")
    change = {"SubscriptionArn": arn, "AttributeName": "FilterPolicyScope", "AttributeValue": "MessageAttributes"}
    assert "nested filter policy" in (await refusal(world, "SetSubscriptionAttributes", **change)).message


async def test_subscribing_again_gives_the_same_subscription_unless_it_is_to_be_another(world: World) -> None:
    topic = await world.topic()
    first = await world.subscribe(topic, "sqs", queue("q"), RawMessageDelivery="true")
    assert await world.subscribe(topic, "sqs", queue("q")) == first
    assert await world.subscribe(topic, "sqs", queue("q"), RawMessageDelivery="true") == first
    request = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue("q")}
    error = await refusal(world, "Subscribe", **request, Attributes={"RawMessageDelivery": "false"})
    assert "already exists with different attributes" in error.message


async def test_large_messages_are_for_few_subscriptions_of_queues_and_functions(world: World) -> None:
    topic = await world.topic("large", MaximumMessageSize="1048576")
    request = {"TopicArn": topic, "Protocol": "https", "Endpoint": "https://example.com/"}
    assert "https" in (await refusal(world, "Subscribe", **request)).message
    plain = await world.topic("plain")
    await world.call("Subscribe", **{**request, "TopicArn": plain})
    change = {"TopicArn": plain, "AttributeName": "MaximumMessageSize", "AttributeValue": "1048576"}
    assert "MaximumMessageSize" in (await refusal(world, "SetTopicAttributes", **change)).message


async def test_a_policy_of_delivery_shows_what_holds_in_the_end(world: World) -> None:
    above = {
        "http": {
            "defaultHealthyRetryPolicy": {"numRetries": 5, "minDelayTarget": 1, "maxDelayTarget": 2},
            "defaultThrottlePolicy": {"maxReceivesPerSecond": 7},
        }
    }
    topic = await world.topic(DeliveryPolicy=json.dumps(above))
    arn = await world.subscribe(topic, "https", "https://example.com/")
    shown = (await world.call("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
    effective = json.loads(shown["EffectiveDeliveryPolicy"])
    assert effective["healthyRetryPolicy"]["numRetries"] == 5
    assert effective["throttlePolicy"] == {"maxReceivesPerSecond": 7}
    await world.call(
        "SetSubscriptionAttributes",
        SubscriptionArn=arn,
        AttributeName="DeliveryPolicy",
        AttributeValue='{"healthyRetryPolicy": {"numRetries": 0}}',
    )
    shown = (await world.call("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
    assert json.loads(shown["EffectiveDeliveryPolicy"])["healthyRetryPolicy"]["numRetries"] == 0


def test_a_topic_may_forbid_policies_of_subscriptions() -> None:
    above = delivery_policy.of_topic('{"http": {"disableSubscriptionOverrides": true}}')
    mine = delivery_policy.of_subscription('{"healthyRetryPolicy": {"numRetries": 9}}')
    assert mine.over(above).phases is None
    assert mine.over(delivery_policy.NOTHING).phases == Phases(retries=9)


@pytest.mark.parametrize(
    "policy",
    [
        {"numRetries": 101},
        {"numRetries": -1},
        {"numRetries": True},
        {"numRetries": 1, "numNoDelayRetries": 2},
        {"minDelayTarget": 0},
        {"minDelayTarget": 30},
        {"maxDelayTarget": 3601},
        {"numRetries": 100, "minDelayTarget": 100, "maxDelayTarget": 100},
        {"backoffFunction": "fibonacci"},
        {"retries": 1},
    ],
)
def test_retries_that_cannot_be_are_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="DeliveryPolicy"):
        delivery_policy.of_subscription(json.dumps({"healthyRetryPolicy": policy}))


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("CreatePlatformApplication", {"Name": "a", "Platform": "GCM", "Attributes": {}}),
        ("SetSMSAttributes", {"attributes": {}}),
        ("GetSMSSandboxAccountStatus", {}),
        ("Publish", {"PhoneNumber": "+49", "Message": "x"}),
        ("Publish", {"TargetArn": "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/a/b", "Message": "x"}),
    ],
)
async def test_what_needs_aws_itself_says_so(world: World, operation: str, request_: dict[str, Any]) -> None:
    error = await refusal(world, operation, **request_)
    assert "Mayfly sends no" in error.message


async def test_a_data_protection_policy_is_refused_and_none_is_shown(world: World) -> None:
    topic = await world.topic()
    assert (await world.call("GetDataProtectionPolicy", ResourceArn=topic)) == {"DataProtectionPolicy": ""}
    error = await refusal(world, "PutDataProtectionPolicy", ResourceArn=topic, DataProtectionPolicy='{"Name": "x"}')
    assert "does not implement data protection" in error.message
