"""Carries out what the ready queue asks for: invocations of executions, and calls of what they invoke.

What is claimed runs in a task of its own, and its lease is extended meanwhile. A server that dies leaves leases, which
the next one takes up, `concurrency` of them at a time; executions that somebody waits for need not wait for others, so
that a function that waits for an execution from within another is never in its own way.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from mayfly.engine.api import EngineClosedError, ThrottledError
from mayfly.errors import PlatformError
from mayfly.policy.retry import THROTTLE_FIRST_S, THROTTLE_MOST_S, backoff
from mayfly.store.api import Claim, ReadyQueue, StaleClaimError, StoreClosedError

LEASE_S = 15.0
EXTEND_EVERY_S = 5.0
PAUSE_S = 1.0
_BATCH = 32
_IDLE_S = 60.0

_log = logging.getLogger(__name__)


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


class Worker:
    """Works through one queue: `run`, as a task."""

    def __init__(self, queue: ReadyQueue, name: str, concurrency: int, carry: Carry) -> None:
        self._queue = queue
        self._name = name
        self._concurrency = concurrency
        self._carry = carry
        self._free = asyncio.Semaphore(concurrency)
        self._under_way = 0
        self._finishing = asyncio.Event()

    async def run(self) -> None:
        """Until `finish`, then see what is under way to its end; cancel to cut that short."""
        async with asyncio.TaskGroup() as tasks:
            claiming = tasks.create_task(self._claim(tasks))
            await self._finishing.wait()
            claiming.cancel()

    def finish(self) -> None:
        """Claim nothing more."""
        self._finishing.set()

    async def _claim(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                await self._free.acquire()
                self._free.release()
                room = min(_BATCH, self._concurrency - self._under_way)
                claims = await self._queue.claim(self._name, room, LEASE_S)
                for claim in claims:
                    await self._free.acquire()
                    self._under_way += 1
                    tasks.create_task(self._carry_one(claim))
                if not claims:
                    await self._queue.wait(self._name, _IDLE_S)
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("nothing of %s can be claimed now; the next attempt follows", self._name)
                await asyncio.sleep(PAUSE_S)

    async def _carry_one(self, claim: Claim) -> None:
        """The boundary around one item: whatever goes wrong, it is not lost, its lease runs out."""
        try:
            await self._carry(Lease(self._queue, claim))
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("an item of %s is taken up again: %s", self._name, error)
        except Exception:
            _log.exception("an item of %s failed; it is tried again when its lease has run out", self._name)
        finally:
            self._under_way -= 1
            self._free.release()


def pause_after(error: Exception, attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """How long to wait after a call that could not be made for the `attempt`-th time."""
    if isinstance(error, EngineClosedError):
        return PAUSE_S  # for the next server; this one stops claiming any moment
    after_s = error.retry_after_s if isinstance(error, ThrottledError) else None
    return max(after_s or 0.0, backoff(attempt, THROTTLE_FIRST_S, THROTTLE_MOST_S, jitter(), spread=0.5))
