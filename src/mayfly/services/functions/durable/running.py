"""Carries out what the ready queue asks for: invocations of executions, and calls of what they invoke.

What is claimed runs in a task of its own, and its lease is extended meanwhile. A server that dies leaves leases, which
the next one takes up, `concurrency` of them at a time; executions that somebody waits for need not wait for others, so
that a function that waits for an execution from within another is never in its own way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from mayfly.engine.api import EngineClosedError, ThrottledError
from mayfly.policy.retry import THROTTLE_FIRST_S, THROTTLE_MOST_S, backoff
from mayfly.services.pump import Pump
from mayfly.store.api import Claim, ReadyQueue

LEASE_S = 15.0
EXTEND_EVERY_S = 5.0
PAUSE_S = 1.0


class Lease:
    """A claim that is kept while something goes on; `claim` is as it stands."""

    def __init__(self, queue: ReadyQueue, claim: Claim) -> None:
        self._queue = queue
        self.claim = claim

    async def during(self, work: "asyncio.Task[object]") -> None:
        """Keep it until `work` is done; `StaleClaimError` once it is lost, with the work cancelled."""
        try:
            while not (await asyncio.wait({work}, timeout=EXTEND_EVERY_S))[0]:
                self.claim = await self._queue.extend(self.claim, LEASE_S)
        finally:
            if not work.done():
                work.cancel()


Carry = Callable[[Lease], Awaitable[None]]


def pump(queue: ReadyQueue, name: str, concurrency: int, carry: Carry) -> Pump:
    """Works through one queue."""
    return Pump(queue, name, lambda claim: carry(Lease(queue, claim)), concurrency, LEASE_S)


def pause_after(error: Exception, attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """How long to wait after a call that could not be made for the `attempt`-th time."""
    if isinstance(error, EngineClosedError):
        return PAUSE_S  # for the next server; this one stops claiming any moment
    after_s = error.retry_after_s if isinstance(error, ThrottledError) else None
    return max(after_s or 0.0, backoff(attempt, THROTTLE_FIRST_S, THROTTLE_MOST_S, jitter(), spread=0.5))
