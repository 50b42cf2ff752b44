"""Queues as sources: messages are held for their visibility timeout, deleted when the function took them, and come
again by the queue's own rules when it did not, until its redrive policy moves them away.

In FIFO queues the messages of a group are done in their order: the queue hands out nothing of a group of which
something is held, and what follows a message that failed, in its group and batch, failed with it.
"""

import logging
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from mayfly.clock import Clock
from mayfly.services.functions import recursion
from mayfly.services.functions.mappings import queue_records, responses
from mayfly.services.functions.mappings.drivers import Batch, Meter, Ran, Record, fitting, payload
from mayfly.services.functions.mappings.filters import Filter
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.ports import HeldMessage, QueueSource
from mayfly.store.api import Store

AT_ONCE: Final = 500  # messages of one transaction
_SPARE_S: Final = 1.0  # before messages become visible, no call is begun with them any more

_log = logging.getLogger(__name__)


class QueueDriver:
    """A `Driver`; see the module."""

    def __init__(
        self, mapping: Mapping, queues: QueueSource, store: Store, clock: Clock, criteria: Filter, meter: Meter
    ) -> None:
        self._mapping = mapping
        self._arn = mapping.source
        self._region = mapping.source.split(":")[3]
        self._function = ":".join(mapping.function.split(":")[:7])
        self._queues = queues
        self._store = store
        self._clock = clock
        self._filter = criteria
        self._meter = meter
        self._visibility_s = 30
        self._window_s = float(mapping.window_s or 0)
        self._gathered: list[Record] = []
        self._since = 0.0  # when the first of them came, by the monotonic clock

    async def open(self) -> None:
        self._visibility_s = await self._queues.visibility_s(self._arn)

    async def poll(self, most: int, wait_s: float) -> Sequence[Batch]:
        if self._window_s:
            return await self._gather(most, wait_s)
        size = self._mapping.batch_size
        if self._mapping.fifo:  # what is received at once may be of one group, and then goes into one batch
            return self._batches(await self._receive(size, wait_s))
        return self._batches(await self._receive(min(size * most, AT_ONCE), wait_s))

    async def settle(self, batch: Batch, ran: Ran) -> int:
        kept = self._failed(batch, ran)
        done = [record for record in batch.records if record.id not in kept]
        if done:
            await self._delete(done)
        return len(kept)

    async def give_back(self, batch: Batch) -> None:
        await self._give_back(batch.records)

    async def release(self, batch: Batch) -> None:
        """Messages become visible when their time is over."""

    async def close(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            await self._give_back(gathered)

    def _failed(self, batch: Batch, ran: Ran) -> frozenset[str]:
        ids = [record.id for record in batch.records]
        if ran.failed:
            return frozenset(ids)
        failed = responses.failures(ran.answer, ids) if self._mapping.reports_failures else frozenset[str]()
        return _with_followers(batch.records, failed) if self._mapping.fifo and failed else failed

    async def _receive(self, most: int, wait_s: float) -> list[Record]:
        """Messages that pass the filter; the others are deleted."""
        found = await self._queues.receive(self._arn, most, wait_s)
        if not found:
            return []
        self._meter.add("PolledEventCount", len(found))
        if not self._filter:
            return [self._record(message) for message in found]
        passed: list[Record] = []
        dropped: list[Record] = []
        for message in found:
            kept = self._filter.passes(partial(queue_records.matched, message.shown, self._arn, self._region))
            (passed if kept else dropped).append(self._record(message))
        if dropped:
            self._meter.add("FilteredOutEventCount", len(dropped))
            await self._delete(dropped)
        return passed

    def _record(self, message: HeldMessage) -> Record:
        shown = message.shown
        group = shown.get("Attributes", {}).get("MessageGroupId") if self._mapping.fifo else None
        trace = shown.get("Attributes", {}).get("AWSTraceHeader")
        encoded = queue_records.encoded(shown, self._arn, self._region)
        return Record(shown["MessageId"], encoded, message.handle, group, trace)

    async def _gather(self, most: int, wait_s: float) -> Sequence[Batch]:
        """Full batches as soon as there are any; what is left when the window is over, as it is."""
        size = self._mapping.batch_size
        until = self._clock.monotonic() + wait_s
        while True:
            now = self._clock.monotonic()
            ends = self._since + self._window_s if self._gathered else math.inf
            if ends <= now:
                records, self._gathered = self._gathered, []
                return await self._anew(self._batches(records))
            wanted = min(AT_ONCE, size * most - len(self._gathered))
            more = await self._receive(wanted, max(0.0, min(ends, until) - now))
            if not more:
                if until <= self._clock.monotonic():
                    return ()
                continue
            if not self._gathered:
                self._since = self._clock.monotonic()
            self._gathered += more
            parts = fitting(self._gathered, size, _size)
            full = parts if len(parts[-1]) == size else parts[:-1]
            self._gathered = [record for part in parts[len(full) :] for record in part]
            if self._gathered:
                if full:
                    self._since = self._clock.monotonic()
                await self._hold(self._gathered, self._visibility_s + math.ceil(self._window_s))
            if full:
                return [self._batch(part) for part in full]

    async def _anew(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        """Let the visibility timeout begin with the call, not with the window."""
        for batch in batches:
            await self._hold(batch.records, self._visibility_s)
        return batches

    def _batches(self, records: Sequence[Record]) -> list[Batch]:
        return [self._batch(part) for part in fitting(records, self._mapping.batch_size, _size)]

    def _batch(self, records: Sequence[Record]) -> Batch:
        held_until = self._clock.monotonic() + self._visibility_s - _SPARE_S
        trace = recursion.deepest((record.trace for record in records), self._function)
        return Batch(records, payload(records), held_until, name=records[0].id, trace=trace)

    async def _delete(self, records: Sequence[Record]) -> None:
        """In one transaction. What is held no more was received again, and comes again."""
        handles = [record.handle for record in records]
        deleted = await self._store.write(lambda tx: self._queues.delete(tx, self._arn, handles))
        self._meter.add("DeletedEventCount", deleted)
        if deleted < len(handles):
            _log.info("%d messages of %s were held no more when they were done", len(handles) - deleted, self._arn)

    async def _give_back(self, records: Sequence[Record]) -> None:
        """Nobody has seen them: that they were received does not count."""
        handles = [record.handle for record in records]
        await self._store.write(lambda tx: self._queues.give_back(tx, self._arn, handles))

    async def _hold(self, records: Sequence[Record], visibility_s: int) -> None:
        handles: list[Any] = [record.handle for record in records]
        await self._store.write(lambda tx: self._queues.hold(tx, self._arn, handles, visibility_s))


def _size(record: Record) -> int:
    return len(record.encoded)


def _with_followers(records: Sequence[Record], failed: frozenset[str]) -> frozenset[str]:
    """What failed, and what follows it in its group."""
    broken: set[str | None] = set()
    kept = set(failed)
    for record in records:
        if record.lane in broken:
            kept.add(record.id)
        elif record.id in failed:
            broken.add(record.lane)
    return frozenset(kept)
