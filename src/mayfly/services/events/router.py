"""From a bus to targets: which rules an event matches, what their targets get, which archives keep it.

Runs in the transaction that puts the event on the bus, so that acknowledged means delivered to every local target, or
written down for later. One event may match thousands of rules; after the first few deliveries the rest is left to
a lane, page by page, so that no transaction is long.

An event goes from bus to bus by rules whose target is a bus. It remembers the buses that it has been on: it is not put
on one of them again, nor on more than eight.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from mayfly.services.events import archives
from mayfly.services.events.attempts import Failure
from mayfly.services.events.catalog import Aim, Catalog, Matched, Subscriber
from mayfly.services.events.deliveries import Deliveries
from mayfly.services.events.lanes import Lanes
from mayfly.services.events.model import BusKey, Event
from mayfly.store.api import Claim, ReadyQueue, Store, Tx

INLINE = 16  # deliveries of one event in the transaction that puts it on the bus
PAGE = 100  # and in each of those that follow
MOST_BUSES = 8
LANE = "events.rules"  # of events that are not through with the rules of a bus; no ARN, so no target's


class Onward(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event that is not through with a bus, as it waits in the lane."""

    id: str
    time: float
    text: bytes
    bus: BusKey
    via: tuple[str, ...] = ()  # ARNs of the buses before
    only: tuple[str, ...] = ()  # ARNs of the rules that hear of it; none: all
    after: str = ""  # the last rule that is done
    begun: bool = False  # archives have it
    trace: str | None = None


@dataclass(slots=True)
class _Budget:
    left: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Onward).decode


class Router:
    """Routes events. `handle` is for the lane called `LANE`."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        lanes: Lanes,
        catalog: Catalog,
        deliveries: Deliveries,
        now: Callable[[], float],
        notice: Callable[[Tx, BusKey, Event], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._lanes = lanes
        self._catalog = catalog
        self._deliveries = deliveries
        self._now = now
        self._notice = notice

    def route(self, tx: Tx, bus: BusKey, event: Event, only: Collection[str] = ()) -> None:
        """Put an event on a bus; on none, if there is no such bus. Never raises `ServiceError`."""
        onward = Onward(event.id, event.time, event.text, bus, only=tuple(only), trace=event.trace)
        self._expand(tx, onward, event, _Budget(INLINE))

    async def handle(self, claim: Claim) -> None:
        """The next page of an event that is not through."""
        onward = _decode(claim.payload)

        event = Event(onward.id, onward.time, onward.text, trace=onward.trace)

        def body(tx: Tx) -> None:
            self._expand(tx, onward, event, _Budget(PAGE))
            self._queue.complete(tx, claim)

        await self._store.write(body)

    def send(self, tx: Tx, subscriber: Subscriber, event: Event) -> None:
        """Give an event to all targets of one rule, whatever its pattern."""
        nowhere = Onward(event.id, event.time, event.text, BusKey("", "", ""))
        for aim in subscriber.aims:
            self._send(tx, nowhere, subscriber, aim, event, _Budget(INLINE))

    def _expand(self, tx: Tx, onward: Onward, event: Event, budget: _Budget) -> None:
        bus = self._catalog.bus(tx, onward.bus)
        if bus is None or bus.is_idle():
            return
        if bus.watched and not onward.begun:
            self._notice(tx, onward.bus, event)
        matched = bus.match(event.fields)
        if not onward.begun:
            self._archive(tx, matched, event)
        after = onward.after
        for subscriber in matched.subscribers:
            if subscriber.name <= onward.after or (onward.only and subscriber.arn not in onward.only):
                continue
            if budget.left <= 0:
                self._lanes.put(tx, LANE, _encode(msgspec.structs.replace(onward, after=after, begun=True)))
                return
            for aim in subscriber.aims:
                budget.left -= 1
                self._send(tx, onward, subscriber, aim, event, budget)
            after = subscriber.name

    def _send(self, tx: Tx, onward: Onward, subscriber: Subscriber, aim: Aim, event: Event, budget: _Budget) -> None:
        if aim.bus is None:
            self._deliveries.first(tx, subscriber.arn, subscriber.name, aim, event)
            return
        via = (*onward.via, onward.bus.arn)
        failure = self._no_way(tx, aim, via)
        if failure is not None:
            self._deliveries.give_up(tx, subscriber.arn, aim, event, failure)
            return
        hop = Onward(event.id, event.time, event.text, aim.bus, via, trace=event.trace)
        if budget.left <= 0:
            self._lanes.put(tx, LANE, _encode(hop))
        else:
            self._expand(tx, hop, event, budget)

    def _no_way(self, tx: Tx, aim: Aim, via: tuple[str, ...]) -> Failure | None:
        """Why an event that was on the buses `via` cannot go on to another one."""
        assert aim.bus is not None
        if aim.target.arn in via:
            return Failure("LOOP_DETECTED", "The event has been on this event bus before.", retry=False)
        if len(via) >= MOST_BUSES:
            return Failure("LOOP_DETECTED", f"The event has been on {len(via)} event buses.", retry=False)
        if self._catalog.bus(tx, aim.bus) is None:
            return Failure("NO_RESOURCE", f"Event bus {aim.bus.name} does not exist.", retry=False)
        return None

    def _archive(self, tx: Tx, matched: Matched, event: Event) -> None:
        if matched.archives and "replay-name" not in event.fields:
            for serial in matched.archives:
                archives.keep(tx, serial, event, self._now())
