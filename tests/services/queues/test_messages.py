"""Standard queues: messages sent, received, held, deleted."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.queues import handles, receiving
from mayfly.services.queues.handles import Handle
from tests.services.queues.conftest import Queues


async def test_a_message_is_received_with_what_was_sent(queues: Queues) -> None:
    url = await queues.make()
    sent = await queues.send(url, "grüße", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    (message,) = await queues.receive(url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])
    assert message["Body"] == "grüße"
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"] == hashlib.md5("grüße".encode()).hexdigest()
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"] == {"a": {"DataType": "String", "StringValue": "b"}}
    now = str(int(queues.clock.now() * 1000))
    assert message["Attributes"] == {
        "SenderId": "000000000000",
        "SentTimestamp": now,
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": now,
    }


async def test_a_message_is_hidden_until_its_visibility_timeout_ends_and_counted(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="10")
    await queues.send(url, "one")
    assert await queues.bodies(url) == ["one"]
    queues.clock.advance(9)
    assert await queues.bodies(url) == []
    queues.clock.advance(1)
    (again,) = await queues.receive(url, MessageSystemAttributeNames=["ApproximateReceiveCount"])
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"}


async def test_large_bodies_survive_delivery_and_go_with_their_message(queues: Queues) -> None:
    url = await queues.make()
    body = "x" * 1024 * 1024
    await queues.send(url, body)
    (message,) = await queues.receive(url)
    assert message["Body"] == body
    assert await queues.rows("queues_body") == 1
    await queues.delete(url, message)
    assert await queues.rows("queues_body") == await queues.rows("queues_message") == 0


async def test_counts_follow_what_happens(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="10")
    for number in range(5):
        await queues.send(url, str(number), DelaySeconds=5 if number > 2 else 0)
    assert await queues.counts(url) == (3, 0, 2)
    first, second = await queues.receive(url, 2)
    assert await queues.counts(url) == (1, 2, 2)
    await queues.delete(url, first)
    assert await queues.counts(url) == (1, 1, 2)
    await queues.hide(url, second, 0)
    assert await queues.counts(url) == (2, 0, 2)
    queues.clock.advance(5)
    assert await queues.counts(url) == (4, 0, 0)


async def test_a_handle_stops_working_when_its_message_is_delivered_again(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="10")
    await queues.send(url, "one")
    (stale,) = await queues.receive(url)
    queues.clock.advance(10)
    (fresh,) = await queues.receive(url)
    await queues.delete(url, stale)  # answers success and does nothing, as with SQS
    refused = await queues.refused(
        "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=stale["ReceiptHandle"], VisibilityTimeout=0
    )
    assert "Message does not exist or is not available for visibility timeout change." in refused.message
    assert await queues.rows("queues_message") == 1
    await queues.delete(url, fresh)
    assert await queues.rows("queues_message") == 0


async def test_a_handle_still_works_after_its_time_while_nobody_else_has_the_message(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="10")
    await queues.send(url, "one")
    (message,) = await queues.receive(url)
    queues.clock.advance(60)
    await queues.hide(url, message, 30)
    assert await queues.bodies(url) == []
    await queues.delete(url, message)
    await queues.delete(url, message)
    assert await queues.counts(url) == (0, 0, 0)


async def test_visibility_cannot_be_stretched_beyond_twelve_hours_after_the_delivery(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="43200")
    await queues.send(url, "one")
    (message,) = await queues.receive(url)
    queues.clock.advance(3600)
    handle = message["ReceiptHandle"]
    refused = await queues.refused(
        "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=39601
    )
    assert "beyond the limit [43200 seconds]" in refused.message
    await queues.hide(url, message, 39600)


async def test_what_is_no_handle_is_refused(queues: Queues) -> None:
    url = await queues.make()
    refused = await queues.refused("DeleteMessage", QueueUrl=url, ReceiptHandle="nonsense")
    assert refused.code == "ReceiptHandleIsInvalid"
    refused = await queues.refused("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle="x", VisibilityTimeout=-1)
    assert refused.code == "InvalidParameterValue"


async def test_entries_of_a_batch_fail_by_themselves(queues: Queues) -> None:
    url = await queues.make()
    reply = await queues.call(
        "SendMessageBatch",
        QueueUrl=url,
        Entries=[
            {"Id": "fine", "MessageBody": "1"},
            {"Id": "control", "MessageBody": "\x00"},
            {"Id": "late", "MessageBody": "3", "DelaySeconds": 901},
            {"Id": "dedup", "MessageBody": "4", "MessageDeduplicationId": "a"},
        ],
    )
    assert [entry["Id"] for entry in reply["Successful"]] == ["fine"]
    codes = [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in reply["Failed"]]
    assert codes == [
        ("control", "InvalidMessageContents", True),
        ("late", "InvalidParameterValue", True),
        ("dedup", "InvalidParameterValue", True),
    ]
    (message,) = await queues.receive(url)
    reply = await queues.call(
        "DeleteMessageBatch",
        QueueUrl=url,
        Entries=[{"Id": "a", "ReceiptHandle": "placeholder"}, {"Id": "b", "ReceiptHandle": message["ReceiptHandle"]}],
    )
    assert [entry["Id"] for entry in reply["Successful"]] == ["b"]
    assert [entry["Code"] for entry in reply["Failed"]] == ["ReceiptHandleIsInvalid"]


async def test_batches_are_refused_as_a_whole_where_they_are_none(queues: Queues) -> None:
    url = await queues.make()
    one = {"Id": "a", "MessageBody": "x"}
    for entries, code in (
        ([], "EmptyBatchRequest"),
        ([{"Id": str(number), "MessageBody": "x"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([one, one], "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(number), "MessageBody": "x" * 600_000} for number in range(2)], "BatchRequestTooLong"),
    ):
        assert (await queues.refused("SendMessageBatch", QueueUrl=url, Entries=entries)).code == code


async def test_messages_beyond_the_queues_limit_are_refused(queues: Queues) -> None:
    url = await queues.make(MaximumMessageSize="1024")
    await queues.send(url, "x" * 1024)
    assert (
        "shorter than 1024 bytes" in (await queues.refused("SendMessage", QueueUrl=url, MessageBody="x" * 1025)).message
    )
    assert (await queues.refused("SendMessage", QueueUrl=url, MessageBody="ü" * 513)).code == "InvalidParameterValue"


async def test_delays_are_the_messages_or_the_queues(queues: Queues) -> None:
    url = await queues.make(DelaySeconds="20")
    await queues.send(url, "queue's")
    await queues.send(url, "own", DelaySeconds=0)
    assert await queues.bodies(url) == ["own"]
    queues.clock.advance(20)
    assert await queues.bodies(url) == ["queue's"]


async def test_messages_too_old_are_never_received(queues: Queues) -> None:
    url = await queues.make(MessageRetentionPeriod="60", VisibilityTimeout="10")
    await queues.send(url, "one")
    await queues.receive(url)
    await queues.send(url, "two")
    queues.clock.advance(60)
    assert await queues.bodies(url) == []
    await queues.service.sweeper.sweep()
    assert await queues.counts(url) == (0, 0, 0)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**63 - 1))
def test_handles_are_read_as_they_were_written(store: int, id_: int, receives: int, at: int) -> None:
    handle = Handle(store, id_, receives, at)
    assert handles.read(handles.written(handle)) == handle
    assert handles.written(handle).startswith("AQEB")


async def test_no_more_messages_are_in_flight_than_allowed(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MAX_IN_FLIGHT", 15)
    url = await queues.make(VisibilityTimeout="10")
    for _ in range(2):
        entries = [{"Id": str(number), "MessageBody": "x"} for number in range(10)]
        await queues.call("SendMessageBatch", QueueUrl=url, Entries=entries)
    first = await queues.receive(url)
    assert len(await queues.receive(url)) == 5
    refused = await queues.refused("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=0)
    assert (refused.code, refused.message) == ("OverLimit", "Too many messages are inflight in the queue things.")
    await queues.delete(url, first[0])
    queues.clock.advance(1)
    assert len(await queues.receive(url)) == 1
    queues.clock.advance(10)
    assert len(await queues.receive(url)) == 10
