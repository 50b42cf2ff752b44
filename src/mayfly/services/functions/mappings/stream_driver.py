"""Streams as sources: shards that are read in order, from a place that is remembered.

Each shard has a task that reads ahead; its records go into lanes (`lanes`), a batch of each lane is under way at a
time, and what follows its result is decided by `policy.stream_batches`. The decision, the description of what was given
up and the new checkpoint are one commit. A shard that was split or merged is read to its end before its children begin.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.policy import stream_batches
from mayfly.policy.retry import backoff
from mayfly.policy.stream_batches import Next, Piece, Reason, Rules
from mayfly.services.contract import ServiceError
from mayfly.services.functions.mappings import checkpoints, responses, tumbling
from mayfly.services.functions.mappings.checkpoints import Checkpoint
from mayfly.services.functions.mappings.discarding import Discarded, Discards
from mayfly.services.functions.mappings.drivers import Batch, Meter, Ran, Record
from mayfly.services.functions.mappings.filters import Filter
from mayfly.services.functions.mappings.lanes import Formed, Lane, Read, Sizes, lane_of
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.shapes import Shape
from mayfly.services.ports import ShardInfo, ShardPage, ShardSource
from mayfly.store.api import StaleClaimError, Store, StoreClosedError, Tx

FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 60.0
LOOK_S: Final = 20.0
DISCOVER_S: Final = 60.0
MOST_LANES: Final = 10  # of a shard
READ_AT_ONCE: Final = 1000  # records
_IDLE_EVERY: Final = 32  # batches of a shard between two looks at lanes without records
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


class _Shard:
    """A shard that is read."""

    def __init__(self, info: ShardInfo, lanes: Sequence[Lane]) -> None:
        self.info = info
        self.lanes = lanes
        self.after = min(lane.done for lane in lanes)
        self.drained = asyncio.Event()
        self.drained.set()
        self.batches = 0
        self.task: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        return sum(lane.held for lane in self.lanes)


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
        self._source = source
        self._shape = shape
        self._store = store
        self._clock = clock
        self._filter = criteria
        self._meter = meter
        self._discards = discards
        self._follower: Follower = follower or Nobody()
        self._jitter = jitter
        self._rules = Rules(mapping.bisects, mapping.max_retries, mapping.max_age_s)
        window_s = _USUAL_S.get(mapping.kind, 0.0) if mapping.window_s is None else float(mapping.window_s)
        self._sizes = Sizes(mapping.batch_size, window_s, mapping.tumbling_s)
        self._room = max(READ_AT_ONCE, 2 * mapping.batch_size * mapping.factor)
        self._shards: dict[str, _Shard] = {}
        self._ended: set[str] = set()
        self._stirred = asyncio.Event()
        self._discovering: asyncio.Task[None] | None = None
        self._end_seen = asyncio.Event()
        self._error: ServiceError | None = None
        self._next = 0  # the lane that is asked first

    async def open(self) -> None:
        if self._discovering is not None:
            await self._source.shards(self._mapping.source)
            return
        await self._discover(first=True)
        self._discovering = asyncio.get_running_loop().create_task(self._keep_discovering())

    async def poll(self, most: int, wait_s: float) -> Sequence[Batch]:
        until = self._clock.monotonic() + wait_s
        while True:
            self._stirred.clear()
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            batches, again_at = await self._form(most)
            now = self._clock.monotonic()
            if batches or now >= until:
                return batches
            try:
                async with asyncio.timeout(max(0.0, min(again_at, until) - now)):
                    await self._stirred.wait()
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
        self._stirred.set()

    async def release(self, batch: Batch) -> None:
        batch.context.lane.put_back(self._clock.monotonic() + _PAUSE_S)
        self._stirred.set()

    async def close(self) -> None:
        tasks = [shard.task for shard in self._shards.values() if shard.task is not None]
        tasks += [self._discovering] if self._discovering is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._follower.close()

    # Batches.

    async def _form(self, most: int) -> tuple[list[Batch], float]:
        """Up to `most` batches, lanes taking turns; and when to look again."""
        lanes = [(shard, lane) for shard in self._shards.values() for lane in shard.lanes]
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
        await self._end_shards()
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
        shard = self._shards[lane.shard]
        shard.batches += 1
        lane.passed(shard.after)
        self._follower.done(lane.shard, lane.done)
        if shard.held < self._room:
            shard.drained.set()
        self._stirred.set()

    # Shards.

    async def _keep_discovering(self) -> None:
        while True:
            try:
                async with asyncio.timeout(DISCOVER_S):
                    await self._end_seen.wait()
            except TimeoutError:
                pass
            self._end_seen.clear()
            try:
                await self._discover(first=False)
            except StoreClosedError:
                return
            except (ServiceError, PlatformError) as error:
                self._fail(error)
                await asyncio.sleep(_PAUSE_S)
                self._end_seen.set()

    async def _discover(self, *, first: bool) -> None:
        """Read every shard whose parents are at their ends. Where nothing was ever read, every shard is begun at the
        mapping's starting position, in one commit; what comes later is read from its beginning."""
        infos = await self._source.shards(self._mapping.source)
        known = await self._store.read(lambda reader: checkpoints.load(reader, self._mapping.uuid))
        present = {info.id for info in infos}
        self._ended |= {shard for (shard, _), each in known.items() if each.ended}
        begun: dict[str, str] = {}
        if first and not known:
            begun = {info.id: await self._begin(info.id, self._mapping.position or "TRIM_HORIZON") for info in infos}
        ready = []
        for info in infos:
            if info.id in self._shards or info.id in self._ended:
                continue
            if begun.get(info.id, "0") != "0" or not any(
                each in present and each not in self._ended for each in info.parents
            ):
                mine = {lane: each for (shard, lane), each in known.items() if shard == info.id}
                ready.append((info, self._lanes(mine, begun.get(info.id, "0"))))
        gone = [place for place in known if place[0] not in present]
        for info, lanes in await self._store.write(lambda tx: self._claim(tx, ready, gone)):
            self._start(info, lanes)

    async def _begin(self, shard: str, position: str) -> str:
        return await self._source.begin(self._mapping.source, shard, position, self._mapping.position_at)

    def _lanes(self, known: dict[int, Checkpoint], begin: str) -> list[Checkpoint]:
        """Where the lanes of a shard go on; where their number is another one, from what all of them had done."""
        factor = self._mapping.factor
        if any(each.factor != factor for each in known.values()):
            return [Checkpoint(factor, str(min(int(each.done) for each in known.values())))] * factor
        return [known.get(lane, Checkpoint(factor, begin)) for lane in range(factor)]

    def _claim(
        self, tx: Tx, ready: list[tuple[ShardInfo, list[Checkpoint]]], gone: list[tuple[str, int]]
    ) -> list[tuple[ShardInfo, list[Lane]]]:
        uuid, claimed = self._mapping.uuid, []
        for place in gone:
            checkpoints.forget(tx, uuid, *place)
        for info, lanes in ready:
            for lane in range(len(lanes), MOST_LANES):
                checkpoints.forget(tx, uuid, info.id, lane)
            epochs = [checkpoints.claim(tx, uuid, info.id, lane, each) for lane, each in enumerate(lanes)]
            claimed.append((info, [Lane(info.id, no, epochs[no], each, self._sizes) for no, each in enumerate(lanes)]))
        return claimed

    def _start(self, info: ShardInfo, lanes: Sequence[Lane]) -> None:
        shard = self._shards[info.id] = _Shard(info, lanes)
        shard.task = asyncio.get_running_loop().create_task(self._read(shard), name=f"shard-{info.id}")

    async def _read(self, shard: _Shard) -> None:
        """Read a shard ahead, to its end."""
        failures = 0
        while True:
            try:
                await shard.drained.wait()
                page = await self._source.read(
                    self._mapping.source, shard.info.id, str(shard.after), READ_AT_ONCE, LOOK_S
                )
                failures = 0
            except StoreClosedError:
                return
            except (ServiceError, PlatformError) as error:
                failures += 1
                self._fail(error)
                await asyncio.sleep(backoff(failures, FIRST_RETRY_S, LONGEST_RETRY_S, self._jitter(), spread=0.5))
                continue
            self._take(shard, page)
            if page.ended:
                return

    def _take(self, shard: _Shard, page: ShardPage) -> None:
        now = self._clock.monotonic()
        fresh = [record for record in page.records if int(record.sequence) > shard.after]
        if fresh:
            shard.batches += 1
            self._meter.add("PolledEventCount", len(fresh))
        dropped = 0
        for record in fresh:
            place = int(record.sequence)
            shard.after = place
            if not self._filter.passes(lambda record=record: self._shape.matched(shard.info.id, record)):  # type: ignore[misc]
                dropped += 1
                continue
            lane = shard.lanes[lane_of(record.partition_key, len(shard.lanes))]
            encoded = self._shape.encoded(shard.info.id, record)
            lane.take(Read(record, place, self._shape.identifier(record), encoded), now)
        if dropped:
            self._meter.add("FilteredOutEventCount", dropped)
        for lane in shard.lanes:
            lane.passed(shard.after)
            lane.complete = lane.complete or page.ended
        if shard.held >= self._room:
            shard.drained.clear()
        self._stirred.set()

    async def _end_shards(self) -> None:
        """Leave shards that are done; and now and then, keep how far lanes are that had nothing to do."""
        for shard in list(self._shards.values()):
            ended = all(lane.finished for lane in shard.lanes)
            idle = [lane for lane in shard.lanes if lane.idle] if shard.batches >= _IDLE_EVERY else []
            if not ended and not idle:
                continue
            shard.batches = 0
            moves = [(lane, lane.checkpoint(ended=ended)) for lane in (shard.lanes if ended else idle)]

            def body(tx: Tx, moves: list[tuple[Lane, Checkpoint]] = moves) -> None:
                for lane, checkpoint in moves:
                    checkpoints.move(tx, self._mapping.uuid, lane.shard, lane.no, lane.epoch, checkpoint)

            await self._store.write(body)
            if ended:
                del self._shards[shard.info.id]
                self._ended.add(shard.info.id)
                self._end_seen.set()

    def _fail(self, error: ServiceError | PlatformError) -> None:
        """Have whoever polls hear of it."""
        _log.warning("%s cannot be read now: %s", self._mapping.source, error)
        self._error = error if isinstance(error, ServiceError) else ServiceError("ServiceException", str(error))
        self._stirred.set()
