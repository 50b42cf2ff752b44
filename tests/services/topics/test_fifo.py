"""FIFO topics: order, duplicates, archives and replays."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.clock import iso_millis
from mayfly.services.contract import ServiceError
from tests.services.topics.conftest import World, queue

Q = queue("q.fifo")


async def publish(world: World, topic: str, message: str, group: str = "g", **more: Any) -> Any:
    return await world.call("Publish", TopicArn=topic, Message=message, MessageGroupId=group, **more)


async def test_a_queue_gets_messages_in_order_with_their_group_and_id(world: World) -> None:
    topic = await world.topic("t.fifo")
    await world.subscribe(topic, "sqs", Q)
    told = [await publish(world, topic, f"{n}", f"g{n % 2}", MessageDeduplicationId=f"d{n}") for n in range(6)]
    got = await world.got(Q)
    assert [json.loads(body)["Message"] for body, _ in got] == [str(n) for n in range(6)]
    assert [(more["group"], more["deduplication"]) for _, more in got] == [(f"g{n % 2}", f"d{n}") for n in range(6)]
    numbers = [one["SequenceNumber"] for one in told]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 6
    document = json.loads(got[0][0])
    assert document["SequenceNumber"] == numbers[0]
    assert "Signature" not in document


async def test_a_standard_queue_gets_the_group_and_no_deduplication_id(world: World) -> None:
    topic = await world.topic("t.fifo")
    await world.subscribe(topic, "sqs", queue("standard"))
    await publish(world, topic, "a", MessageDeduplicationId="d")
    [(_, more)] = await world.got(queue("standard"))
    assert (more["group"], more["deduplication"]) == ("g", None)


async def test_a_duplicate_is_answered_as_the_first_and_not_delivered_for_five_minutes(world: World) -> None:
    topic = await world.topic("t.fifo")
    await world.subscribe(topic, "sqs", Q)
    first = await publish(world, topic, "a", MessageDeduplicationId="d")
    world.clock.advance(299)
    assert await publish(world, topic, "b", "other", MessageDeduplicationId="d") == first
    world.clock.advance(2)
    assert await publish(world, topic, "c", MessageDeduplicationId="d") != first
    assert await world.messages(Q) == ["a", "c"]


async def test_the_scope_of_duplicates_may_be_the_group(world: World) -> None:
    topic = await world.topic("t.fifo", FifoThroughputScope="MessageGroup", ContentBasedDeduplication="true")
    await world.subscribe(topic, "sqs", Q)
    for group in ("one", "two", "one"):
        await publish(world, topic, "same", group)
    assert [more["group"] for _, more in await world.got(Q)] == ["one", "two"]


async def test_the_body_alone_tells_duplicates_where_the_topic_says_so(world: World) -> None:
    topic = await world.topic("t.fifo", ContentBasedDeduplication="true")
    await world.subscribe(topic, "sqs", Q)
    await publish(world, topic, "same")
    await publish(world, topic, "same", MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}})
    await publish(world, topic, "same", MessageDeduplicationId="explicit")
    assert len(await world.got(Q)) == 2


async def test_duplicates_within_a_batch_are_one(world: World) -> None:
    topic = await world.topic("t.fifo")
    await world.subscribe(topic, "sqs", Q)
    entries = [
        {"Id": str(n), "Message": str(n), "MessageGroupId": "g", "MessageDeduplicationId": f"d{n // 2}"}
        for n in range(6)
    ]
    reply = await world.call("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert len(reply["Successful"]) == 6
    assert await world.messages(Q) == ["0", "2", "4"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"MessageDeduplicationId": "d"}, "MessageGroupId parameter is required"),
        ({"MessageGroupId": "g"}, "ContentBasedDeduplication"),
    ],
)
async def test_a_message_without_its_ids_is_refused(world: World, request_: dict[str, str], message: str) -> None:
    topic = await world.topic("t.fifo")
    with pytest.raises(ServiceError, match=message):
        await world.call("Publish", TopicArn=topic, Message="x", **request_)


@pytest.mark.parametrize(
    ("name", "protocol", "endpoint", "message"),
    [
        ("t.fifo", "lambda", "arn:aws:lambda:us-east-1:000000000000:function:f", "queues only"),
        ("t.fifo", "http", "http://example.com/", "queues only"),
        ("t", "sqs", Q, "FIFO SQS Queues can not be subscribed to standard SNS topics"),
    ],
)
async def test_what_cannot_keep_the_order_cannot_subscribe(
    world: World, name: str, protocol: str, endpoint: str, message: str
) -> None:
    topic = await world.topic(name)
    with pytest.raises(ServiceError, match=message):
        await world.subscribe(topic, protocol, endpoint)


async def test_a_fifo_topic_has_at_most_a_hundred_subscriptions(world: World) -> None:
    topic = await world.topic("t.fifo")
    for number in range(100):
        await world.subscribe(topic, "sqs", queue(f"q{number}.fifo"))
    with pytest.raises(ServiceError) as caught:
        await world.subscribe(topic, "sqs", Q)
    assert caught.value.code == "SubscriptionLimitExceededException"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.sampled_from([0.0, 100.0, 301.0])),
        min_size=1,
        max_size=25,
    ),
    st.booleans(),
)
async def test_whatever_is_published_no_group_is_reordered_and_nothing_comes_twice_within_the_interval(
    world: World, published: list[tuple[str, int, float]], by_group: bool
) -> None:
    topic = await world.topic(
        f"{world.service.name}-{world.clock.now():.0f}-{id(published)}.fifo",
        FifoThroughputScope="MessageGroup" if by_group else "Topic",
    )
    target = queue(f"{id(published)}-{world.clock.now():.0f}.fifo")
    await world.subscribe(topic, "sqs", target)
    expected: list[tuple[str, str]] = []
    seen: dict[tuple[str, int], float] = {}
    for number, (group, duplicate, pause) in enumerate(published):
        world.clock.advance(pause)
        await publish(world, topic, str(number), group, MessageDeduplicationId=str(duplicate))
        key = (group if by_group else "", duplicate)
        if world.clock.now() >= seen.get(key, -1.0):
            seen[key] = world.clock.now() + 300
            expected.append((group, str(number)))
    got = [(more["group"], json.loads(body)["Message"]) for body, more in await world.got(target)]
    assert got == expected


def since(world: World, seconds: float) -> str:
    return iso_millis(world.clock.now() + seconds)


async def replayed(world: World) -> None:
    while await world.ready.depth("topics.replays"):
        await world.ready.wait("topics.replays", 0.01)


async def status(world: World, subscription: str) -> str:
    reply = await world.call("GetSubscriptionAttributes", SubscriptionArn=subscription)
    return str(reply["Attributes"]["ReplayStatus"])


async def test_an_archive_is_replayed_to_who_subscribes_later_and_then_goes_on(world: World) -> None:
    topic = await world.topic("t.fifo", ArchivePolicy='{"MessageRetentionPeriod": 30}')
    began = await world.call("GetTopicAttributes", TopicArn=topic)
    assert began["Attributes"]["BeginningArchiveTime"] == "2023-11-14T22:13:20.000Z"
    for number in range(250):
        world.clock.advance(1)
        await publish(world, topic, str(number), MessageDeduplicationId=str(number))
    policy = json.dumps({"PointType": "Timestamp", "StartingPoint": since(world, -219.5)})
    subscription = await world.subscribe(topic, "sqs", Q, ReplayPolicy=policy)
    await publish(world, topic, "meanwhile", MessageDeduplicationId="m")
    await replayed(world)
    await publish(world, topic, "after", MessageDeduplicationId="a")
    assert await world.messages(Q) == [*map(str, range(30, 250)), "meanwhile", "after"]
    got = await world.got(Q)
    assert json.loads(got[0][0])["Replayed"] == "true"
    assert "Replayed" not in json.loads(got[-1][0])
    assert await status(world, subscription) == "Completed"


async def test_a_replay_may_end_at_a_time_and_wants_what_the_filter_wants(world: World) -> None:
    topic = await world.topic("t.fifo", ArchivePolicy='{"MessageRetentionPeriod": 30}')
    for number in range(10):
        await publish(
            world,
            topic,
            str(number),
            MessageDeduplicationId=str(number),
            MessageAttributes={"n": {"DataType": "Number", "StringValue": str(number)}},
        )
        world.clock.advance(10)
    subscription = await world.subscribe(topic, "sqs", Q, FilterPolicy='{"n": [{"numeric": [">", 3]}]}')
    await world.call(
        "SetSubscriptionAttributes",
        SubscriptionArn=subscription,
        AttributeName="ReplayPolicy",
        AttributeValue=json.dumps(
            {"PointType": "Timestamp", "StartingPoint": since(world, -100), "EndingPoint": since(world, -35)}
        ),
    )
    await replayed(world)
    assert await world.messages(Q) == ["4", "5", "6"]
    assert await status(world, subscription) == "Completed"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ('{"PointType": "Offset", "StartingPoint": "2023-01-01"}', "PointType"),
        ('{"PointType": "Timestamp", "StartingPoint": "yesterday"}', "StartingPoint"),
        ('{"PointType": "Timestamp"}', "StartingPoint"),
        ('{"PointType": "Timestamp", "StartingPoint": "2023-01-02", "EndingPoint": "2023-01-01"}', "EndingPoint"),
        ("[", "parse"),
    ],
)
async def test_a_replay_policy_that_makes_no_sense_is_refused(world: World, policy: str, message: str) -> None:
    topic = await world.topic("t.fifo", ArchivePolicy='{"MessageRetentionPeriod": 30}')
    with pytest.raises(ServiceError, match=message):
        await world.subscribe(topic, "sqs", Q, ReplayPolicy=policy)


async def test_what_has_no_archive_cannot_be_replayed_and_what_has_one_cannot_be_deleted(world: World) -> None:
    plain = await world.topic("plain.fifo")
    policy = json.dumps({"PointType": "Timestamp", "StartingPoint": since(world, 0)})
    with pytest.raises(ServiceError, match="ArchivePolicy"):
        await world.subscribe(plain, "sqs", Q, ReplayPolicy=policy)
    topic = await world.topic("t.fifo", ArchivePolicy='{"MessageRetentionPeriod": 1}')
    with pytest.raises(ServiceError) as caught:
        await world.call("DeleteTopic", TopicArn=topic)
    assert caught.value.code == "InvalidStateException"
    await world.call("SetTopicAttributes", TopicArn=topic, AttributeName="ArchivePolicy", AttributeValue="{}")
    await world.call("DeleteTopic", TopicArn=topic)


async def test_what_is_older_than_the_archive_keeps_is_forgotten(world: World) -> None:
    topic = await world.topic("t.fifo", ArchivePolicy='{"MessageRetentionPeriod": 1}')
    await publish(world, topic, "old", MessageDeduplicationId="1")
    world.clock.advance(86400)
    await publish(world, topic, "new", MessageDeduplicationId="2")
    world.clock.advance(1)
    await world.service.housekeeping.once()

    def counts(reader: Any) -> list[int]:
        return [reader.one(f"SELECT count(*) FROM topics_{name}")[0] for name in ("archive", "deduplication")]

    assert await world.store.read(counts) == [1, 1]


async def test_deleting_a_topic_leaves_what_it_archived_to_be_removed_in_small_transactions(world: World) -> None:
    topic = await world.topic("t.fifo", ArchivePolicy='{"MessageRetentionPeriod": 30}')
    for number in range(5):
        await publish(world, topic, str(number), MessageDeduplicationId=str(number))
    await world.call("SetTopicAttributes", TopicArn=topic, AttributeName="ArchivePolicy", AttributeValue="{}")
    await world.call("DeleteTopic", TopicArn=topic)
    assert (await rows(world, "topics_archive"), await rows(world, "topics_gone")) == (5, 1)
    again = await world.topic("t.fifo")
    await publish(world, again, "0", MessageDeduplicationId="0")
    await world.service.housekeeping.once()
    assert (await rows(world, "topics_archive"), await rows(world, "topics_gone")) == (0, 0)
    world.clock.advance(301)
    await world.service.housekeeping.once()
    assert await rows(world, "topics_deduplication") == 0


async def rows(world: World, table: str) -> int:
    found = await world.store.read(lambda reader: reader.one(f"SELECT count(*) FROM {table}"))
    assert found is not None
    return int(found[0])
