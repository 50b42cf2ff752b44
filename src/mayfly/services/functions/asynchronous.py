"""Asynchronous invocation: events wait in the ready queue until a function took them.

Accepting an event is one durable row. A dispatcher claims events and runs each in a task of its own; what follows an
attempt (`delivery` decides) is one commit with the removal of the event, so a crash at any moment leaves the event
either waiting or dealt with. While a function runs, the event's lease is extended; if this process dies, the lease
runs out and the event is delivered again. At least once, as AWS has it.
"""

import asyncio
import logging
import random
from collections.abc import Callable

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.engine.api import EngineClosedError, ThrottledError
from mayfly.errors import PlatformError
from mayfly.services.contract import ServiceError
from mayfly.services.functions import dead_letters, delivery, tenancy
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Catalog, Entry
from mayfly.services.functions.delivery import AsyncEvent, Attempted, Done, TryAgain
from mayfly.services.functions.destinations import Destinations, Letter, metric_of
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.model import LATEST
from mayfly.services.functions.names import Home, Reference
from mayfly.store.api import Claim, NewItem, ReadyQueue, StaleClaimError, Store, StoreClosedError, Tx

QUEUE = "functions.events"
LEASE_S = 15.0  # how long an event of a killed server waits for the next one
EXTEND_EVERY_S = 5.0
# Events under way at once, for each processor of this machine and at least. They share its processors, unlike on AWS:
# with no bound, a burst of events that compute would make each of them too slow for its timeout.
EVENTS_PER_CPU = 4
LEAST_EVENTS = 16
_BATCH = 32
_IDLE_S = 60.0
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AsyncEvent).decode


def default_concurrency(cpu_count: int) -> int:
    """How many events run at once on a machine with so many processors."""
    return max(LEAST_EVENTS, EVENTS_PER_CPU * cpu_count)


class EventQueue:
    """Puts events into the ready queue, as part of the caller's transaction."""

    def __init__(self, queue: ReadyQueue, home: Home, clock: Clock) -> None:
        self._queue = queue
        self._home = home
        self._clock = clock

    def now(self) -> float:
        """The time at which an event is accepted."""
        return self._clock.now()

    def put(self, tx: Tx, event: AsyncEvent, delay_s: float = 0.0) -> None:
        """Let `event` be delivered, after `delay_s`, once the transaction is durable."""
        ready_at = self._clock.now() + delay_s if delay_s else None
        self._queue.enqueue(tx, [NewItem(QUEUE, _encode(event), ready_at)])

    def put_new(self, tx: Tx, target: Reference, payload: bytes, trace_id: str | None = None) -> None:
        """Accept a fresh event for a function, version or alias, by a caller inside the platform."""
        arn = self._home.arn(target.name, target.qualifier)
        event = AsyncEvent(
            ids.request_id(),
            target.name,
            arn,
            payload,
            self._clock.now(),
            trace_id=trace_id,
            qualifier=target.qualifier,
        )
        self.put(tx, event)


class EventIntake:
    """Accepts events that a caller hands in by itself."""

    def __init__(self, store: Store, events: EventQueue, clock: Clock) -> None:
        self._store = store
        self._events = events
        self._clock = clock

    def now(self) -> float:
        """The time at which an event is accepted."""
        return self._clock.now()

    async def accept(self, event: AsyncEvent) -> None:
        """Returns once the event is durable, and will be delivered."""
        await self._store.write(lambda tx: self._events.put(tx, event))


class AsyncInvocations:
    """Delivers events: `run`, as a task of the service."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        events: EventQueue,
        catalog: Catalog,
        invoker: Invoker,
        home: Home,
        clock: Clock,
        destinations: Destinations,
        concurrency: int,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._queue = queue
        self._events = events
        self._catalog = catalog
        self._invoker = invoker
        self._home = home
        self._clock = clock
        self._destinations = destinations
        self._jitter = jitter
        self._concurrency = concurrency
        self._free = asyncio.Semaphore(concurrency)
        self._under_way = 0
        self._finishing = asyncio.Event()

    async def run(self) -> None:
        """Claim and deliver until `finish`, then see what is under way to its end; cancel to cut that short."""
        async with asyncio.TaskGroup() as deliveries:
            claiming = deliveries.create_task(self._claim(deliveries))
            await self._finishing.wait()
            claiming.cancel()

    def finish(self) -> None:
        """Claim no more events."""
        self._finishing.set()

    async def _claim(self, deliveries: asyncio.TaskGroup) -> None:
        """Start a delivery for every event that is ready, as long as there is room, without polling."""
        while True:
            try:
                await self._free.acquire()
                self._free.release()
                claims = await self._queue.claim(QUEUE, min(_BATCH, self._concurrency - self._under_way), LEASE_S)
                for claim in claims:
                    await self._free.acquire()
                    self._under_way += 1
                    deliveries.create_task(self._deliver_one(claim))
                if not claims:
                    await self._queue.wait(QUEUE, _IDLE_S)
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("events cannot be claimed now; the next attempt follows in %.0f s", _PAUSE_S)
                await asyncio.sleep(_PAUSE_S)

    async def _deliver_one(self, claim: Claim) -> None:
        """The boundary around one delivery: whatever goes wrong, the event is not lost, its lease runs out."""
        try:
            await self._deliver(claim)
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("an event's delivery was not recorded, it will be delivered again: %s", error)
        except Exception:
            _log.exception("an event could not be delivered; it will be tried again when its lease has run out")
        finally:
            self._under_way -= 1
            self._free.release()

    async def _deliver(self, claim: Claim) -> None:
        try:
            event = _decode(claim.payload)
            entry = await self._catalog.get(event.name, event.qualifier)
            tenancy.of_call(entry.function.configuration, event.tenant)
        except msgspec.DecodeError as error:
            return await self._bury(claim, f"not an event: {error}")
        except ServiceError as error:
            return await self._bury(claim, error.message)
        settings = entry.settings
        reserved = entry.function.reserved_concurrency
        if done := delivery.before(event, settings, reserved, self._clock.now()):
            return await self._conclude(claim, event, entry, done, None)
        try:
            claim, last = await self._attempt(claim, event, entry)
        except EngineClosedError:
            ready_at = self._clock.now() + _PAUSE_S  # for the next server; this one stops claiming any moment
            return await self._store.write(lambda tx: self._queue.retry(tx, claim, ready_at))
        except (ThrottledError, PlatformError) as error:
            if isinstance(error, (StaleClaimError, StoreClosedError)):
                raise
            return await self._postpone(claim, event, entry, error)
        decided = delivery.after(event, settings, last.result, self._clock.now())
        if isinstance(decided, Done):
            return await self._conclude(claim, event, entry, decided, last)
        return await self._try_again(claim, event, decided)

    async def _attempt(self, claim: Claim, event: AsyncEvent, entry: Entry) -> tuple[Claim, Attempted]:
        """Run the function, keeping the lease meanwhile; the claim as it stands afterwards."""
        asked = Asked(
            event.payload,
            event.request_id,
            event.arn,
            "event",
            client_context=event.client_context,
            trace_id=event.trace_id,
            waits=False,
            tenant=event.tenant,
        )
        call = asyncio.create_task(self._invoker.invoke(entry, asked))
        try:
            while not (await asyncio.wait({call}, timeout=EXTEND_EVERY_S))[0]:
                claim = await self._queue.extend(claim, LEASE_S)
        finally:
            if not call.done():
                call.cancel()
        invocation = call.result()
        return claim, Attempted(invocation.result, invocation.version)

    async def _postpone(self, claim: Claim, event: AsyncEvent, entry: Entry, error: Exception) -> None:
        """The function could not run now."""
        now = self._clock.now()
        settings = entry.settings
        decided = delivery.after_throttle(event, settings, claim.attempt, now, self._jitter())
        if isinstance(decided, Done):
            return await self._conclude(claim, event, entry, decided, None)
        _log.debug("%s waits %.1f s: %s", event.request_id, decided.delay_s, error)
        return await self._store.write(lambda tx: self._queue.retry(tx, claim, now + decided.delay_s))

    async def _try_again(self, claim: Claim, event: AsyncEvent, decided: TryAgain) -> None:
        """A failure counts on the event itself, so the event is replaced by one that carries the new count."""
        failed = msgspec.structs.replace(event, failures=event.failures + 1)

        def body(tx: Tx) -> None:
            self._queue.complete(tx, claim)
            self._events.put(tx, failed, decided.delay_s)

        await self._store.write(body)

    async def _conclude(
        self, claim: Claim, event: AsyncEvent, entry: Entry, done: Done, last: Attempted | None
    ) -> None:
        """No further attempt: hand the record over. What nobody took, or was to take, is kept among the dead."""
        letter = self._letter(event, entry, done, last)
        ahead = await self._destinations.ahead(letter)

        def body(tx: Tx) -> list[str]:
            refused = self._destinations.hand(tx, letter)
            if ahead is not None:
                refused.append(ahead)
            taken = letter.destination is not None or letter.dead_letters is not None
            if refused:
                self._queue.bury(tx, claim, f"{done.condition}; {'; '.join(refused)}")
            elif done.condition == "Success" or taken:
                self._queue.complete(tx, claim)
            else:
                self._queue.bury(tx, claim, done.condition)
            return refused

        for refusal in await self._store.write(body):
            self._destinations.count(event.name, metric_of(refusal, letter))
            _log.warning("%s: %s; it is kept among the dead", event.request_id, refusal)

    def _letter(self, event: AsyncEvent, entry: Entry, done: Done, last: Attempted | None) -> Letter:
        arn, now, condition = self._home.arn(event.name), self._clock.now(), done.condition
        attempts = event.failures + (last is not None)
        destination = delivery.destination(entry.settings, condition)
        succeeded = condition == "Success"
        dead = None if succeeded else entry.target.dead_letters
        record = brief = b""
        if destination is not None:
            record = delivery.record(event, arn, condition, last, attempts, now)
            brief = delivery.record(event, arn, condition, last, attempts, now, payloads=False)
        message = dead_letters.message_of(last.result.payload) if dead and last else condition
        code = 200 if last is not None else 429
        return Letter(
            event.name,
            f"{arn}:{event.qualifier or LATEST}",
            event.request_id,
            succeeded,
            record,
            brief,
            now,
            destination,
            event.payload,
            dead,
            code,
            message,
            trace=event.trace_id,
        )

    async def _bury(self, claim: Claim, reason: str) -> None:
        await self._store.write(lambda tx: self._queue.bury(tx, claim, reason))
