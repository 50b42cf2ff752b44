"""Dead letters: where they go, who may send them, and how they come back."""

import json
from typing import Any

import pytest

from mayfly.services.queues.service import QueuesService
from tests.services.queues.conftest import Queues


def redrive(queues: Queues, name: str, most: Any = 2) -> str:
    return json.dumps({"deadLetterTargetArn": queues.arn(name), "maxReceiveCount": most})


async def exhaust(queues: Queues, url: str, times: int) -> None:
    """Receive what is there, and give it back, so often."""
    for _ in range(times):
        for message in await queues.receive(url):
            await queues.hide(url, message, 0)


async def test_a_message_received_too_often_moves_and_stays_what_it_is(queues: Queues) -> None:
    dead = await queues.make("dead")
    url = await queues.make("source", RedrivePolicy=redrive(queues, "dead"))
    sent = await queues.send(url, "one", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    await exhaust(queues, url, 2)
    assert await queues.bodies(url) == []
    (message,) = await queues.receive(dead, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"])
    assert message["MessageId"] == sent["MessageId"]
    assert message["MessageAttributes"]["a"]["StringValue"] == "b"
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == queues.arn("source")
    assert message["Attributes"]["ApproximateReceiveCount"] == "3"
    assert await queues.counts(url) == (0, 0, 0)
    assert await queues.counts(dead) == (0, 1, 0)


async def test_fifo_queues_keep_the_order_among_dead_letters(queues: Queues) -> None:
    dead = await queues.make("dead.fifo")
    url = await queues.make("a.fifo", RedrivePolicy=redrive(queues, "dead.fifo", 1))
    for number in range(3):
        await queues.send(url, str(number), MessageGroupId="a", MessageDeduplicationId=str(number))
    await exhaust(queues, url, 2)
    assert await queues.bodies(dead) == ["0", "1", "2"]
    assert await queues.rows("queues_group") == 1


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ('{"maxReceiveCount": 1}', "mandatory attribute: deadLetterTargetArn"),
        ('{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}', "mandatory attribute: maxReceiveCount"),
        (
            '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1001}',
            "valid values are from 1 to 1000",
        ),
        (
            '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:gone", "maxReceiveCount": 1}',
            "Dead letter target does not exist.",
        ),
        (
            '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:a.fifo", "maxReceiveCount": 1}',
            "same type of queue",
        ),
        ("[]", "must be a JSON object"),
    ],
)
async def test_policies_that_lead_nowhere_are_refused(queues: Queues, policy: str, words: str) -> None:
    await queues.make("dead")
    await queues.make("a.fifo")
    refused = await queues.refused("CreateQueue", QueueName="source", Attributes={"RedrivePolicy": policy})
    assert words in refused.message


async def test_a_queue_may_refuse_to_be_a_dead_letter_queue(queues: Queues) -> None:
    allow = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [queues.arn("friend")]})
    await queues.make("dead", RedriveAllowPolicy=allow)
    refused = await queues.refused(
        "CreateQueue", QueueName="stranger", Attributes={"RedrivePolicy": redrive(queues, "dead")}
    )
    assert "does not allow it" in refused.message
    await queues.make("friend", RedrivePolicy=redrive(queues, "dead", "3"))
    url = f"{queues.context.endpoint}/000000000000/dead"
    reply = await queues.call("ListDeadLetterSourceQueues", QueueUrl=url)
    assert [each.rpartition("/")[2] for each in reply["queueUrls"]] == ["friend"]


async def filled(queues: Queues, count: int) -> tuple[str, str]:
    """A source and its dead-letter queue, which holds so many."""
    dead = await queues.make("dead")
    url = await queues.make("source", RedrivePolicy=redrive(queues, "dead", 1))
    for number in range(count):
        await queues.send(url, str(number))
    await exhaust(queues, url, 2)
    assert await queues.counts(dead) == (count, 0, 0)
    return url, dead


async def test_a_move_task_brings_messages_back_as_new_ones(queues: Queues) -> None:
    url, dead = await filled(queues, 5)
    reply = await queues.call("StartMessageMoveTask", SourceArn=queues.arn("dead"))
    again = await queues.refused("StartMessageMoveTask", SourceArn=queues.arn("dead"))
    assert "already a task running" in again.message
    task_id = await only_task(queues)
    assert await queues.service.move_tasks.step(task_id, 3)
    (shown,) = (await queues.call("ListMessageMoveTasks", SourceArn=queues.arn("dead")))["Results"]
    assert shown["TaskHandle"] == reply["TaskHandle"]
    assert (shown["Status"], shown["ApproximateNumberOfMessagesMoved"]) == ("RUNNING", 3)
    # Another process goes on where this one was.
    heir = QueuesService(queues.store, queues.clock).move_tasks
    assert await heir.step(task_id, 3)
    assert not await heir.step(task_id, 3)
    assert not await heir.step(task_id, 3)
    (shown,) = (await queues.call("ListMessageMoveTasks", SourceArn=queues.arn("dead")))["Results"]
    assert (shown["Status"], shown["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 5)
    assert "TaskHandle" not in shown
    found = await queues.receive(url, MessageSystemAttributeNames=["All"])
    assert sorted(message["Body"] for message in found) == list("01234")
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in found} == {"1"}
    assert await queues.counts(dead) == (0, 0, 0)


async def only_task(queues: Queues) -> str:
    row = await queues.store.read(lambda reader: reader.one("SELECT id FROM queues_move_task"))
    assert row is not None
    return str(row[0])


async def test_a_cancelled_move_task_leaves_the_rest(queues: Queues) -> None:
    await queues.make("elsewhere")
    _, dead = await filled(queues, 4)
    destination = queues.arn("elsewhere")
    reply = await queues.call("StartMessageMoveTask", SourceArn=queues.arn("dead"), DestinationArn=destination)
    task_id = await only_task(queues)
    await queues.service.move_tasks.step(task_id, 1)
    cancelled = await queues.call("CancelMessageMoveTask", TaskHandle=reply["TaskHandle"])
    assert cancelled == {"ApproximateNumberOfMessagesMoved": 1}
    assert not await queues.service.move_tasks.step(task_id, 1)
    assert await queues.counts(dead) == (3, 0, 0)
    refused = await queues.refused("CancelMessageMoveTask", TaskHandle=reply["TaskHandle"])
    assert refused.message == "Only active tasks can be cancelled."


async def test_a_move_task_fails_with_the_reason_and_moves_nothing(queues: Queues) -> None:
    url, dead = await filled(queues, 1)
    await queues.call("StartMessageMoveTask", SourceArn=queues.arn("dead"))
    await queues.call("DeleteQueue", QueueUrl=url)
    assert not await queues.service.move_tasks.step(await only_task(queues), 1)
    (shown,) = (await queues.call("ListMessageMoveTasks", SourceArn=queues.arn("dead")))["Results"]
    assert (shown["Status"], shown["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    assert await queues.counts(dead) == (1, 0, 0)


async def test_move_tasks_are_for_dead_letter_queues_that_exist(queues: Queues) -> None:
    await queues.make("plain")
    refused = await queues.refused("StartMessageMoveTask", SourceArn=queues.arn("plain"))
    assert refused.message == "Source queue must be configured as a Dead Letter Queue."
    refused = await queues.refused("StartMessageMoveTask", SourceArn=queues.arn("gone"))
    assert (refused.code, refused.status) == ("ResourceNotFoundException", 404)
    refused = await queues.refused("CancelMessageMoveTask", TaskHandle="nonsense")
    assert refused.message == "Value for parameter TaskHandle is invalid."
