"""The shards that one mapping reads: which there are, where each begins, and how far ahead it is read.

Each shard has a task that reads it into its lanes until they hold enough. A shard that was split or merged is read to
its end before its children begin. Where nothing was ever read, every shard begins at the mapping's starting position,
in one commit; what comes later is read from its beginning.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.policy.retry import backoff
from mayfly.services.contract import ServiceError
from mayfly.services.functions.mappings import checkpoints
from mayfly.services.functions.mappings.checkpoints import Checkpoint
from mayfly.services.functions.mappings.drivers import Meter
from mayfly.services.functions.mappings.filters import Filter
from mayfly.services.functions.mappings.lanes import Lane, Read, Sizes, lane_of
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.shapes import Shape
from mayfly.services.ports import ShardInfo, ShardPage, ShardSource
from mayfly.store.api import Store, StoreClosedError, Tx

FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 60.0
LOOK_S: Final = 20.0
DISCOVER_S: Final = 60.0
MOST_LANES: Final = 10  # of a shard
READ_AT_ONCE: Final = 1000  # records
_IDLE_EVERY: Final = 32  # batches of a shard between two looks at lanes without records
_PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)


class Shard:
    """A shard that is read, up to `after`."""

    def __init__(self, info: ShardInfo, lanes: Sequence[Lane]) -> None:
        self.info = info
        self.lanes = lanes
        self.after = min(lane.done for lane in lanes)
        self.drained = asyncio.Event()
        self.drained.set()
        self.batches = 0  # since the last look at lanes without records
        self.task: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        return sum(lane.held for lane in self.lanes)


class Shards:
    """`open` before, `close` after they are read. `stirred` is set whenever lanes may have something new, or there is
    an error to hear of."""

    def __init__(
        self,
        mapping: Mapping,
        source: ShardSource,
        shape: Shape,
        store: Store,
        clock: Clock,
        criteria: Filter,
        meter: Meter,
        sizes: Sizes,
        jitter: Callable[[], float],
    ) -> None:
        self._mapping = mapping
        self._source = source
        self._shape = shape
        self._store = store
        self._clock = clock
        self._filter = criteria
        self._meter = meter
        self._sizes = sizes
        self._jitter = jitter
        self._room = max(READ_AT_ONCE, 2 * mapping.batch_size * mapping.factor)
        self._read: dict[str, Shard] = {}
        self._ended: set[str] = set()
        self.stirred = asyncio.Event()
        self._discovering: asyncio.Task[None] | None = None
        self._end_seen = asyncio.Event()
        self._error: ServiceError | None = None

    async def open(self) -> None:
        """Begin to read; where that was done, only ask the source. `ServiceError`."""
        if self._discovering is not None:
            await self._source.shards(self._mapping.source)
            return
        await self._discover(first=True)
        self._discovering = asyncio.get_running_loop().create_task(self._keep_discovering())

    async def close(self) -> None:
        tasks = [shard.task for shard in self._read.values() if shard.task is not None]
        tasks += [self._discovering] if self._discovering is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._read.values())

    def raise_error(self) -> None:
        """`ServiceError` for what could not be read since this was asked last."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def settled(self, lane: Lane) -> None:
        """A batch of a lane is settled: there may be room for more."""
        shard = self._read[lane.shard]
        shard.batches += 1
        lane.passed(shard.after)
        if shard.held < self._room:
            shard.drained.set()
        self.stirred.set()

    async def leave_ended(self) -> None:
        """Leave shards that are done; and now and then, keep how far lanes are that had nothing to do."""
        for shard in list(self._read.values()):
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
                del self._read[shard.info.id]
                self._ended.add(shard.info.id)
                self._end_seen.set()

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
        """Read every shard whose parents are at their ends."""
        infos = await self._source.shards(self._mapping.source)
        known = await self._store.read(lambda reader: checkpoints.load(reader, self._mapping.uuid))
        present = {info.id for info in infos}
        self._ended |= {shard for (shard, _), each in known.items() if each.ended}
        begun: dict[str, str] = {}
        if first and not known:
            begun = {info.id: await self._begin(info.id, self._mapping.position or "TRIM_HORIZON") for info in infos}
        ready = []
        for info in infos:
            if info.id in self._read or info.id in self._ended:
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
        shard = self._read[info.id] = Shard(info, lanes)
        shard.task = asyncio.get_running_loop().create_task(self._read_ahead(shard), name=f"shard-{info.id}")

    async def _read_ahead(self, shard: Shard) -> None:
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

    def _take(self, shard: Shard, page: ShardPage) -> None:
        now = self._clock.monotonic()
        fresh = [record for record in page.records if int(record.sequence) > shard.after]
        if fresh:
            shard.batches += 1
            self._meter.add("PolledEventCount", len(fresh))
        dropped = 0
        for record in fresh:
            place = int(record.sequence)
            shard.after = place
            if not self._filter.passes(partial(self._shape.matched, shard.info.id, record)):
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
        self.stirred.set()

    def _fail(self, error: ServiceError | PlatformError) -> None:
        """Have whoever polls hear of it."""
        _log.warning("%s cannot be read now: %s", self._mapping.source, error)
        self._error = error if isinstance(error, ServiceError) else ServiceError("ServiceException", str(error))
        self.stirred.set()
