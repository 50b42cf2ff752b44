"""One delivery of one event: run the function, decide what follows, and write it down.

What follows an attempt (`delivery` decides) is one commit with the end of the event, so a crash at any moment leaves
the event either waiting or dealt with. At least once, as AWS has it.
"""

import logging
import random
from collections.abc import Callable

import msgspec

from mayfly.clock import Clock
from mayfly.engine.api import EngineClosedError, ThrottledError
from mayfly.errors import PlatformError
from mayfly.services.contract import ServiceError
from mayfly.services.functions import dead_letters, delivery, tenancy
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Catalog, Entry
from mayfly.services.functions.delivery import AsyncEvent, Attempted, Condition, Done, TryAgain
from mayfly.services.functions.destinations import Destinations, Letter, metric_of
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.model import LATEST
from mayfly.services.functions.names import Home
from mayfly.services.functions.tasks import book
from mayfly.services.functions.tasks.book import Ended
from mayfly.services.functions.tasks.conclusions import Conclusion, Conclusions
from mayfly.services.functions.tasks.held import Held
from mayfly.services.functions.tasks.lanes import Lanes
from mayfly.services.functions.tasks.model import ERROR_BYTES, RESULT_BYTES, Attempt, State, packed, result_use
from mayfly.services.ports import Vault
from mayfly.store.api import ReadyQueue, StaleClaimError, Store, StoreClosedError, Tx

_PAUSE_S = 1.0
_STATES: dict[Condition, State] = {
    "Success": State.SUCCEEDED,
    "Cancelled": State.CANCELLED,
    "DeadlineExceeded": State.EXPIRED,
}
_log = logging.getLogger(__name__)
_decode = msgspec.msgpack.Decoder(AsyncEvent).decode


class Deliveries:
    """Delivers what the dispatcher claimed."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        lanes: Lanes,
        catalog: Catalog,
        invoker: Invoker,
        home: Home,
        clock: Clock,
        destinations: Destinations,
        vault: Vault,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._queue = queue
        self._lanes = lanes
        self._catalog = catalog
        self._invoker = invoker
        self._home = home
        self._clock = clock
        self._destinations = destinations
        self._vault = vault
        self._jitter = jitter
        self._conclusions = Conclusions(store, queue, destinations)

    async def deliver(self, held: Held) -> None:
        """Deliver one event; `StaleClaimError`, `StoreClosedError`."""
        try:
            held.event = event = _decode(held.claim.payload)
            entry = self._catalog.peek(event.name, event.qualifier) or await self._catalog.get(
                event.name, event.qualifier
            )
            tenancy.of_call(entry.function.configuration, event.tenant)
        except msgspec.DecodeError as error:
            return await self._bury(held, f"not an event: {error}")
        except ServiceError as error:
            return await self._bury(held, error.message)
        if event.again and held.claim.attempt == 1:
            item = held.claim.id
            held.before = (await self._store.read(lambda reader: book.before(reader, [item])))[item]
        reserved = entry.function.reserved_concurrency
        if held.stopped:
            return await self._conclude(held, event, entry, Done("Cancelled"), None)
        if done := delivery.before(event, entry.settings, reserved, self._clock.now(), begun=held.begun):
            return await self._conclude(held, event, entry, done, None)
        if self._invoker.drops(entry, event.trace_id):
            return await self._conclude(held, event, entry, Done("RecursiveInvocation"), None)
        try:
            last = await self._attempt(held, event, entry)
        except EngineClosedError:
            ready_at = self._clock.now() + _PAUSE_S  # for the next server; this one stops claiming any moment
            return await self._give_back(held, ready_at)
        except (ThrottledError, PlatformError) as error:
            if isinstance(error, (StaleClaimError, StoreClosedError)):
                raise
            return await self._postpone(held, event, entry, error)
        if held.stopped and last.result.failed:
            return await self._conclude(held, event, entry, Done("Cancelled"), last)
        failures = event.failures + held.before.failures
        decided = delivery.after(event, failures, entry.settings, last.result, self._clock.now())
        if isinstance(decided, Done):
            return await self._conclude(held, event, entry, decided, last)
        return await self._try_again(held, event, decided, last)

    async def give_back(self, held: Held) -> None:
        """Let somebody else have it, or us later: it did not begin."""
        await self._give_back(held, self._clock.now())

    async def _attempt(self, held: Held, event: AsyncEvent, entry: Entry) -> Attempted:
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
        held.began_at, began = self._clock.now(), self._clock.monotonic()
        invocation = await self._invoker.invoke(entry, asked)
        age_ms = max(0.0, held.began_at - event.accepted_at) * 1000  # the clock may have been set back
        self._destinations.count(event.name, "AsyncEventAge", age_ms, "Milliseconds")
        self._lanes.went_well(held.lane)
        held.leave(self._clock.monotonic() - began)
        return Attempted(invocation.result, invocation.version, invocation.log_stream)

    async def _postpone(self, held: Held, event: AsyncEvent, entry: Entry, error: Exception) -> None:
        """The function could not run now."""
        held.began_at = None
        now = self._clock.now()
        decided = delivery.after_throttle(event, entry.settings, held.claim.attempt, now, self._jitter())
        if isinstance(decided, Done):
            return await self._conclude(held, event, entry, decided, None)
        _log.debug("%s waits %.1f s: %s", event.request_id, decided.delay_s, error)
        self._lanes.throttled(held.lane, now + min(decided.delay_s, _PAUSE_S))
        return await self._give_back(held, now + decided.delay_s)

    async def _give_back(self, held: Held, ready_at: float) -> None:
        claim = held.claim

        def body(tx: Tx) -> None:
            self._queue.retry(tx, claim, ready_at)
            tx.after_commit(lambda: self._lanes.woken(claim.queue, ready_at))

        await self._store.write(body)
        held.returned = True

    async def _try_again(self, held: Held, event: AsyncEvent, decided: TryAgain, last: Attempted) -> None:
        """A failure counts, and is noted, on the task."""
        now, claim = self._clock.now(), held.claim
        ready_at = now + decided.delay_s
        history = (*held.before.history, _attempt_of(held, last, now))
        failures = held.before.failures + 1

        def body(tx: Tx) -> None:
            book.failed(tx, claim.id, event, failures, history)
            self._queue.retry(tx, claim, ready_at)
            tx.after_commit(lambda: self._lanes.woken(claim.queue, ready_at))

        await self._store.write(body)
        held.returned = True

    async def _conclude(self, held: Held, event: AsyncEvent, entry: Entry, done: Done, last: Attempted | None) -> None:
        """No further attempt: hand the record over. What nobody took, or was to take, is kept among the dead."""
        now, condition = self._clock.now(), done.condition
        letter = self._letter(held, event, entry, condition, last, now)
        refused = await self._destinations.ahead(letter) if letter is not None else None
        state = _STATES.get(condition, State.FAILED)
        if condition == "EventAgeExceeded" and last is None and not held.begun:
            state = State.EXPIRED
        result = None
        if state is State.SUCCEEDED and last is not None and len(last.result.payload) <= RESULT_BYTES:
            result = self._vault.seal(delivery.as_json(last.result.payload), result_use(held.claim.id))
        failed = last is not None and last.result.failed
        history = (*held.before.history, _attempt_of(held, last, now)) if failed and last else held.before.history
        ended = Ended(
            held.claim.id,
            state,
            held.began_at,
            now,
            last.version if last is not None else None,
            last.log_stream if last is not None else None,
            result,
            None if state is State.SUCCEEDED else condition,
            packed(history),
            held.before.failures + failed,
        )
        for refusal in await self._conclusions.write(Conclusion(held.claim, ended, letter, refused)):
            assert letter is not None, "somebody refused something"
            self._destinations.count(event.name, metric_of(refusal, letter))
            _log.warning("%s: %s; it is kept", event.request_id, refusal)
        if state in (State.FAILED, State.EXPIRED):
            self._destinations.count(event.name, "AsyncEventsDropped")

    def _letter(
        self, held: Held, event: AsyncEvent, entry: Entry, condition: Condition, last: Attempted | None, now: float
    ) -> Letter | None:
        """What is to be handed over; None for nothing."""
        if condition == "Cancelled":
            return None
        durable = entry.function.configuration.durable is not None  # what began here has not ended
        destination = None if durable else delivery.destination(entry.settings, condition)
        succeeded = condition == "Success"
        dead = None if succeeded else entry.target.dead_letters
        if destination is None and dead is None:
            return None
        arn = self._home.arn(event.name)
        attempts = event.failures + held.before.failures + (last is not None)
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

    async def _bury(self, held: Held, reason: str) -> None:
        """There is no function to run, or no event."""
        ended = Ended(
            held.claim.id,
            State.CANCELLED if held.stopped else State.FAILED,
            None,
            self._clock.now(),
            None,
            None,
            None,
            reason,
            packed(held.before.history),
            held.before.failures,
        )
        await self._conclusions.write(Conclusion(held.claim, ended))


def _attempt_of(held: Held, last: Attempted, now: float) -> Attempt:
    error = last.result.payload[:ERROR_BYTES].decode(errors="replace")
    return Attempt(held.began_at or now, now, last.version, last.log_stream, error)
