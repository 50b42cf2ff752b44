"""Deliveries to URLs: a lane for each URL, with its own ready queue, its own pace, and few requests under way.

So an endpoint that is slow or gone holds up its own messages and nobody else's: it has a few requests of all that may
be under way, one while it fails. A lane is a task that ends when nothing waits in it; which lanes there are is in the
database, so that a start finds them.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.outgoing.api import Sender
from mayfly.policy.rates import Bucket, Rate, take, wait_s
from mayfly.services.topics import statements as sql
from mayfly.services.topics.model import Delivery, lane_queue
from mayfly.services.topics.urls import Attempt, UrlDeliveries
from mayfly.store.api import Claim, ReadyQueue, StaleClaimError, Store, StoreClosedError

MOST_UNDER_WAY = 512  # requests, of all lanes
MOST_EACH = 8
LEASE_S = 120.0
EXTEND_BELOW_S = 60.0
IDLE_S = 3600.0
PAUSE_S = 1.0
_PAGE = 500

_log = logging.getLogger(__name__)
_delivery = msgspec.json.Decoder(Delivery)


class Lanes:
    """All lanes. `wake` is called on the event loop."""

    def __init__(
        self, store: Store, ready: ReadyQueue, sender: Sender, clock: Clock, most: int = MOST_UNDER_WAY
    ) -> None:
        self._store = store
        self._ready = ready
        self._sender = sender
        self._clock = clock
        self._slots = asyncio.Semaphore(most)
        self._lanes: dict[int, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._deliveries: UrlDeliveries | None = None
        self._stopped = False

    @property
    def count(self) -> int:
        """How many URLs something is delivered to, or waits for."""
        return len(self._lanes)

    def attach(self, deliveries: UrlDeliveries) -> None:
        """Say what makes requests of deliveries; once, before anything else."""
        self._deliveries = deliveries

    def wake(self, subscription_id: int) -> None:
        """There is a delivery for a URL."""
        lane = self._lanes.get(subscription_id)
        if lane is not None:
            lane.news = True
            return
        if self._stopped:
            return  # the next server delivers it
        assert self._deliveries is not None, "attached first"
        lane = _Lane(
            subscription_id, self._store, self._ready, self._deliveries, self._sender, self._clock, self._slots
        )
        self._lanes[subscription_id] = lane
        task = asyncio.get_running_loop().create_task(
            lane.run(lambda: self._ended(subscription_id)), name=f"topics-lane-{subscription_id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def start(self) -> None:
        """Begin with what waits since before."""
        after = 0
        while True:
            try:
                found = await self._waiting(after)
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("deliveries that wait cannot be read now")
                await asyncio.sleep(PAUSE_S)
                continue
            if not found:
                return
            for subscription_id in found:
                self.wake(subscription_id)
            after = found[-1]

    async def stop(self) -> None:
        """End every lane; what was under way is delivered by the next server."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _waiting(self, after: int) -> list[int]:
        params = {"after": after, "limit": _PAGE}
        return [row[0] for row in await self._store.read(lambda reader: reader.all(sql.LANES, params))]

    def _ended(self, subscription_id: int) -> None:
        del self._lanes[subscription_id]


class _Lane:
    """The deliveries to one URL."""

    def __init__(
        self,
        subscription_id: int,
        store: Store,
        ready: ReadyQueue,
        deliveries: UrlDeliveries,
        sender: Sender,
        clock: Clock,
        slots: asyncio.Semaphore,
    ) -> None:
        self._id = subscription_id
        self._queue = lane_queue(subscription_id)
        self._store = store
        self._ready = ready
        self._deliveries = deliveries
        self._sender = sender
        self._clock = clock
        self._slots = slots
        self._most = 1  # requests under way; more while they succeed
        self._bucket: Bucket | None = None
        self._free = asyncio.Event()
        self.news = False  # something was enqueued since the last look

    async def run(self, ended: Callable[[], None]) -> None:
        """Deliver until nothing waits; `ended` is called in the very turn in which that is found."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while await self._turn(tasks):
                pass
        finally:
            ended()
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _turn(self, tasks: set["asyncio.Task[None]"]) -> bool:
        """Take what there is room for; False when there is nothing more, and nothing under way."""
        try:
            self.news = False
            self._free.clear()
            room = self._most - len(tasks)
            claims = await self._ready.claim(self._queue, room, LEASE_S) if room > 0 else []
            for claim in claims:
                task = asyncio.create_task(self._one(claim), name=f"{self._queue}-{claim.id}")
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(lambda _: self._free.set())
            if room <= 0:
                await self._free.wait()
            elif not claims and tasks:
                await self._until_news()
            elif not claims:
                if await self._over():
                    return self.news  # what came while we looked is looked at once more
                await self._ready.wait(self._queue, IDLE_S)
        except StoreClosedError:
            return False
        except PlatformError:
            _log.exception("deliveries of %s cannot be claimed now", self._queue)
            await asyncio.sleep(PAUSE_S)
        return True

    async def _until_news(self) -> None:
        """Return when there may be something to claim, or a delivery has ended."""
        waits = [asyncio.ensure_future(self._free.wait()), asyncio.ensure_future(self._wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _wait(self) -> bool:
        await self._ready.wait(self._queue, IDLE_S)
        return True

    async def _over(self) -> bool:
        row = await self._store.read(lambda reader: reader.one(sql.WAITING, {"subscription_id": self._id}))
        return row is None or row[0] <= 0

    async def _one(self, claim: Claim) -> None:
        """The boundary around one delivery: whatever goes wrong, it is not lost, its lease runs out."""
        try:
            async with self._slots:
                if claim.lease_until - self._clock.now() < EXTEND_BELOW_S:
                    claim = await self._ready.extend(claim, LEASE_S)
                await self._deliver(claim, _delivery.decode(claim.payload))
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("a delivery of %s was not recorded, it will be made again: %s", self._queue, error)
        except Exception:
            _log.exception("a delivery of %s failed; it is tried again when its lease has run out", self._queue)

    async def _deliver(self, claim: Claim, delivery: Delivery) -> None:
        attempt: Attempt | None = await self._deliveries.attempt(delivery)
        if attempt is None:  # the subscription or its topic has gone
            await self._deliveries.drop(claim, delivery)
            return
        if attempt.per_second is not None:
            await self._paced(float(attempt.per_second))
        outcome = await attempt.send(self._sender)
        self._most = min(MOST_EACH, self._most * 2) if outcome.success else 1
        await self._deliveries.conclude(claim, delivery, attempt, outcome)

    async def _paced(self, per_second: float) -> None:
        """Wait for this request's turn, where the endpoint takes so many a second."""
        rate = Rate(1.0, per_second)
        now = self._clock.monotonic()
        delay = wait_s(self._bucket, rate, now)
        self._bucket = take(self._bucket, rate, now)
        if delay > 0:
            await asyncio.sleep(delay)
