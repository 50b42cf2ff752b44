"""Queues as sources: received, held and deleted from inside the platform."""

import asyncio

import pytest

from mayfly.services.contract import ServiceError
from tests.services.queues.conftest import ACCOUNT, Queues

ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:things"


async def test_messages_are_received_with_all_their_attributes(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="40")
    await queues.send(url, "one", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    assert await queues.service.source.visibility_s(ARN) == 40
    (message,) = await queues.service.source.receive(ARN, 100, 0)
    assert message.shown["Body"] == "one"
    assert message.shown["MessageAttributes"]["a"]["StringValue"] == "b"
    assert message.shown["Attributes"]["ApproximateReceiveCount"] == "1"
    assert await queues.service.source.receive(ARN, 100, 0) == []


async def test_more_than_ten_are_received_at_once(queues: Queues) -> None:
    url = await queues.make()
    for number in range(25):
        await queues.send(url, str(number))
    assert len(await queues.service.source.receive(ARN, 100, 0)) == 25


async def test_a_deletion_is_part_of_a_transaction_and_counted(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="10")
    for number in range(3):
        await queues.send(url, str(number))
    source = queues.service.source
    handles = [message.handle for message in await source.receive(ARN, 10, 0)]
    assert await queues.store.write(lambda tx: source.delete(tx, ARN, handles[:1])) == 1
    queues.clock.advance(11)
    assert len(await source.receive(ARN, 10, 0)) == 2
    assert await queues.store.write(lambda tx: source.delete(tx, ARN, handles)) == 0  # others hold them now


async def test_messages_are_held_longer_or_given_back(queues: Queues) -> None:
    url = await queues.make(VisibilityTimeout="10")
    await queues.send(url, "one")
    source = queues.service.source
    (message,) = await source.receive(ARN, 10, 0)
    assert await queues.store.write(lambda tx: source.hold(tx, ARN, [message.handle], 100)) == 1
    queues.clock.advance(50)
    assert await source.receive(ARN, 10, 0) == []
    await queues.store.write(lambda tx: source.hold(tx, ARN, [message.handle], 0))
    assert len(await source.receive(ARN, 10, 0)) == 1


async def test_a_receiver_that_waits_is_woken(queues: Queues) -> None:
    url = await queues.make()
    waiting = asyncio.create_task(queues.service.source.receive(ARN, 10, 20))
    await queues.service.source.visibility_s(ARN)  # by then the receiver has looked
    await queues.send(url, "late")
    assert [message.shown["Body"] for message in await waiting] == ["late"]


async def test_what_is_not_there_is_no_source(queues: Queues) -> None:
    with pytest.raises(ServiceError):
        await queues.service.source.receive(ARN, 10, 0)
    with pytest.raises(ServiceError):
        await queues.service.source.visibility_s(ARN)


async def test_messages_that_nobody_looked_at_are_given_back_as_if_they_had_not_been_received(queues: Queues) -> None:
    url = await queues.make()
    await queues.send(url, "one")
    await queues.send(url, "two")
    source = queues.service.source
    one, two = await source.receive(ARN, 10, 0)
    assert await queues.store.write(lambda tx: source.give_back(tx, ARN, [one.handle])) == 1
    assert await queues.store.write(lambda tx: source.give_back(tx, ARN, [one.handle])) == 0
    assert await queues.counts(url) == (1, 1, 0)
    (again,) = await source.receive(ARN, 10, 0)
    assert again.shown["Attributes"]["ApproximateReceiveCount"] == "1"
    assert await queues.store.write(lambda tx: source.delete(tx, ARN, [again.handle, two.handle])) == 2
    assert await queues.counts(url) == (0, 0, 0)


async def test_a_group_goes_on_with_what_was_given_back(queues: Queues) -> None:
    url = await queues.make("things.fifo", ContentBasedDeduplication="true")
    for body in ("one", "two"):
        await queues.send(url, body, MessageGroupId="g")
    source, arn = queues.service.source, f"{ARN}.fifo"
    first = await source.receive(arn, 1, 0)
    assert await source.receive(arn, 10, 0) == []
    await queues.store.write(lambda tx: source.give_back(tx, arn, [message.handle for message in first]))
    assert [message.shown["Body"] for message in await source.receive(arn, 10, 0)] == ["one", "two"]


async def test_nothing_is_held_for_a_receiver_that_is_cancelled(queues: Queues) -> None:
    url = await queues.make()
    source = queues.service.source
    for turns in range(40):  # wherever it is by then
        await queues.send(url, str(turns))
        receiving = asyncio.create_task(source.receive(ARN, 10, 20))
        for _ in range(turns):
            await asyncio.sleep(0)
        if receiving.cancel():
            with pytest.raises(asyncio.CancelledError):
                await receiving
            visible, held, _ = await queues.counts(url)
            assert (visible, held) == (1, 0)
        (message,) = await source.receive(ARN, 10, 0) if receiving.cancelled() else receiving.result()
        assert message.shown["Attributes"]["ApproximateReceiveCount"] == "1"
        await queues.store.write(lambda tx, handle=message.handle: source.delete(tx, ARN, [handle]))  # type: ignore[misc]
