"""Claims events and has them delivered, as many at a time as there are places.

A place is a function's while it runs; how it ended is written while the next one has it. What is claimed is under way,
or one of a few that wait for a place, where calls are so short that claiming one by one would leave places empty; what
waited for `GIVE_BACK_S` goes back. All leases are extended together. If this process dies, they run out, or the next
one releases them, and the events are delivered again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from mayfly.clock import Clock
from mayfly.services.functions.tasks import book
from mayfly.services.functions.tasks.deliveries import Deliveries
from mayfly.services.functions.tasks.held import Held
from mayfly.services.functions.tasks.lanes import PREFIX, Lane, Lanes
from mayfly.services.functions.tasks.model import NEVER
from mayfly.services.functions.tasks.pace import Pace
from mayfly.store.api import Claim, ReadyQueue, StaleClaimError, Store, StoreClosedError

LEASE_S = 15.0  # how long an event of a killed server waits for the next one
EXTEND_EVERY_S = 5.0
AHEAD = 48  # claimed beyond the places there are, where calls are short
SHORT_S = 0.05
GIVE_BACK_S = 1.0
MOST_HELD = 1024  # with those whose end is being written
_IDLE_S = 60.0
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Dispatcher:
    """`run` is a task of the service."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        lanes: Lanes,
        deliveries: Deliveries,
        clock: Clock,
        places: int,
        pressed: Callable[[], bool] = lambda: False,
    ) -> None:
        """`pressed`: whether so much is being accepted that deliveries have to give way."""
        self._store = store
        self._queue = queue
        self._lanes = lanes
        self._deliveries = deliveries
        self._clock = clock
        self._places = places
        self._pace = Pace(pressed)
        self._held: dict[int, Held] = {}  # by item
        self._waiting: deque[Held] = deque()  # for a place
        self._running = 0  # places taken
        self._under_way = 0  # deliveries begun whose end is not written yet
        self._mean_s = SHORT_S  # of deliveries, lately
        self._finishing = False
        self._finished = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    @property
    def held(self) -> Mapping[int, Held]:
        """What is claimed, by item."""
        return self._held

    async def run(self) -> None:
        """Claim and deliver until `finish`, then see what is under way to its end; cancel to cut that short."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            claiming = group.create_task(self._claim_on(), name="task-claims")
            keeping = group.create_task(self._keep(), name="task-leases")
            await self._finished.wait()
            claiming.cancel()
            while self._under_way:
                self._lanes.news.clear()
                await self._lanes.news.wait()
            keeping.cancel()

    def finish(self) -> None:
        """Claim, and begin, no more events."""
        self._finishing = True
        self._finished.set()

    def clock_moved(self) -> None:
        """Look at the clock again: for whoever moves it by hand."""
        self._lanes.news.set()

    async def end(self, items: Sequence[int], *, stopped: bool) -> list[int]:
        """Have events that nobody holds end without a call, whatever their order and without a place; which of them,
        once that is written. `stopped`: nobody wants them any more; otherwise they are late."""
        claims = await self._queue.claim_items(items, LEASE_S)
        before = await self._store.read(lambda reader: book.before(reader, [claim.id for claim in claims]))
        at, ending = self._clock.monotonic(), []
        for claim in claims:
            held = Held(claim, self._lanes.adopt(claim.queue), at, before.get(claim.id, NEVER))
            held.stopped = stopped
            held.free = self._freed
            self._held[claim.id] = held
            ending.append(self._one(held))
        self._running += len(ending)
        self._under_way += len(ending)
        await asyncio.gather(*ending)
        return [claim.id for claim in claims]

    def stop(self, item: int) -> bool:
        """Whether this process holds it: if so, it is not begun any more. Of one that runs, a failure is the end."""
        held = self._held.get(item)
        if held is None:
            return False
        held.stopped = True
        if held in self._waiting and self._group is not None:
            self._waiting.remove(held)
            self._begin(held, self._group)
        return True

    async def over(self, item: int, within_s: float) -> None:
        """Return when this process holds it no more, or after `within_s`."""
        held = self._held.get(item)
        if held is not None:
            held.over = held.over or asyncio.Event()
            await _within(held.over, within_s)

    async def _claim_on(self) -> None:
        """Claim whatever is ready, as long as there is room, without polling."""
        resumed = False
        while True:
            try:
                if not resumed:
                    for queue in await self._queue.queues(PREFIX):
                        self._lanes.woken(queue)
                    resumed = True
                await self._turn()
            except StoreClosedError:
                return
            except Exception:
                _log.exception("events cannot be claimed now; the next attempt follows in %.0f s", _PAUSE_S)
                await asyncio.sleep(_PAUSE_S)

    async def _turn(self) -> None:
        """Claim what there is room for, or sleep until something changes."""
        self._lanes.news.clear()
        now = self._clock.now()
        ahead = AHEAD if self._mean_s < SHORT_S else 0
        active = self._running + len(self._waiting)
        room = min(self._places + ahead - active, MOST_HELD - len(self._held))
        plan = self._lanes.plan(now, room)
        if not plan:
            delay_s = min(self._lanes.next_due() - now, _IDLE_S)
            if delay_s > 0:
                await _within(self._lanes.news, delay_s)
            return
        await self._claim(plan)

    async def _claim(self, plan: list[tuple[Lane, int]]) -> None:
        try:
            taken = await self._queue.claim_each([(lane.queue, count) for lane, count in plan], LEASE_S)
        except BaseException:
            for lane, _ in plan:
                self._lanes.claimed(lane, 0, self._clock.now() + _PAUSE_S)
            raise
        again = [claim.id for each in taken for claim in each.claims if claim.attempt > 1]
        before = await self._store.read(lambda reader: book.before(reader, again)) if again else {}
        at = self._clock.monotonic()
        for (lane, _), each in zip(plan, taken, strict=True):
            self._lanes.claimed(lane, len(each.claims), each.next_due)
            for claim in each.claims:
                held = self._held[claim.id] = Held(claim, lane, at, before.get(claim.id, NEVER))
                self._waiting.append(held)
        self._fill()

    def _fill(self) -> None:
        """Begin what waits, as long as there are places."""
        group = self._group
        while self._waiting and self._running < self._places and not self._finishing and group is not None:
            if not self._pace.admits(asyncio.get_running_loop().time()):
                self._pace.later(self._fill)
                return
            self._begin(self._waiting.popleft(), group)

    def _begin(self, held: Held, group: asyncio.TaskGroup) -> None:
        held.free = self._freed
        self._running += 1
        self._under_way += 1
        group.create_task(self._one(held))

    def _freed(self, held: Held, took_s: float) -> None:
        """Its function has ended: somebody else may have its place while its end is written down."""
        self._mean_s += (took_s - self._mean_s) / 16
        self._running -= 1
        self._lanes.ended(held.lane)
        self._fill()

    async def _one(self, held: Held) -> None:
        """The boundary around one delivery: whatever goes wrong, the event is not lost, its lease runs out."""
        try:
            await self._deliveries.deliver(held)
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("an event's delivery was not recorded, it will be delivered again: %s", error)
        except Exception:
            _log.exception("an event could not be delivered; it will be tried again when its lease has run out")
        finally:
            self._under_way -= 1
            held.leave(0.0)
            self._forget(held)
        if held.stopped and held.returned:  # just when somebody stopped it
            await self.end([held.claim.id], stopped=True)

    def _forget(self, held: Held) -> None:
        self._held.pop(held.claim.id, None)
        if held.over is not None:
            held.over.set()
        self._lanes.news.set()

    async def _keep(self) -> None:
        """Extend leases, and give back what waited too long."""
        since = self._clock.monotonic()
        while True:
            await asyncio.sleep(min(EXTEND_EVERY_S, GIVE_BACK_S))
            try:
                await self._give_back()
                if self._clock.monotonic() - since >= EXTEND_EVERY_S:
                    since = self._clock.monotonic()
                    await self._extend()
            except StoreClosedError:
                return
            except Exception:
                _log.exception("leases could not be looked after; the next attempt follows")

    async def _extend(self) -> None:
        soon = self._clock.now() + LEASE_S - EXTEND_EVERY_S
        due = [held for held in self._held.values() if held.claim.lease_until <= soon]
        found = await asyncio.gather(*(self._extended(held.claim) for held in due))
        for held, claim in zip(due, found, strict=True):
            if claim is not None:
                held.claim = claim

    async def _extended(self, claim: Claim) -> Claim | None:
        try:
            return await self._queue.extend(claim, LEASE_S)
        except StaleClaimError:
            return None  # it has ended meanwhile, or its delivery will be told

    async def _give_back(self) -> None:
        until = self._clock.monotonic() - GIVE_BACK_S
        while self._waiting and self._waiting[0].claimed_at <= until:
            held = self._waiting.popleft()
            self._mean_s = 1.0
            try:
                await self._deliveries.give_back(held)
            except StaleClaimError:
                _log.info("an event that waited was taken by somebody else")
            finally:
                self._lanes.ended(held.lane)
                self._forget(held)


async def _within(event: asyncio.Event, delay_s: float) -> None:
    try:
        async with asyncio.timeout(delay_s):
            await event.wait()
    except TimeoutError:
        return
