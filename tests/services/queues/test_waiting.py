"""Long polls on a real store: they end with a message, in time, or with their client."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from mayfly.clock import SystemClock
from mayfly.services.queues.model import QueueKey
from mayfly.services.queues.service import QueuesService
from mayfly.store.sqlite import SqliteStore
from tests.services.queues.conftest import Queues

PATIENCE_S = 10


@pytest.fixture
async def queues(open_store: Any) -> Queues:
    """In real time."""
    clock = SystemClock()
    store: SqliteStore = await open_store("mayfly.services.queues")
    return Queues(QueuesService(store, clock), store, clock)  # type: ignore[arg-type]  # never moved by hand


async def waiting(queues: Queues, count: int, name: str = "things") -> None:
    """Return when so many receivers stand in line."""
    key = QueueKey(queues.context.account, queues.context.region, name)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await asyncio.sleep(0)
            if queues.service.board.waiting(key) >= count:
                return


class Leaving:
    """A client that goes away when it is told to."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def when_gone(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def go(self) -> None:
        for callback in self._callbacks:
            callback()


async def test_each_message_sent_wakes_one_receiver(queues: Queues) -> None:
    url = await queues.make()
    receivers = [asyncio.create_task(queues.bodies(url, 1, WaitTimeSeconds=20)) for _ in range(5)]
    await waiting(queues, 5)
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(5)]
    await queues.call("SendMessageBatch", QueueUrl=url, Entries=entries)
    async with asyncio.timeout(PATIENCE_S):
        found = await asyncio.gather(*receivers)
    assert sorted(body for bodies in found for body in bodies) == list("01234")


async def test_a_receiver_wakes_when_a_delay_or_a_visibility_timeout_ends(queues: Queues) -> None:
    url = await queues.make()
    await queues.send(url, "late", DelaySeconds=1)
    async with asyncio.timeout(PATIENCE_S):
        assert await queues.bodies(url, WaitTimeSeconds=20, VisibilityTimeout=1) == ["late"]
        assert await queues.bodies(url, WaitTimeSeconds=20) == ["late"]


async def test_receivers_wake_for_what_falls_due_after_what_others_got(queues: Queues) -> None:
    url = await queues.make()
    receivers = [asyncio.create_task(queues.bodies(url, 10, WaitTimeSeconds=20)) for _ in range(2)]
    await waiting(queues, 2)
    await queues.send(url, "soon", DelaySeconds=1)
    await queues.send(url, "later", DelaySeconds=2)
    async with asyncio.timeout(PATIENCE_S):
        assert sorted(await asyncio.gather(*receivers)) == [["later"], ["soon"]]


async def test_a_receiver_wakes_when_the_group_it_could_have_is_free(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    for body in ("one", "two"):
        await queues.send(url, body, MessageGroupId="a", MessageDeduplicationId=body)
    (first,) = await queues.receive(url, 1)
    receiver = asyncio.create_task(queues.bodies(url, WaitTimeSeconds=20))
    await waiting(queues, 1, "a.fifo")
    await queues.delete(url, first)
    async with asyncio.timeout(PATIENCE_S):
        assert await receiver == ["two"]


async def test_a_receiver_whose_client_leaves_takes_nothing_and_makes_room(queues: Queues) -> None:
    url = await queues.make()
    leaving = Leaving()
    other = msgspec.structs.replace(queues.context, client=leaving)
    request = {"QueueUrl": url, "WaitTimeSeconds": 20}
    receive: Callable[..., Coroutine[Any, Any, Any]] = queues.service.operations["ReceiveMessage"]  # type: ignore[assignment]
    gone = asyncio.create_task(receive(other, request))
    await waiting(queues, 1)
    staying = asyncio.create_task(queues.bodies(url, WaitTimeSeconds=20))
    await waiting(queues, 2)
    leaving.go()
    async with asyncio.timeout(PATIENCE_S):
        assert await gone == {}
        await queues.send(url, "one")
        assert await staying == ["one"]


async def test_receivers_that_wait_are_answered_when_the_platform_stops_and_lose_nothing(queues: Queues) -> None:
    url = await queues.make()
    receivers = [asyncio.create_task(queues.bodies(url, WaitTimeSeconds=20)) for _ in range(3)]
    await waiting(queues, 3)
    queues.service.dismiss()
    async with asyncio.timeout(PATIENCE_S):
        assert await asyncio.gather(*receivers) == [[], [], []]
        await queues.send(url, "later")
        assert await queues.bodies(url, WaitTimeSeconds=20) == ["later"]


async def test_receivers_learn_that_their_queue_is_gone(queues: Queues) -> None:
    url = await queues.make()
    receiver = asyncio.create_task(queues.refused("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
    await waiting(queues, 1)
    await queues.call("DeleteQueue", QueueUrl=url)
    async with asyncio.timeout(PATIENCE_S):
        assert (await receiver).code == "QueueDoesNotExist"


async def test_the_queue_may_say_how_long_to_wait(queues: Queues) -> None:
    url = await queues.make(ReceiveMessageWaitTimeSeconds="20")
    receiver = asyncio.create_task(queues.call("ReceiveMessage", QueueUrl=url))
    await waiting(queues, 1)
    await queues.send(url, "one")
    async with asyncio.timeout(PATIENCE_S):
        assert (await receiver)["Messages"][0]["Body"] == "one"
