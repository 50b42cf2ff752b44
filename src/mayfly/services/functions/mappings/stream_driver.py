"""Streams as sources: shards that are read in order, from a place that is remembered.

Shards are read ahead into lanes (`shards`, `lanes`). A batch of each lane is under way at a time, and what follows its
result is decided by `policy.stream_batches`. The decision, the description of what was given up and the new checkpoint
are one commit.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from mayfly.clock import Clock
from mayfly.policy import stream_batches
from mayfly.policy.retry import backoff
from mayfly.policy.stream_batches import Next, Piece, Reason, Rules
from mayfly.services.functions.mappings import checkpoints, responses, tumbling
from mayfly.services.functions.mappings.checkpoints import Checkpoint
from mayfly.services.functions.mappings.discarding import Discarded, Discards
from mayfly.services.functions.mappings.drivers import Batch, Meter, Ran, Record
from mayfly.services.functions.mappings.filters import Filter
from mayfly.services.functions.mappings.lanes import Formed, Lane, Sizes
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.shapes import Shape
from mayfly.services.functions.mappings.shards import FIRST_RETRY_S, LONGEST_RETRY_S, Shards
from mayfly.services.ports import ShardSource
from mayfly.store.api import StaleClaimError, Store, Tx

_PAUSE_S: Final = 1.0
_USUAL_S: Final = MappingProxyType({"msk": 0.5, "kafka": 0.5})  # that batches are gathered where nobody said how long

_log = logging.getLogger(__name__)


class Follower(Protocol):
    """Whoever wants to know how far shards are."""

    def done(self, shard: str, sequence: int) -> None:
        """Nothing up to `sequence` comes again."""

    async def close(self) -> None:
        """Nothing more will be done."""


class Nobody:
    """A `Follower` that does not care."""

    def done(self, shard: str, sequence: int) -> None: ...

    async def close(self) -> None: ...


class StreamDriver:
    """A `Driver`; see the module."""

    def __init__(
        self,
        mapping: Mapping,
        source: ShardSource,
        shape: Shape,
        store: Store,
        clock: Clock,
        criteria: Filter,
        meter: Meter,
        discards: Discards,
        follower: Follower | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._mapping = mapping
        self._shape = shape
        self._store = store
        self._clock = clock
        self._meter = meter
        self._discards = discards
        self._follower: Follower = follower or Nobody()
        self._jitter = jitter
        self._rules = Rules(mapping.bisects, mapping.max_retries, mapping.max_age_s)
        window_s = _USUAL_S.get(mapping.kind, 0.0) if mapping.window_s is None else float(mapping.window_s)
        sizes = Sizes(mapping.batch_size, window_s, mapping.tumbling_s)
        self._shards = Shards(mapping, source, shape, store, clock, criteria, meter, sizes, jitter)
        self._next = 0  # the lane that is asked first

    async def open(self) -> None:
        await self._shards.open()

    async def poll(self, most: int, wait_s: float) -> Sequence[Batch]:
        until = self._clock.monotonic() + wait_s
        while True:
            self._shards.stirred.clear()
            self._shards.raise_error()
            batches, again_at = await self._form(most)
            now = self._clock.monotonic()
            if batches or now >= until:
                return batches
            try:
                async with asyncio.timeout(max(0.0, min(again_at, until) - now)):
                    await self._shards.stirred.wait()
            except TimeoutError:
                continue

    async def settle(self, batch: Batch, ran: Ran) -> int:
        formed: Formed = batch.context
        lane = formed.lane
        try:
            failed_at, window = self._judged(formed, ran)
            if formed.final:
                return await self._settle_final(formed, ran, failed=failed_at is not None)
            found = stream_batches.after(len(formed.records), failed_at, formed.attempts, self._rules)
            await self._settle(formed, found, window, ran)
        except StaleClaimError:
            raise  # somebody else reads the lane: nothing more is to come of it here
        except BaseException:
            if lane.in_flight:
                lane.put_back(self._clock.monotonic() + _PAUSE_S)
            raise
        return 0 if failed_at is None else len(formed.records) - failed_at

    async def give_back(self, batch: Batch) -> None:
        batch.context.lane.put_back(0.0)
        self._shards.stirred.set()

    async def release(self, batch: Batch) -> None:
        batch.context.lane.put_back(self._clock.monotonic() + _PAUSE_S)
        self._shards.stirred.set()

    async def close(self) -> None:
        await self._shards.close()
        await self._follower.close()

    async def _form(self, most: int) -> tuple[list[Batch], float]:
        """Up to `most` batches, lanes taking turns; and when to look again."""
        lanes = [(shard, lane) for shard in self._shards for lane in shard.lanes]
        now, wall, again_at = self._clock.monotonic(), self._clock.now(), math.inf
        found: list[Batch] = []
        start, self._next = self._next, self._next + 1
        for turn in range(len(lanes)):
            if len(found) >= most:
                break
            shard, lane = lanes[(start + turn) % len(lanes)]
            formed = lane.form(now, wall, shard.after)
            if isinstance(formed, float):
                again_at = min(again_at, formed)
            elif old := stream_batches.too_old([wall - read.record.arrived_at for read in formed.records], self._rules):
                await self._give_up_old(formed, old)
                again_at = now
            else:
                found.append(self._batch(formed, wall))
        await self._shards.leave_ended()
        return found, again_at

    def _batch(self, formed: Formed, wall: float) -> Batch:
        more = b""
        if formed.lane.window is not None and self._mapping.tumbling_s:
            window, arn = formed.lane.window, self._mapping.source
            more = tumbling.members(window, self._mapping.tumbling_s, formed.lane.shard, arn, final=formed.final)
        payload = self._shape.payload(formed.lane.shard, [read.encoded for read in formed.records], more)
        held_until = math.inf
        if self._rules.max_age_s != stream_batches.FOREVER and formed.records:
            oldest_s = wall - min(read.record.arrived_at for read in formed.records)
            held_until = self._clock.monotonic() + self._rules.max_age_s - oldest_s
        records = [Record(read.id, read.encoded, read.place) for read in formed.records]
        return Batch(records, payload, held_until, formed, f"{formed.lane.shard} of {self._mapping.source}")

    def _judged(self, formed: Formed, ran: Ran) -> tuple[int | None, checkpoints.Window | None]:
        """The place of the first record that failed, and the window as it is then."""
        window = formed.lane.window
        if ran.failed:
            return 0, window
        if self._mapping.tumbling_s and window is not None:
            state = tumbling.state_of(ran.answer)
            if state is None and not formed.final:
                return 0, window
            window = tumbling.moved_on(window, state)
        ids = [read.id for read in formed.records]
        failed_at = responses.first_failure(ran.answer, ids) if self._mapping.reports_failures else None
        return failed_at, window

    async def _settle(self, formed: Formed, found: Next, window: checkpoints.Window | None, ran: Ran) -> None:
        lane, due_at = formed.lane, 0.0
        if found.again:
            due_at = self._clock.monotonic() + self._retry_s(found.again[0].attempts)
        discarded = None
        if found.dropped is not None:
            discarded = self._discarded(formed, found.dropped, "RetryAttemptsExhausted", ran)
        await self._move(lane, lane.after(found, window), discarded)
        lane.apply(found, due_at, window)
        self._note(lane)

    async def _settle_final(self, formed: Formed, ran: Ran, *, failed: bool) -> int:
        """After the last call of a window, which has no records."""
        lane = formed.lane
        exhausted = self._rules.max_retries != stream_batches.FOREVER and formed.attempts >= self._rules.max_retries
        if failed and not exhausted:
            lane.final_attempts += 1
            lane.put_back(self._clock.monotonic() + self._retry_s(lane.final_attempts))
            return 1
        if failed:
            _log.warning("%s: the last call of a window failed (%s), its state is lost", lane.shard, ran.request_id)
        before, lane.window = lane.window, None
        try:
            await self._move(lane, lane.checkpoint(), None)
        except BaseException:
            lane.window = before
            raise
        lane.final_attempts, lane.in_flight = 0, False
        self._note(lane)
        return int(failed)

    def _retry_s(self, attempts: int) -> float:
        """The pause before the call that follows so many that failed."""
        return backoff(max(1, attempts), FIRST_RETRY_S, LONGEST_RETRY_S, self._jitter(), spread=0.2)

    async def _give_up_old(self, formed: Formed, count: int) -> None:
        """Drop the first `count` records for their age, before the function is called with them."""
        lane, size = formed.lane, len(formed.records)
        rest = (Piece(count, size, 0),) if count < size else ()
        found = Next(0, Piece(0, count, formed.attempts), rest)
        try:
            discarded = self._discarded(formed, Piece(0, count, formed.attempts), "RecordAgeExceeded", None)
            await self._move(lane, lane.after(found, lane.window), discarded)
            lane.apply(found, 0.0, lane.window)
            self._note(lane)
        except BaseException:
            if lane.in_flight:
                lane.put_back(self._clock.monotonic() + _PAUSE_S)
            raise

    def _discarded(self, formed: Formed, piece: Piece, reason: Reason, ran: Ran | None) -> Discarded:
        reads = formed.records[piece.start : piece.end]
        payload = self._shape.payload(formed.lane.shard, [read.encoded for read in reads], b"")
        return Discarded(formed.lane.shard, [read.record for read in reads], reason, piece.attempts, payload, ran)

    async def _move(self, lane: Lane, checkpoint: Checkpoint, discarded: Discarded | None) -> None:
        """Commit how far a lane is, with what is told of records that were given up."""
        told = await self._discards.ahead(discarded) if discarded is not None else False

        def body(tx: Tx) -> bool:
            delivered = told
            if discarded is not None and not told:
                delivered = self._discards.hand(tx, discarded)
            checkpoints.move(tx, self._mapping.uuid, lane.shard, lane.no, lane.epoch, checkpoint)
            return delivered

        delivered = await self._store.write(body)
        if discarded is not None:
            metric = "OnFailureDestinationDeliveredEventCount" if delivered else "DroppedEventCount"
            self._meter.add(metric, len(discarded.records))

    def _note(self, lane: Lane) -> None:
        """A batch of a lane is settled."""
        self._shards.settled(lane)
        self._follower.done(lane.shard, lane.done)
