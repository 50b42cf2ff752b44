"""A pump: takes work from one ready queue, some items at a time, and has each done.

The form of asynchronous work whose items need not be told apart before they are begun. Whatever goes wrong with an
item, it is not lost: its lease runs out, and it is done again. Who works longer than the lease extends it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mayfly.errors import PlatformError
from mayfly.store.api import Claim, ReadyQueue, StaleClaimError, StoreClosedError

MOST_CLAIMED = 32  # in one go
IDLE_S = 3600.0
PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Pump:
    """Has `work` done for every item of `queue`, claimed for `lease_s`; `work` completes the item in the transaction of
    its effect."""

    def __init__(
        self,
        ready: ReadyQueue,
        queue: str,
        work: Callable[[Claim], Awaitable[None]],
        concurrency: int,
        lease_s: float,
    ) -> None:
        self._ready = ready
        self._queue = queue
        self._work = work
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._free = asyncio.Semaphore(concurrency)
        self._under_way = 0
        self._finished = False
        self._claiming: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the store is closed, or after `finish` until what is under way has ended; cancel to cut that short."""
        async with asyncio.TaskGroup() as tasks:
            if not self._finished:
                self._claiming = tasks.create_task(self._claim_on(tasks))

    def finish(self) -> None:
        """Claim nothing more."""
        self._finished = True
        if self._claiming is not None:
            self._claiming.cancel()

    async def _claim_on(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                await self._claim(tasks)
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception(
                    "work of %s cannot be claimed now; the next attempt follows in %.0f s", self._queue, PAUSE_S
                )
                await asyncio.sleep(PAUSE_S)

    async def _claim(self, tasks: asyncio.TaskGroup) -> None:
        await self._free.acquire()
        self._free.release()
        room = min(MOST_CLAIMED, self._concurrency - self._under_way)
        claims = await self._ready.claim(self._queue, room, self._lease_s)
        for claim in claims:
            await self._free.acquire()
            self._under_way += 1
            tasks.create_task(self._one(claim))
        if not claims:
            await self._ready.wait(self._queue, IDLE_S)

    async def _one(self, claim: Claim) -> None:
        """The boundary around one item."""
        try:
            await self._work(claim)
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("work of %s was not recorded, it will be done again: %s", self._queue, error)
        except Exception:
            _log.exception("work of %s failed; it is tried again when its lease has run out", self._queue)
        finally:
            self._under_way -= 1
            self._free.release()
