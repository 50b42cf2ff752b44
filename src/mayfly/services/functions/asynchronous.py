"""Accepting asynchronous invocations: each becomes an item of the ready queue and the row of a task, in one commit.

Which queue says whose it is (`tasks.lanes`), its place there what goes first (`policy.ranks`). What callers hand in one
by one is written many at a time: while one commit is on its way to the disk, the next events gather. `tasks.dispatcher`
takes them from there.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.policy.ranks import rank
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.tasks import book
from mayfly.services.functions.tasks.gathering import Gathering
from mayfly.services.functions.tasks.lanes import Lanes, lane_of
from mayfly.services.ports import MetricCounts
from mayfly.store.api import NewItem, ReadyQueue, Store, Tx

# Events under way at once, for each processor of this machine and at least. They share its processors, unlike on AWS:
# with no bound, a burst of events that compute would make each of them too slow for its timeout.
EVENTS_PER_CPU = 4
LEAST_EVENTS = 16

PRESSING = 8  # events in one body of the store
PRESSED_S = 0.05

_encode = msgspec.msgpack.Encoder().encode


def default_concurrency(cpu_count: int) -> int:
    """How many events run at once on a machine with so many processors."""
    return max(LEAST_EVENTS, EVENTS_PER_CPU * cpu_count)


class EventQueue:
    """Puts events into the ready queue, as part of the caller's transaction."""

    def __init__(
        self,
        queue: ReadyQueue,
        lanes: Lanes,
        home: Home,
        clock: Clock,
        counts: MetricCounts,
        deadline: Callable[[float], None],
    ) -> None:
        """`deadline` is called with when a task must have begun, once it is accepted."""
        self._queue = queue
        self._lanes = lanes
        self._home = home
        self._clock = clock
        self._counts = counts
        self._deadline = deadline
        self._ids = ids.RequestIds()

    def now(self) -> float:
        """The time at which an event is accepted."""
        return self._clock.now()

    def put(self, tx: Tx, event: AsyncEvent) -> None:
        """Let `event` be delivered once the transaction is durable."""
        self.put_all(tx, (event,))

    def put_all(self, tx: Tx, events: Sequence[AsyncEvent]) -> None:
        """`put` for many."""
        items = self.enqueue(tx, events)
        book.accept(tx, items, events)
        received = Counter(event.name for event in events)
        tx.after_commit(lambda: self._received(received))
        deadlines = [event.deadline for event in events if event.deadline is not None]
        if deadlines:
            tx.after_commit(lambda: self._deadline(min(deadlines)))

    def enqueue(self, tx: Tx, events: Sequence[AsyncEvent]) -> list[int]:
        """The items of events whose tasks are there already, or will be."""
        new = [
            NewItem(
                lane_of(event.name, event.sharer),
                _encode(event),
                priority=rank(event.priority, event.accepted_at),
            )
            for event in events
        ]
        queues = {item.queue for item in new}
        tx.after_commit(lambda: self._woken(queues))
        return self._queue.enqueue(tx, new)

    def put_new(self, tx: Tx, target: Reference, payload: bytes, trace_id: str | None = None) -> None:
        """Accept a fresh event for a function, version or alias, by a caller inside the platform."""
        arn = self._home.arn(target.name, target.qualifier)
        event = AsyncEvent(
            self._ids.next(),
            target.name,
            arn,
            payload,
            self._clock.now(),
            trace_id=trace_id,
            qualifier=target.qualifier,
        )
        self.put(tx, event)

    def _woken(self, queues: set[str]) -> None:
        for queue in queues:
            self._lanes.woken(queue)

    def _received(self, received: Counter[str]) -> None:
        for name, count in received.items():
            self._counts.count("AsyncEventsReceived", (), count)
            self._counts.count("AsyncEventsReceived", (("FunctionName", name),), count)


class EventIntake:
    """Accepts events that callers hand in by themselves."""

    def __init__(self, store: Store, events: EventQueue, clock: Clock) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._gathering: Gathering[AsyncEvent, None] = Gathering(self._write)
        self._pressed_until = 0.0

    def now(self) -> float:
        """The time at which an event is accepted."""
        return self._clock.now()

    async def accept(self, event: AsyncEvent) -> None:
        """Returns once the event is durable, and will be delivered."""
        await self._gathering.add(event)

    def pressed(self) -> bool:
        """Whether events come faster than a few a commit."""
        return asyncio.get_running_loop().time() < self._pressed_until

    async def _write(self, events: Sequence[AsyncEvent]) -> Sequence[None]:
        if len(events) >= PRESSING:
            self._pressed_until = asyncio.get_running_loop().time() + PRESSED_S
        await self._store.write(lambda tx: self._events.put_all(tx, events))
        return [None] * len(events)
