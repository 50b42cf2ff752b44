"""Queues as targets of events and of other services, within their transactions."""

import json
from dataclasses import replace

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.ports import MessageAttribute, QueueMessage, Source, TargetOptions
from mayfly.store.api import Tx
from tests.services.queues.conftest import Queues


async def test_an_event_is_a_message_of_the_sources_transaction(queues: Queues) -> None:
    url = await queues.make()
    targets = queues.service.event_targets
    await targets.check(queues.arn("things"), "events.amazonaws.com", "arn:aws:events:r:a:rule/x", "000000000000")
    await queues.store.write(lambda tx: targets.accept(tx, queues.arn("things"), b'{"a": 1}'))
    (message,) = await queues.receive(url, MessageSystemAttributeNames=["SenderId"])
    assert message["Body"] == '{"a": 1}'
    assert message["Attributes"]["SenderId"]

    def undone(tx: Tx) -> None:
        targets.accept(tx, queues.arn("things"), b"{}")
        raise ServiceError("No", "no")

    with pytest.raises(ServiceError, match="No"):
        await queues.store.write(undone)
    assert await queues.bodies(url) == []


async def test_a_fifo_queue_needs_a_group_and_takes_what_it_is_told(queues: Queues) -> None:
    url = await queues.make("a.fifo", ContentBasedDeduplication="true")
    arn, targets = queues.arn("a.fifo"), queues.service.event_targets
    with pytest.raises(ServiceError, match="MessageGroupId"):
        await queues.store.write(lambda tx: targets.accept(tx, arn, b"{}"))
    for _ in range(2):
        await queues.store.write(lambda tx: targets.accept(tx, arn, b"{}", TargetOptions("g")))
    (message,) = await queues.receive(url, MessageSystemAttributeNames=["MessageGroupId"])
    assert message["Attributes"] == {"MessageGroupId": "g"}


async def test_a_message_of_another_service_keeps_its_attributes(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    attributes = {"n": MessageAttribute("Number", "1"), "b": MessageAttribute("Binary", b"\x00")}
    message = QueueMessage(
        "hello", attributes, group_id="g", deduplication_id="d", trace_header="Root=1", sender_id="me"
    )
    sink = queues.service.sink
    first = await queues.store.write(lambda tx: sink.send(tx, queues.arn("a.fifo"), message))
    second = await queues.store.write(lambda tx: sink.send(tx, queues.arn("a.fifo"), message))
    assert first == second
    (found,) = await queues.receive(url, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"])
    assert (found["MessageId"], found["Attributes"]["SequenceNumber"]) == (first.message_id, first.sequence_number)
    assert found["MessageAttributes"] == {
        "n": {"DataType": "Number", "StringValue": "1"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    assert (found["Attributes"]["SenderId"], found["Attributes"]["AWSTraceHeader"]) == ("me", "Root=1")


async def test_what_is_not_there_or_denies_it_gets_nothing(queues: Queues) -> None:
    targets = queues.service.event_targets
    for arn in (queues.arn("nothing"), "arn:aws:sns:us-east-1:000000000000:topic", "nonsense"):
        with pytest.raises(ServiceError, match="QueueDoesNotExist"):
            await targets.check(arn, "sns.amazonaws.com", "", "")
    deny = {
        "Effect": "Deny",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:*",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:000000000000:friend"}},
    }
    await queues.make("things", Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    arn = queues.arn("things")
    await targets.check(arn, "sns.amazonaws.com", "arn:aws:sns:us-east-1:000000000000:friend", "000000000000")
    await targets.check(arn, "events.amazonaws.com", "arn:aws:events:us-east-1:000000000000:rule/x", "000000000000")
    with pytest.raises(ServiceError, match="AccessDenied"):
        await targets.check(arn, "sns.amazonaws.com", "arn:aws:sns:us-east-1:000000000000:foe", "000000000000")
    foe = Source("sns.amazonaws.com", "arn:aws:sns:us-east-1:000000000000:foe", "000000000000")
    with pytest.raises(ServiceError, match="AccessDenied"):  # also when it was denied after it was configured
        await queues.store.write(lambda tx: targets.accept(tx, arn, b"{}", TargetOptions(on_behalf_of=foe)))
    friend = replace(foe, arn="arn:aws:sns:us-east-1:000000000000:friend")
    await queues.store.write(lambda tx: targets.accept(tx, arn, b"{}", TargetOptions(on_behalf_of=friend)))
