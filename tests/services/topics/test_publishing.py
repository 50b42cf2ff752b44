"""Publishing: what is accepted, who gets it, and in which form."""

import base64
import json
from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.ports import Source, TargetOptions
from mayfly.store.api import Tx
from tests.services.topics.conftest import FUNCTION, World, queue

Q = queue("q")


async def publish(world: World, topic: str, message: str = "hello", **more: Any) -> Any:
    return await world.call("Publish", TopicArn=topic, Message=message, **more)


async def test_a_queue_gets_the_document_that_sns_sends(world: World) -> None:
    topic = await world.topic()
    subscription = await world.subscribe(topic, "sqs", Q)
    published = await publish(
        world,
        topic,
        'say "héllo"',
        Subject="s",
        MessageAttributes={
            "a": {"DataType": "String", "StringValue": "x"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    [(body, more)] = await world.got(Q)
    document = json.loads(body)
    assert list(document) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert document["Type"] == "Notification"
    assert document["MessageId"] == published["MessageId"]
    assert document["TopicArn"] == topic
    assert (document["Subject"], document["Message"]) == ("s", 'say "héllo"')
    assert document["Timestamp"] == "2023-11-14T22:13:20.000Z"
    assert document["MessageAttributes"] == {
        "a": {"Type": "String", "Value": "x"},
        "b": {"Type": "Binary", "Value": base64.b64encode(b"\x00\x01").decode()},
    }
    assert document["UnsubscribeURL"] == (
        f"http://127.0.0.1:4566/_mayfly/topics/?Action=Unsubscribe&SubscriptionArn={subscription}"
    )
    assert body.startswith('{\n  "Type" : "Notification",\n  "MessageId" : "')
    assert more["attributes"] == {}


async def test_a_queue_that_wants_it_raw_gets_the_message_and_its_attributes(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q, RawMessageDelivery="true")
    await publish(
        world,
        topic,
        MessageAttributes={
            "a": {"DataType": "Number", "StringValue": "1.5"},
            "b": {"DataType": "Binary.png", "BinaryValue": b"\x00\x01"},
        },
    )
    [(body, more)] = await world.got(Q)
    assert body == "hello"
    assert more["attributes"] == {"a": ["Number", "1.5"], "b": ["Binary.png", "0001"]}


async def test_a_function_gets_the_event_that_lambda_gets(world: World) -> None:
    topic = await world.topic()
    subscription = await world.subscribe(topic, "lambda", FUNCTION)
    await publish(world, topic, MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}})
    [(body, _)] = await world.got(FUNCTION)
    [record] = json.loads(body)["Records"]
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == subscription
    sns = record["Sns"]
    assert set(sns) == {
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertUrl",
        "UnsubscribeUrl",
        "MessageAttributes",
    }
    assert (sns["Subject"], sns["Message"]) == (None, "hello")


async def test_every_protocol_gets_its_own_text(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q)
    await world.subscribe(topic, "lambda", FUNCTION)
    texts = {"default": "all", "sqs": "for queues", "http": 5}
    await publish(world, topic, json.dumps(texts), MessageStructure="json")
    assert await world.messages(Q) == ["for queues"]
    assert await world.messages(FUNCTION) == ["all"]


@pytest.mark.parametrize(
    ("attributes", "text", "wanted"),
    [
        ({"color": "red"}, "{}", True),
        ({"color": "blue"}, "{}", False),
        ({}, '{"color": "red"}', False),
    ],
)
async def test_a_filter_policy_says_which_messages_are_wanted(
    world: World, attributes: dict[str, str], text: str, wanted: bool
) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q, FilterPolicy='{"color": ["red"]}')
    named = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    await publish(world, topic, text, MessageAttributes=named)
    assert len(await world.got(Q)) == int(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [('{"order": {"price": 12}}', True), ('{"order": {"price": 9}}', False), ("no json", False), ("[1]", False)],
)
async def test_a_filter_policy_may_look_at_the_body(world: World, text: str, wanted: bool) -> None:
    topic = await world.topic()
    policy = '{"order": {"price": [{"numeric": [">", 10]}]}}'
    await world.subscribe(topic, "sqs", Q, FilterPolicy=policy, FilterPolicyScope="MessageBody")
    await publish(world, topic, text)
    assert len(await world.got(Q)) == int(wanted)


async def test_an_attribute_that_is_an_array_matches_by_any_of_its_values(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q, FilterPolicy='{"sizes": ["m", 3]}')
    for value in ('["s", "m"]', "[3]", '["s"]'):
        await publish(
            world, topic, value, MessageAttributes={"sizes": {"DataType": "String.Array", "StringValue": value}}
        )
    assert await world.messages(Q) == ['["s", "m"]', "[3]"]


async def test_a_changed_filter_holds_for_the_next_message(world: World) -> None:
    topic = await world.topic()
    subscription = await world.subscribe(topic, "sqs", Q)
    await publish(world, topic, "one")
    await world.call(
        "SetSubscriptionAttributes",
        SubscriptionArn=subscription,
        AttributeName="FilterPolicy",
        AttributeValue='{"a": [{"exists": true}]}',
    )
    await publish(world, topic, "two")
    await world.call(
        "SetSubscriptionAttributes", SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue="{}"
    )
    await publish(world, topic, "three")
    assert await world.messages(Q) == ["one", "three"]


async def test_what_a_queue_does_not_take_goes_to_the_dead_letters(world: World) -> None:
    topic = await world.topic()
    dead = queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead})
    await world.subscribe(topic, "sqs", queue("gone"), RedrivePolicy=redrive)
    await world.subscribe(topic, "sqs", Q)
    world.local.gone.add(queue("gone"))
    await publish(world, topic, "precious")
    assert await world.messages(dead) == ["precious"]
    assert await world.messages(Q) == ["precious"]


async def test_a_raw_message_with_more_attributes_than_a_queue_takes_is_a_dead_letter(world: World) -> None:
    topic = await world.topic()
    dead = queue("dead")
    await world.subscribe(
        topic, "sqs", Q, RawMessageDelivery="true", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead})
    )
    many = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(11)}
    await publish(world, topic, MessageAttributes=many)
    assert await world.got(Q) == []
    assert [body for body, _ in await world.got(dead)] == ["hello"]


async def test_a_topic_with_many_subscriptions_reaches_each_of_them_once(world: World) -> None:
    topic = await world.topic()
    for number in range(620):
        more = {"FilterPolicy": '{"a": ["x"]}'} if number % 2 else {}
        await world.subscribe(topic, "sqs", queue(f"q{number}"), **more)
    await publish(world, topic, "to all", MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}})
    await publish(world, topic, "to half")

    async def received() -> dict[str, int]:
        rows = await world.store.read(
            lambda reader: reader.all("SELECT arn, count(*) FROM got GROUP BY arn ORDER BY arn")
        )
        return {row[0]: row[1] for row in rows}

    while await world.ready.depth("topics.fanout"):
        await world.ready.wait("topics.fanout", 0.01)
    assert await received() == {queue(f"q{number}"): 1 if number % 2 else 2 for number in range(620)}


async def test_a_batch_is_published_but_for_what_is_wrong_with_it(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q)
    entries = [
        {"Id": "one", "Message": "1"},
        {"Id": "two", "Message": ""},
        {"Id": "three", "Message": "3", "MessageDeduplicationId": "x"},
        {"Id": "four", "Message": "4", "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "x"}}},
        {"Id": "five", "Message": "5"},
    ]
    reply = await world.call("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [one["Id"] for one in reply["Successful"]] == ["one", "five"]
    assert [(one["Id"], one["Code"], one["SenderFault"]) for one in reply["Failed"]] == [
        ("two", "InvalidParameter", True),
        ("three", "InvalidParameter", True),
        ("four", "ParameterValueInvalid", True),
    ]
    assert await world.messages(Q) == ["1", "5"]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequestException"),
        ([{"Id": str(number), "Message": "x"} for number in range(11)], "TooManyEntriesInBatchRequestException"),
        ([{"Id": "a", "Message": "x"}, {"Id": "a", "Message": "y"}], "BatchEntryIdsNotDistinctException"),
        ([{"Id": "a b", "Message": "x"}], "InvalidBatchEntryIdException"),
        ([{"Id": str(number), "Message": "x" * 200_000} for number in range(2)], "BatchRequestTooLongException"),
    ],
)
async def test_a_batch_that_breaks_a_rule_of_batches_is_refused_as_a_whole(
    world: World, entries: list[dict[str, str]], code: str
) -> None:
    topic = await world.topic()
    with pytest.raises(ServiceError) as caught:
        await world.call("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "x" * (256 * 1024 + 1)}, "Message too long"),
        (
            {
                "Message": "x" * (256 * 1024 - 5),
                "MessageAttributes": {"a": {"DataType": "String", "StringValue": "bcd"}},
            },
            "Message too long",
        ),
        ({"Message": "x", "Subject": ""}, "Subject"),
        ({"Message": "x", "Subject": "x" * 101}, "Subject"),
        ({"Message": "x", "Subject": "two\nlines"}, "Subject"),
        ({"Message": "x", "MessageStructure": "xml"}, "MessageStructure"),
        ({"Message": "{", "MessageStructure": "json"}, "failed to parse"),
        ({"Message": '{"sqs": "x"}', "MessageStructure": "json"}, "No default entry"),
        ({"Message": '{"default": 1}', "MessageStructure": "json"}, "No default entry"),
        ({"Message": '{"default": "a", "default": "b"}', "MessageStructure": "json"}, "failed to parse"),
        ({"Message": "x\x00"}, "Invalid character"),
        ({"Message": "x", "MessageDeduplicationId": "d"}, "not valid for this topic type"),
        ({"Message": "x", "MessageGroupId": "a b"}, "MessageGroupId"),
        ({"Message": "x", "MessageAttributes": {"a": {"DataType": "Bool", "StringValue": "x"}}}, "supported type"),
        ({"Message": "x", "MessageAttributes": {"a": {"DataType": "String"}}}, "non-empty message attribute value"),
        ({"Message": "x", "MessageAttributes": {"a": {"DataType": "", "StringValue": "x"}}}, "attribute type"),
        ({"Message": "x", "MessageAttributes": {"": {"DataType": "String", "StringValue": "x"}}}, "attribute name"),
        ({"Message": "x", "MessageAttributes": {"AWS.x": {"DataType": "String", "StringValue": "x"}}}, "name"),
        ({"Message": "x", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}}}, "to number"),
        ({"Message": "x", "MessageAttributes": {"a": {"DataType": "String.Array", "StringValue": "x"}}}, "array"),
    ],
)
async def test_what_must_not_be_published_is_refused_with_its_reason(
    world: World, request_: dict[str, Any], message: str
) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q)
    with pytest.raises(ServiceError) as caught:
        await world.call("Publish", TopicArn=topic, **request_)
    assert message in caught.value.message
    assert await world.got(Q) == []


async def test_a_message_may_be_as_large_as_its_topic_says(world: World) -> None:
    topic = await world.topic(MaximumMessageSize="1024")
    await publish(world, topic, "x" * 1024)
    with pytest.raises(ServiceError, match="Message too long"):
        await publish(world, topic, "x" * 1025)


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:sns:us-east-1:000000000000:nothing", "NotFoundException"),
        ("arn:aws:sns:eu-west-1:000000000000:t", "NotFoundException"),
        ("arn:aws:sns:us-east-1:111111111111:t", "NotFoundException"),
        ("t", "InvalidParameterException"),
        ("arn:aws:sqs:us-east-1:000000000000:t", "InvalidParameterException"),
    ],
)
async def test_a_topic_that_is_not_there_takes_nothing(world: World, arn: str, code: str) -> None:
    await world.topic()
    with pytest.raises(ServiceError) as caught:
        await publish(world, arn)
    assert caught.value.code == code


async def test_an_event_of_another_service_is_published_with_its_transaction(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q)
    await publish(world, topic, "first")
    targets = world.service.event_targets
    await targets.check(topic, "s3.amazonaws.com", "arn:aws:s3:::b", "000000000000")
    await world.store.write(lambda tx: targets.accept(tx, topic, b'{"a":1}'))

    def undone(tx: Tx) -> None:
        targets.accept(tx, topic, b"{}")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await world.store.write(undone)
    assert await world.messages(Q) == ["first", '{"a":1}']


async def test_an_event_is_published_although_nobody_has_signed_anything_yet(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", Q)
    world.service = world.made()  # as after a restart
    await world.store.write(lambda tx: world.service.event_targets.accept(tx, topic, b'{"a":1}'))
    while await world.ready.depth("topics.fanout"):
        await world.ready.wait("topics.fanout", 0.01)
    assert await world.messages(Q) == ['{"a":1}']


@pytest.mark.parametrize(
    ("condition", "denied"),
    [
        (None, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::secret-*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::open-*"}}, False),
        ({"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::open-*"}}, True),
        ({"StringEquals": {"aws:SourceAccount": ["1", "000000000000"]}}, True),
        ({"StringNotEquals": {"aws:SourceAccount": "000000000000"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": False}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
    ],
)
async def test_a_policy_may_deny_a_service_to_publish(world: World, condition: Any, denied: bool) -> None:
    topic = await world.topic()
    statement = {"Effect": "Deny", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish"}
    if condition is not None:
        statement["Condition"] = condition
    policy = json.dumps({"Statement": [{**statement, "Resource": topic}]})
    await world.call("SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    targets = world.service.event_targets
    await targets.check(topic, "events.amazonaws.com", "arn:aws:s3:::secret-1", "000000000000")
    if not denied:
        await targets.check(topic, "s3.amazonaws.com", "arn:aws:s3:::secret-1", "000000000000")
        return
    with pytest.raises(ServiceError) as caught:
        await targets.check(topic, "s3.amazonaws.com", "arn:aws:s3:::secret-1", "000000000000")
    assert caught.value.code == "AuthorizationErrorException"
    options = TargetOptions(on_behalf_of=Source("s3.amazonaws.com", "arn:aws:s3:::secret-1", "000000000000"))
    with pytest.raises(ServiceError) as late:  # also when it was denied after it was configured
        await world.store.write(lambda tx: targets.accept(tx, topic, b"{}", options))
    assert late.value.code == "AuthorizationErrorException"


async def test_a_filter_policy_that_is_none_any_more_costs_its_subscription_the_messages_and_nobody_else(
    world: World,
) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "sqs", queue("old"), FilterPolicy='{"a": ["x"]}')
    await world.subscribe(topic, "sqs", Q)
    change = "UPDATE topics_subscription SET definition = replace(definition, '[\\\"x\\\"]', '5')"
    assert await world.store.write(lambda tx: tx.run(change))
    await publish(world, topic, MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}})
    assert await world.messages(Q) == ["hello"]
    assert await world.got(queue("old")) == []
