"""Deliveries out of the ready queue: first events for roles that must be asked about, retries, and universal targets.

A delivery to a local target is one commit with the removal of its item; a call of an operation is made at least once,
its lease extended meanwhile. Each destination has a bounded number of deliveries under way, so that a slow one leaves
room for the others. What can be tried no more goes to the schedule's dead-letter queue, or stays among the dead items.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.contract import ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import QueueMessage, QueueSink
from mayfly.services.pump import Pump
from mayfly.services.schedules import catalog, handing, rendering, retrying
from mayfly.services.schedules.calling import Calling
from mayfly.services.schedules.firing import QUEUE
from mayfly.services.schedules.handing import Handing
from mayfly.services.schedules.model import Delivery
from mayfly.services.schedules.names import Home
from mayfly.store.api import Claim, NewItem, ReadyQueue, StaleClaimError, Store, StoreClosedError, Tx

LEASE_S = 15.0
EXTEND_EVERY_S = 5.0
UNDER_WAY = 64  # at once
OF_ONE_DESTINATION = 16  # of them
_BATCH = 32
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delivery).decode


class Deliveries:
    """Delivers: `run`, as a task of the service. Cancelling it leaves what is under way for the next process."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        clock: Clock,
        home: Home,
        handing_over: Handing,
        calling: Calling,
        roles: ExecutionRoles,
        dead_letters: QueueSink,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._home = home
        self._handing = handing_over
        self._calling = calling
        self._roles = roles
        self._dead_letters = dead_letters
        self._jitter = jitter
        self._pump = Pump(queue, QUEUE, self._deliver, UNDER_WAY, LEASE_S)
        self._busy: Counter[str] = Counter()

    async def run(self) -> None:
        """Claim and deliver until cancelled, or until the store is closed."""
        await self._pump.run()

    async def settle(self) -> int:
        """Deliver what is ready now, one after the other; how many: for tests and for a stop in order."""
        count = 0
        while claims := await self._queue.claim(QUEUE, _BATCH, LEASE_S):
            for claim in claims:
                await self._deliver(claim)
                count += 1
        return count

    async def _deliver(self, claim: Claim) -> None:
        try:
            delivery = _decode(claim.payload)
        except msgspec.DecodeError as error:
            reason = f"not a delivery: {error}"
            return await self._store.write(lambda tx: self._queue.bury(tx, claim, reason))
        if (ended := retrying.exhausted(delivery, self._clock.now())) is not None:
            return await self._give_up(claim, delivery, ended)
        arn = delivery.target["Arn"]
        if handing.is_local(arn):
            return await self._attempt(claim, delivery)  # which keeps nobody waiting
        if self._busy[arn] >= OF_ONE_DESTINATION:
            return await self._store.write(lambda tx: self._queue.retry(tx, claim, self._clock.now() + _PAUSE_S))
        self._busy[arn] += 1
        try:
            return await self._attempt(claim, delivery)
        finally:
            self._busy[arn] -= 1
            if not self._busy[arn]:
                del self._busy[arn]

    async def _attempt(self, claim: Claim, delivery: Delivery) -> None:
        try:
            if handing.is_local(delivery.target["Arn"]):
                await self._roles.assume(delivery.target["RoleArn"])
                return await self._store.write(lambda tx: self._hand_over(tx, claim, delivery))
            claim = await self._call(claim, delivery)
        except ServiceError as error:
            return await self._failed(claim, delivery, error)
        except PlatformError as error:
            if isinstance(error, (StaleClaimError, StoreClosedError)):
                raise
            return await self._failed(claim, delivery, ServiceError("InternalServerException", str(error), status=500))
        return await self._store.write(lambda tx: self._conclude(tx, claim, delivery))

    def _hand_over(self, tx: Tx, claim: Claim, delivery: Delivery) -> None:
        self._handing.hand(tx, delivery)
        self._conclude(tx, claim, delivery)

    async def _call(self, claim: Claim, delivery: Delivery) -> Claim:
        """Call the operation, keeping the lease meanwhile; the claim as it stands afterwards."""
        call = asyncio.create_task(self._calling.call(delivery))
        try:
            while not (await asyncio.wait({call}, timeout=EXTEND_EVERY_S))[0]:
                claim = await self._queue.extend(claim, LEASE_S)
        finally:
            if not call.done():
                call.cancel()
        call.result()
        return claim

    async def _failed(self, claim: Claim, delivery: Delivery, error: ServiceError) -> None:
        now = self._clock.now()
        failed = msgspec.structs.replace(
            delivery, attempts=delivery.attempts + 1, error_code=error.code, error_message=error.message
        )
        decided = retrying.after_failure(failed, now, self._jitter())
        if isinstance(decided, str):
            return await self._give_up(claim, failed, decided)
        first = logging.WARNING if not delivery.attempts else logging.DEBUG
        _log.log(first, "schedule %s/%s is tried again: %s", delivery.group, delivery.name, error)

        def body(tx: Tx) -> None:
            self._queue.complete(tx, claim)
            self._queue.enqueue(tx, [NewItem(QUEUE, _encode(failed), decided)])

        return await self._store.write(body)

    async def _give_up(self, claim: Claim, delivery: Delivery, ended: str) -> None:
        """No further attempt: tell the dead-letter queue, and keep the item among the dead where there is none."""
        arn: str | None = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        reason = f"{ended}: {delivery.error_code}: {delivery.error_message}"
        _log.warning(
            "schedule %s/%s did not reach %s: %s", delivery.group, delivery.name, delivery.target["Arn"], reason
        )
        if arn is not None:
            event = rendering.payload(delivery, self._home, delivery.execution_id)
            body, attributes = rendering.dead_letter(delivery, self._home, event, ended)
            message = QueueMessage(body, attributes)

            def tell(tx: Tx) -> None:
                self._dead_letters.send(tx, arn, message)
                self._conclude(tx, claim, delivery)

            try:
                return await self._store.write(tell)
            except ServiceError as error:
                reason = f"{reason}; the dead-letter queue refused it: {error.message}"

        def bury(tx: Tx) -> None:
            self._queue.bury(tx, claim, reason)
            self._complete(tx, delivery)

        return await self._store.write(bury)

    def _conclude(self, tx: Tx, claim: Claim, delivery: Delivery) -> None:
        self._queue.complete(tx, claim)
        self._complete(tx, delivery)

    def _complete(self, tx: Tx, delivery: Delivery) -> None:
        """With its last delivery a schedule is completed, unless it was changed or made anew meanwhile."""
        if not delivery.last:
            return
        schedule = catalog.find(tx, delivery.group, delivery.name)
        if schedule is not None and schedule.serial == delivery.serial and schedule.action == "DELETE":
            catalog.remove(tx, delivery.group, delivery.name)
