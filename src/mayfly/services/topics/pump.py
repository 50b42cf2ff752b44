"""A pump: takes work from one ready queue, some items at a time, and has each done.

The form of all asynchronous work of topics that is not for one URL. Whatever goes wrong with an item, it is not lost:
its lease runs out, and it is done again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mayfly.errors import PlatformError
from mayfly.store.api import Claim, ReadyQueue, StaleClaimError, StoreClosedError

LEASE_S = 60.0
IDLE_S = 3600.0
PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Pump:
    """Runs `work` for every item of `queue`; `work` completes the item in the transaction of its effect."""

    def __init__(
        self, ready: ReadyQueue, queue: str, work: Callable[[Claim], Awaitable[None]], concurrency: int
    ) -> None:
        self._ready = ready
        self._queue = queue
        self._work = work
        self._concurrency = concurrency
        self._free = asyncio.Semaphore(concurrency)
        self._under_way = 0

    async def run(self) -> None:
        """Until cancelled, or the store is closed."""
        async with asyncio.TaskGroup() as tasks:
            while await self._claim(tasks):
                pass

    async def _claim(self, tasks: asyncio.TaskGroup) -> bool:
        try:
            await self._free.acquire()
            self._free.release()
            claims = await self._ready.claim(self._queue, self._concurrency - self._under_way, LEASE_S)
            for claim in claims:
                await self._free.acquire()
                self._under_way += 1
                tasks.create_task(self._one(claim))
            if not claims:
                await self._ready.wait(self._queue, IDLE_S)
        except StoreClosedError:
            return False
        except PlatformError:
            _log.exception("work of %s cannot be claimed now; the next attempt follows in %.0f s", self._queue, PAUSE_S)
            await asyncio.sleep(PAUSE_S)
        return True

    async def _one(self, claim: Claim) -> None:
        try:
            await self._work(claim)
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("work of %s was not recorded, it will be done again: %s", self._queue, error)
        except Exception:
            _log.exception("work of %s failed; it is tried again when its lease has run out", self._queue)
        finally:
            self._under_way -= 1
            self._free.release()
