"""FIFO queues: groups, deduplication, attempts."""

from typing import Any

from tests.services.queues.conftest import Queues


async def send(queues: Queues, url: str, body: str, group: str, **more: Any) -> dict[str, Any]:
    return await queues.send(url, body, MessageGroupId=group, **{"MessageDeduplicationId": body, **more})


async def test_what_comes_after_a_message_in_flight_waits_and_other_groups_do_not(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        await send(queues, url, body, group)
    (first,) = await queues.receive(url, 1)
    assert first["Body"] == "a1"
    assert await queues.bodies(url) == ["b1"]
    await queues.delete(url, first)
    assert await queues.bodies(url) == ["a2"]


async def test_a_receive_takes_a_group_in_order_before_it_takes_the_next(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    for number in range(3):
        for group in "ab":
            await send(queues, url, f"{group}{number}", group)
    assert await queues.bodies(url, 4) == ["a0", "a1", "a2", "b0"]


async def test_groups_take_turns(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    for number in range(3):
        await send(queues, url, f"a{number}", "a")
    await send(queues, url, "b0", "b")
    order = []
    for _ in range(4):
        queues.clock.advance(1)
        (message,) = await queues.receive(url, 1)
        order.append(message["Body"])
        await queues.delete(url, message)
    assert order == ["a0", "b0", "a1", "a2"]


async def test_a_message_given_back_comes_again_before_those_that_follow_it(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    for number in range(3):
        await send(queues, url, f"a{number}", "a")
    first, _second, _third = await queues.receive(url)
    await queues.hide(url, first, 0)
    assert await queues.bodies(url) == ["a0"]


async def test_a_message_held_longer_keeps_back_what_follows_it(queues: Queues) -> None:
    url = await queues.make("a.fifo", VisibilityTimeout="10")
    for number in range(3):
        await send(queues, url, f"a{number}", "a")
    _first, second, _third = await queues.receive(url)
    await queues.hide(url, second, 100)
    queues.clock.advance(50)
    (first,) = await queues.receive(url, VisibilityTimeout=1000)
    assert first["Body"] == "a0"
    await queues.delete(url, first)
    assert await queues.bodies(url) == []
    queues.clock.advance(50)
    assert await queues.bodies(url) == ["a1", "a2"]


async def test_a_handle_is_refused_when_its_time_is_over(queues: Queues) -> None:
    url = await queues.make("a.fifo", VisibilityTimeout="10")
    await send(queues, url, "a0", "a")
    (message,) = await queues.receive(url)
    queues.clock.advance(10)
    for name, more in (("DeleteMessage", {}), ("ChangeMessageVisibility", {"VisibilityTimeout": 5})):
        refused = await queues.refused(name, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], **more)
        assert refused.code == "InvalidParameterValue"
        assert refused.message.endswith("Reason: The receipt handle has expired.")
    (again,) = await queues.receive(url)
    await queues.delete(url, again)
    await queues.delete(url, again)


async def test_duplicates_within_five_minutes_are_accepted_and_not_delivered(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    first = await send(queues, url, "one", "a", MessageDeduplicationId="x")
    second = await send(queues, url, "two", "b", MessageDeduplicationId="x")
    assert (first["MessageId"], first["SequenceNumber"]) == (second["MessageId"], second["SequenceNumber"])
    assert second["MD5OfMessageBody"] != first["MD5OfMessageBody"]
    (message,) = await queues.receive(url)
    await queues.delete(url, message)
    queues.clock.advance(299)
    await send(queues, url, "three", "a", MessageDeduplicationId="x")
    assert await queues.bodies(url) == []
    queues.clock.advance(1)
    await send(queues, url, "four", "a", MessageDeduplicationId="x")
    assert await queues.bodies(url) == ["four"]


async def test_duplicates_may_be_found_by_content_and_by_group(queues: Queues) -> None:
    url = await queues.make("a.fifo", ContentBasedDeduplication="true", DeduplicationScope="messageGroup")
    for body, group in (("one", "a"), ("one", "a"), ("one", "b"), ("two", "a")):
        await queues.send(url, body, MessageGroupId=group)
    assert sorted(await queues.bodies(url)) == ["one", "one", "two"]


async def test_sequence_numbers_rise_and_have_twenty_digits(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    numbers = [(await send(queues, url, str(number), "a"))["SequenceNumber"] for number in range(5)]
    assert numbers == sorted(set(numbers))
    assert {len(number) for number in numbers} == {20}


async def test_an_attempt_repeated_gets_the_same_messages_and_handles(queues: Queues) -> None:
    url = await queues.make("a.fifo", VisibilityTimeout="10")
    for number in range(4):
        await send(queues, url, f"a{number}", "a")
    attempt = {"ReceiveRequestAttemptId": "x"}
    first = await queues.receive(url, 2, **attempt)
    queues.clock.advance(8)
    again = await queues.receive(url, 2, **attempt)
    assert [message["Body"] for message in again] == ["a0", "a1"]
    queues.clock.advance(8)  # its visibility began anew
    assert await queues.bodies(url) == []
    for message in again:
        await queues.delete(url, message)
    assert await queues.bodies(url, 2, **attempt) == ["a2", "a3"]
    assert len(first) == 2


async def test_a_group_and_an_id_for_deduplication_are_needed(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    refused = await queues.refused("SendMessage", QueueUrl=url, MessageBody="x", MessageDeduplicationId="x")
    assert (refused.code, refused.message) == (
        "MissingParameter",
        "The request must contain the parameter MessageGroupId.",
    )
    refused = await queues.refused("SendMessage", QueueUrl=url, MessageBody="x", MessageGroupId="x")
    assert "ContentBasedDeduplication enabled or MessageDeduplicationId" in refused.message
    entries = [{"Id": "a", "MessageBody": "x", "MessageDeduplicationId": "x"}]
    assert (await queues.refused("SendMessageBatch", QueueUrl=url, Entries=entries)).code == "InvalidParameterValue"
    refused = await queues.refused(
        "SendMessage", QueueUrl=url, MessageBody="x", MessageGroupId="x", MessageDeduplicationId="x", DelaySeconds=2
    )
    assert "not valid for this queue type" in refused.message


async def test_a_changed_delay_counts_for_messages_that_wait_already(queues: Queues) -> None:
    url = await queues.make("a.fifo", DelaySeconds="100")
    await send(queues, url, "a0", "a")
    assert await queues.counts(url) == (0, 0, 1)
    await queues.call("SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "10"})
    queues.clock.advance(10)
    assert await queues.bodies(url) == ["a0"]


async def test_standard_queues_take_a_group_and_show_it(queues: Queues) -> None:
    url = await queues.make()
    await queues.send(url, "one", MessageGroupId="tenant")
    await queues.send(url, "two", MessageGroupId="tenant")
    found = await queues.receive(url, MessageSystemAttributeNames=["MessageGroupId"])
    assert [message["Attributes"] for message in found] == [{"MessageGroupId": "tenant"}] * 2


async def test_a_receive_looks_beyond_groups_that_have_nothing_but_old_messages(queues: Queues) -> None:
    url = await queues.make("a.fifo", MessageRetentionPeriod="60")
    for number in range(8):
        await send(queues, url, f"old{number}", f"group{number}")
    queues.clock.advance(60)
    await send(queues, url, "young", "last")
    assert await queues.bodies(url, 2) == ["young"]
    assert await queues.counts(url) == (0, 1, 0)
