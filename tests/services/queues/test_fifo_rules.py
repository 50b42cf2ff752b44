"""FIFO queues under any sequence of operations, and with several receivers at once, held against their rules."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.services.queues.service import QueuesService
from mayfly.store.sqlite import SqliteStore
from tests.services.queues.conftest import Queues
from tests.services.queues.fifo_rules import Rules

VISIBILITY_S = 10

Step = tuple[Any, ...]
groups = st.sampled_from("abc")
steps = st.one_of(
    st.tuples(st.just("send"), groups, st.integers(0, 8)),
    st.tuples(st.just("send batch"), st.lists(groups, min_size=1, max_size=10)),
    st.tuples(st.just("receive"), st.integers(1, 10), st.sampled_from([0, 5, VISIBILITY_S])),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(st.just("hide"), st.integers(0, 30), st.sampled_from([0, 3, 30])),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 10, 200])),
)


class Scenario:
    """One queue and its rules."""

    def __init__(self, queues: Queues, url: str) -> None:
        self.queues = queues
        self.url = url
        self.rules = Rules()
        self.handles: dict[str, tuple[str, float]] = {}  # the last of each message, and when its time is over
        self.number = 0

    @property
    def now(self) -> float:
        return self.queues.clock.now()

    async def take(self, step: Step) -> None:
        kind, *arguments = step
        await getattr(self, kind.replace(" ", "_"))(*arguments)
        assert await self.queues.counts(self.url) == self.rules.counts(self.now)

    async def send(self, group: str, deduplication: int) -> None:
        self.number += 1
        body, id_ = f"m{self.number}", f"d{deduplication}"
        await self.queues.send(self.url, body, MessageGroupId=group, MessageDeduplicationId=id_)
        self.rules.sent(body, group, id_, self.now)

    async def send_batch(self, names: Sequence[str]) -> None:
        entries = []
        for group in names:
            self.number += 1
            body = f"m{self.number}"
            common = {"MessageBody": body, "MessageDeduplicationId": f"own{self.number}", "MessageGroupId": group}
            entries.append({"Id": body, **common})
            self.rules.sent(body, group, f"own{self.number}", self.now)
        await self.queues.call("SendMessageBatch", QueueUrl=self.url, Entries=entries)

    async def receive(self, count: int, visibility_s: int) -> list[str]:
        found = await self.queues.receive(self.url, count, VisibilityTimeout=visibility_s)
        bodies = [message["Body"] for message in found]
        until = self.now + visibility_s
        self.rules.delivered(bodies, count, self.now, until)
        self.handles |= {message["Body"]: (message["ReceiptHandle"], until) for message in found}
        return bodies

    def _held(self, number: int) -> tuple[str, str] | None:
        """A message whose handle works, and the handle."""
        valid = [(body, handle) for body, (handle, until) in self.handles.items() if until > self.now]
        return valid[number % len(valid)] if valid else None

    async def delete(self, number: int) -> None:
        if (held := self._held(number)) is not None:
            body, handle = held
            await self.queues.call("DeleteMessage", QueueUrl=self.url, ReceiptHandle=handle)
            self.rules.deleted(body)
            del self.handles[body]

    async def hide(self, number: int, seconds: int) -> None:
        if (held := self._held(number)) is not None:
            body, handle = held
            await self.queues.call(
                "ChangeMessageVisibility", QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=seconds
            )
            self.rules.held(body, self.now + seconds)
            self.handles[body] = (handle, self.now + seconds)

    async def wait(self, seconds: int) -> None:
        self.queues.clock.advance(seconds)

    async def drain(self) -> None:
        """Everything that was sent and not deleted comes, in order."""
        await self.wait(1000)
        while self.rules.messages:
            bodies = await self.receive(10, VISIBILITY_S)
            assert bodies, "something never comes"
            for body in bodies:
                await self.queues.call("DeleteMessage", QueueUrl=self.url, ReceiptHandle=self.handles.pop(body)[0])
                self.rules.deleted(body)
        assert await self.receive(10, VISIBILITY_S) == []


async def scenario(script: Sequence[Step]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        clock = ManualClock()
        store = await SqliteStore.open(Path(directory) / "mayfly.db", ["mayfly.services.queues"], clock)
        queues = Queues(QueuesService(store, clock), store, clock)
        played = Scenario(queues, await queues.make("a.fifo", VisibilityTimeout=str(VISIBILITY_S)))
        try:
            for step in script:
                await played.take(step)
            await played.drain()
            assert await queues.rows("queues_group") == 0
        finally:
            await store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=5, max_size=40))
def test_no_message_overtakes_comes_twice_at_a_time_or_gets_lost(script: list[Step]) -> None:
    asyncio.run(scenario(script))


async def test_many_receivers_at_once_keep_each_groups_order(queues: Queues) -> None:
    url = await queues.make("a.fifo")
    for number in range(60):
        group = "abcdef"[number % 6]
        await queues.send(url, f"{group}{number:02}", MessageGroupId=group, MessageDeduplicationId=str(number))
    order: list[str] = []

    async def consume() -> None:
        while len(order) < 60:
            for message in await queues.receive(url, 2):
                order.append(message["Body"])
                await asyncio.sleep(0)
                await queues.delete(url, message)

    await asyncio.gather(*(consume() for _ in range(8)))
    assert len(set(order)) == 60
    for group in "abcdef":
        mine = [body for body in order if body[0] == group]
        assert mine == sorted(mine)
