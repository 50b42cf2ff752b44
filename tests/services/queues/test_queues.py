"""Queues themselves: made, named, described, changed, emptied, deleted, swept."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from mayfly.services.queues import names
from mayfly.services.queues.errors import NoQueueError
from mayfly.services.queues.model import QueueKey
from tests.services.queues.conftest import ACCOUNT, ENDPOINT, Queues


async def test_a_queue_has_the_defaults_of_sqs(queues: Queues) -> None:
    url = await queues.make("things")
    assert url == f"{ENDPOINT}/{ACCOUNT}/things"
    now = str(int(queues.clock.now()))
    assert await queues.attributes(url) == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "CreatedTimestamp": now,
        "LastModifiedTimestamp": now,
        "QueueArn": queues.arn("things"),
        "VisibilityTimeout": "30",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "MessageRetentionPeriod": "345600",
        "MaximumMessageSize": "1048576",
        "SqsManagedSseEnabled": "true",
    }
    fifo = await queues.attributes(await queues.make("a.fifo"))
    assert {name: fifo[name] for name in ("FifoQueue", "DeduplicationScope", "FifoThroughputLimit")} == {
        "FifoQueue": "true",
        "DeduplicationScope": "queue",
        "FifoThroughputLimit": "perQueue",
    }


async def test_making_a_queue_again_finds_it_unless_it_is_another(queues: Queues) -> None:
    url = await queues.make("things", VisibilityTimeout="40")
    assert await queues.make("things") == url
    assert await queues.make("things", VisibilityTimeout="40") == url
    refused = await queues.refused("CreateQueue", QueueName="things", Attributes={"VisibilityTimeout": "41"})
    assert refused.code == "QueueNameExists"
    assert refused.message.endswith("a different value for attribute VisibilityTimeout")


@pytest.mark.parametrize(
    ("name", "attributes", "code"),
    [
        ("a b", {}, "InvalidParameterValue"),
        ("a" * 81, {}, "InvalidParameterValue"),
        ("a.fifo", {}, "InvalidParameterValue"),
        ("a", {"FifoQueue": "true"}, "InvalidParameterValue"),
        ("a", {"Nonsense": "1"}, "InvalidAttributeName"),
        ("a", {"QueueArn": "x"}, "InvalidAttributeName"),
        ("a", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
        ("a", {"DeduplicationScope": "queue"}, "InvalidAttributeName"),
        ("a", {"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ("a", {"VisibilityTimeout": "soon"}, "InvalidAttributeValue"),
        ("a", {"MaximumMessageSize": "1023"}, "InvalidAttributeValue"),
        ("a", {"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
        ("a", {"Policy": "{"}, "InvalidAttributeValue"),
        ("a", {"Policy": "[" * 8000}, "InvalidAttributeValue"),
        (
            "a",
            {"Policy": '{"Statement": {"Effect": "Deny", "Action": "*", "Sid": "' + "x" * 9000 + '"}}'},
            "InvalidAttributeValue",
        ),
        ("a", {"RedrivePolicy": "[" * 100_000}, "InvalidParameterValue"),
        ("a", {"RedriveAllowPolicy": '{"redrivePermission": "byQueue"}'}, "InvalidAttributeValue"),
        ("a", {"RedriveAllowPolicy": '{"redrivePermission": "sometimes"}'}, "InvalidAttributeValue"),
        ("a", {"KmsMasterKeyId": "alias/aws/sqs"}, "InvalidAttributeValue"),
        ("a", {"SqsManagedSseEnabled": "perhaps"}, "InvalidAttributeValue"),
        ("a.fifo", {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}, "InvalidAttributeValue"),
    ],
)
async def test_queues_that_cannot_be_are_refused(
    queues: Queues, name: str, attributes: dict[str, str], code: str
) -> None:
    assert (await queues.refused("CreateQueue", QueueName=name, Attributes=attributes)).code == code


async def test_the_type_of_a_queue_cannot_be_changed(queues: Queues) -> None:
    plain, fifo = await queues.make("plain"), await queues.make("a.fifo")
    refused = await queues.refused("SetQueueAttributes", QueueUrl=plain, Attributes={"FifoQueue": "true"})
    assert (refused.code, refused.message) == ("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    refused = await queues.refused("SetQueueAttributes", QueueUrl=fifo, Attributes={"FifoQueue": "false"})
    assert (
        refused.message == "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
    )


async def test_a_deleted_queues_name_is_free_after_a_minute_and_nothing_is_left_of_it(queues: Queues) -> None:
    url = await queues.make()
    await queues.send(url, "one")
    (held,) = await queues.receive(url)
    await queues.call("DeleteQueue", QueueUrl=url)
    assert (await queues.refused("SendMessage", QueueUrl=url, MessageBody="x")).code == "QueueDoesNotExist"
    queues.clock.advance(59)
    assert (await queues.refused("CreateQueue", QueueName="things")).code == "QueueDeletedRecently"
    queues.clock.advance(1)
    await queues.make()
    await queues.delete(url, held)
    assert await queues.bodies(url) == []
    await queues.service.sweeper.sweep()
    assert await queues.rows("queues_message") == 0
    assert await queues.rows("queues_store") == 1


async def test_a_purge_removes_everything_that_was_sent_before_and_nothing_after(queues: Queues) -> None:
    url = await queues.make("a.fifo", VisibilityTimeout="10")
    for body in ("one", "two"):
        await queues.send(url, body, MessageGroupId="a", MessageDeduplicationId=body)
    (held,) = await queues.receive(url, 1)
    await queues.call("PurgeQueue", QueueUrl=url)
    await queues.send(url, "one", MessageGroupId="a", MessageDeduplicationId="one")
    await queues.delete(url, held)
    assert await queues.counts(url) == (1, 0, 0)
    refused = await queues.refused("PurgeQueue", QueueUrl=url)
    assert (refused.code, refused.status) == ("PurgeQueueInProgress", 403)
    await queues.service.sweeper.sweep()
    assert await queues.bodies(url) == ["one"]
    assert await queues.rows("queues_message") == await queues.rows("queues_group") == 1
    queues.clock.advance(60)
    await queues.call("PurgeQueue", QueueUrl=url)
    assert await queues.bodies(url) == []


async def test_sweeping_removes_what_is_too_old_and_counts_it(queues: Queues) -> None:
    url = await queues.make(MessageRetentionPeriod="60")
    fifo = await queues.make("a.fifo", MessageRetentionPeriod="60")
    for number in range(3):
        await queues.send(url, str(number) * 2000)
        await queues.send(fifo, str(number), MessageGroupId="a", MessageDeduplicationId=str(number))
    queues.clock.advance(59)
    await queues.send(url, "young")
    queues.clock.advance(1)
    await queues.service.sweeper.sweep()
    assert await queues.counts(url) == (1, 0, 0)
    assert await queues.counts(fifo) == (0, 0, 0)
    assert await queues.rows("queues_body") == await queues.rows("queues_group") == 0
    queues.clock.advance(300)
    await queues.service.sweeper.sweep()
    assert await queues.rows("queues_duplicate") == 0


async def test_messages_too_old_are_removed_while_much_that_was_purged_is(queues: Queues) -> None:
    url, sweeper = await queues.make(MessageRetentionPeriod="60"), queues.service.sweeper
    await queues.send(url, "old")
    queues.clock.advance(60)
    write, never = queues.store.write, asyncio.Event()

    async def endless(body: Any) -> Any:
        if body == sweeper._empty_trash:
            await never.wait()
        return await write(body)

    queues.store.write = endless  # type: ignore[method-assign]  # trash enough for as long as the test lasts
    sweeping = asyncio.create_task(sweeper.run())
    async with asyncio.timeout(10):
        while await queues.rows("queues_message"):  # noqa: ASYNC110 - nobody signals it
            await asyncio.sleep(0.002)
    sweeping.cancel()
    with suppress(asyncio.CancelledError):
        await sweeping


async def test_queues_are_listed_by_prefix_and_page(queues: Queues) -> None:
    for name in ("a1", "a2", "a3", "b1"):
        await queues.make(name)
    reply = await queues.call("ListQueues", QueueNamePrefix="a", MaxResults=2)
    assert [url.rpartition("/")[2] for url in reply["QueueUrls"]] == ["a1", "a2"]
    reply = await queues.call("ListQueues", QueueNamePrefix="a", MaxResults=2, NextToken=reply["NextToken"])
    assert [url.rpartition("/")[2] for url in reply["QueueUrls"]] == ["a3"]
    assert "NextToken" not in reply
    assert await queues.call("ListQueues", QueueNamePrefix="none") == {}


@pytest.mark.parametrize("token", ["x", "é"])
async def test_a_page_after_what_is_no_token_is_refused(queues: Queues, token: str) -> None:
    refused = await queues.refused("ListQueues", MaxResults=2, NextToken=token)
    assert (refused.code, refused.message) == ("InvalidParameterValue", "Invalid or expired next token.")


async def test_tags_are_added_replaced_and_removed(queues: Queues) -> None:
    await queues.call("CreateQueue", QueueName="things", tags={"a": "1", "b": "2"})
    url = f"{ENDPOINT}/{ACCOUNT}/things"
    await queues.call("TagQueue", QueueUrl=url, Tags={"b": "3", "c": ""})
    await queues.call("UntagQueue", QueueUrl=url, TagKeys=["a", "nothing"])
    assert await queues.call("ListQueueTags", QueueUrl=url) == {"Tags": {"b": "3", "c": ""}}
    refused = await queues.refused("TagQueue", QueueUrl=url, Tags={str(number): "" for number in range(50)})
    assert "limit is 50" in refused.message


async def test_permissions_make_and_unmake_a_policy(queues: Queues) -> None:
    url = await queues.make()
    grant = {"QueueUrl": url, "Label": "me", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}
    await queues.call("AddPermission", **grant)
    policy = json.loads((await queues.attributes(url, "Policy"))["Policy"])
    assert policy["Statement"] == [
        {
            "Sid": "me",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
            "Action": "SQS:SendMessage",
            "Resource": queues.arn("things"),
        }
    ]
    assert "Already exists." in (await queues.refused("AddPermission", **grant)).message
    for change, code in (
        ({"Label": "a b"}, "InvalidParameterValue"),
        ({"Actions": []}, "MissingParameter"),
        ({"Actions": ["SendMessage"] * 8}, "OverLimit"),
        ({"Actions": ["DeleteQueue"]}, "InvalidParameterValue"),
        ({"AWSAccountIds": ["me"]}, "InvalidParameterValue"),
    ):
        assert (await queues.refused("AddPermission", **{**grant, "Label": "other", **change})).code == code
    await queues.call("RemovePermission", QueueUrl=url, Label="me")
    assert await queues.attributes(url, "Policy") == {}
    assert "can't find label." in (await queues.refused("RemovePermission", QueueUrl=url, Label="me")).message


@pytest.mark.parametrize(
    "url",
    [
        f"{ENDPOINT}/{ACCOUNT}/things",
        f"http://localhost:4566/{ACCOUNT}/things",
        f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/things",
        f"https://us-east-1.queue.amazonaws.com/{ACCOUNT}/things",
        f"/{ACCOUNT}/things",
        "things",
    ],
)
async def test_a_queues_url_may_name_any_host(queues: Queues, url: str) -> None:
    assert names.key_of(queues.context, url) == QueueKey(ACCOUNT, "us-east-1", "things")


async def test_what_names_no_queue_is_no_queue(queues: Queues) -> None:
    for url in ("http://127.0.0.1/", "http://[", "/"):
        with pytest.raises(NoQueueError):
            names.key_of(queues.context, url)
