"""One enabled mapping: batches from its source through its function, several at a time.

The source's driver knows what a batch is and what follows its result; here is what is the same for all of them: how
many are under way (`policy.pollers`), calls that are throttled and tried again for as long as the source holds the
batch, what is told of the mapping. Whatever goes wrong, a batch that was not settled comes again.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mayfly import ids
from mayfly.clock import Clock
from mayfly.engine.api import EngineClosedError, ThrottledError
from mayfly.errors import PlatformError
from mayfly.policy import pollers
from mayfly.policy.retry import backoff
from mayfly.services.contract import ServiceError
from mayfly.services.functions import recursion
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.calling import Calls, Entries
from mayfly.services.functions.mappings.catalog import function_name
from mayfly.services.functions.mappings.drivers import Batch, Driver, Meter, Ran
from mayfly.services.functions.mappings.model import OK, Mapping
from mayfly.store.api import StaleClaimError, StoreClosedError

LOOK_S: Final = 20.0  # a source is asked for so long before it is asked again
PACE_S: Final = 1.0  # between two decisions on how many batches
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
FUNCTION_FAILED: Final = "PROBLEM: Function call failed"
_TELL_EVERY_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runner works with."""

    clock: Clock
    entries: Entries
    calls: Calls
    driver: Driver
    meter: Meter
    limits: pollers.Bounds
    tell: Callable[[str], None]  # the result of the last processing, where it is another one
    jitter: Callable[[], float] = random.random


@dataclass(slots=True)
class _Period:
    """What happened since the last decision."""

    began: float
    busy: bool = False
    throttles: int = 0
    failed: int = 0
    durations: list[float] = field(default_factory=list)


class Runner:
    """Runs `mapping` until it is cancelled; `finish` lets what is under way come to its end first."""

    def __init__(self, mapping: Mapping, parts: Parts) -> None:
        self._mapping = mapping
        self._parts = parts
        self._clock = parts.clock
        self._driver = parts.driver
        name, _, qualifier = mapping.function.partition(":function:")[2].partition(":")
        assert name == function_name(mapping.function)
        self._name, self._qualifier = name, qualifier or None
        self._pollers = pollers.begin(parts.limits)
        self._period = _Period(self._clock.monotonic())
        self._under_way = 0
        self._ready: deque[Batch] = deque()  # taken ahead, where batches are so short that they hardly wait
        self._mean_s: float | None = None  # that a batch took lately
        self._failures = 0  # of reading the source, in a row
        self._freed = asyncio.Event()
        self._active = asyncio.Event()  # set while there is anything to decide
        self._finishing = asyncio.Event()
        self._told = (mapping.last_result, -_TELL_EVERY_S)

    async def run(self) -> None:
        """Take and work on batches, until `finish`."""
        try:
            async with asyncio.TaskGroup() as batches:
                taking = batches.create_task(self._take(batches))
                pacing = batches.create_task(self._pace(batches))
                await self._finishing.wait()
                taking.cancel()
                pacing.cancel()
                ready, self._ready = self._ready, deque()
                for batch in ready:
                    batches.create_task(self._give_back(batch))
        finally:
            await self._close()

    def finish(self) -> None:
        """Take no more batches."""
        self._finishing.set()

    async def _give_back(self, batch: Batch) -> None:
        try:
            await self._driver.give_back(batch)
        except (ServiceError, PlatformError) as error:
            _log.info("a batch of %s was not given back, it comes again later: %s", self._mapping.uuid, error)

    async def _close(self) -> None:
        try:
            await self._driver.close()
        except (ServiceError, PlatformError) as error:
            _log.info("the source of %s was not closed in order: %s", self._mapping.uuid, error)

    async def _take(self, batches: asyncio.TaskGroup) -> None:
        opened = False
        while True:
            try:
                if self._failures:
                    await asyncio.sleep(self._pause(self._failures))
                if not opened:
                    await self._driver.open()
                    opened = True
                room = await self._room()
                found = await self._driver.poll(room, LOOK_S)
                self._failures = 0
            except StoreClosedError:
                return
            except (ServiceError, PlatformError) as error:
                opened = False
                self._failures += 1
                self._tell(f"PROBLEM: {error.message if isinstance(error, ServiceError) else error}")
                _log.warning("the source of %s cannot be read now: %s", self._mapping.uuid, error)
                continue
            self._ready.extend(found)
            self._begin(batches)

    async def _room(self) -> int:
        """How many more batches may be taken; at least one, and many at once where many are taken ahead."""
        while True:
            allowed, ahead = int(self._pollers.allowed), pollers.ahead(self._pollers.allowed, self._mean_s)
            taken = self._under_way + len(self._ready)
            if taken < allowed or taken <= allowed + ahead // 2:
                return max(1, allowed + ahead - taken)
            self._freed.clear()
            await self._freed.wait()

    def _begin(self, batches: asyncio.TaskGroup) -> None:
        """Work on what was taken, as far as may be."""
        while self._ready and not self._finishing.is_set():
            if self._under_way >= int(self._pollers.allowed):
                self._period.busy = True
                return
            self._under_way += 1
            self._active.set()
            batches.create_task(self._work_on(self._ready.popleft(), batches))

    async def _pace(self, batches: asyncio.TaskGroup) -> None:
        while True:
            await self._active.wait()
            self._period.began = self._clock.monotonic()
            await asyncio.sleep(PACE_S)
            now, period = self._clock.monotonic(), self._period
            self._period = _Period(now)
            taken = period.durations
            seen = pollers.Seen(
                elapsed_s=max(0.0, now - period.began),
                busy=period.busy,
                throttles=period.throttles,
                failing=bool(taken) and period.failed == len(taken),
                mean_s=sum(taken) / len(taken) if taken else None,
            )
            self._pollers = pollers.step(self._pollers, seen, self._parts.limits)
            self._begin(batches)
            self._freed.set()
            if not self._under_way and not self._ready and self._pollers.allowed == self._parts.limits.least:
                self._active.clear()  # a mapping without work costs nothing

    async def _work_on(self, batch: Batch, batches: asyncio.TaskGroup) -> None:
        """The boundary around one batch."""
        try:
            await self._process(batch)
        except (StaleClaimError, StoreClosedError, EngineClosedError) as error:
            _log.info("a batch of %s was not settled, it will come again: %s", self._mapping.uuid, error)
        except Exception:
            _log.exception("a batch of %s (%s) failed; it will come again", self._mapping.uuid, batch.name)
            await self._driver.release(batch)
        finally:
            self._under_way -= 1
            self._begin(batches)
            self._freed.set()

    async def _process(self, batch: Batch) -> None:
        began = self._clock.monotonic()
        try:
            ran = await self._call(batch)
        except EngineClosedError:
            await self._driver.give_back(batch)
            raise
        if ran is None:
            await self._driver.release(batch)
            return
        self._took(self._clock.monotonic() - began)
        failed = await self._driver.settle(batch, ran)
        self._parts.meter.add("InvokedEventCount", len(batch.records))
        if failed:
            self._parts.meter.add("FailedInvokeEventCount", failed)
        if failed and failed >= len(batch.records):
            self._period.failed += 1
        self._tell(FUNCTION_FAILED if ran.failed else OK)

    def _took(self, duration_s: float) -> None:
        self._period.durations.append(duration_s)
        mean_s = self._mean_s
        self._mean_s = duration_s if mean_s is None else mean_s + (duration_s - mean_s) / 8

    async def _call(self, batch: Batch) -> Ran | None:
        """Run the function, once it may run; None when the source holds the batch no longer."""
        asked = Asked(batch.payload, ids.request_id(), self._mapping.function, "event", trace_id=batch.trace)
        attempts = 0
        while True:
            try:
                entry = self._parts.entries.peek(self._name, self._qualifier)
                if entry is None:
                    entry = await self._parts.entries.get(self._name, self._qualifier)
                invocation = await self._parts.calls.invoke(entry, asked)
                result = invocation.result
                return Ran(asked.request_id, result.failed, result.payload, invocation.version)
            except (EngineClosedError, StoreClosedError):
                raise
            except ThrottledError as error:
                self._period.throttles += 1
                _log.debug("a batch of %s waits: %s", self._mapping.uuid, error)
            except (ServiceError, PlatformError) as error:
                if isinstance(error, ServiceError) and error.code == recursion.CODE:
                    return Ran(asked.request_id, failed=True, answer=b"", version="")  # it will be no better again
                self._period.throttles += 1
                self._tell(f"PROBLEM: {error.message if isinstance(error, ServiceError) else error}")
            attempts += 1
            pause_s = self._pause(attempts)
            if self._clock.monotonic() + pause_s > batch.held_until:
                _log.info("a batch of %s could not run while it was held: it comes again", self._mapping.uuid)
                return None
            await asyncio.sleep(pause_s)

    def _pause(self, attempt: int) -> float:
        return backoff(attempt, FIRST_PAUSE_S, LONGEST_PAUSE_S, self._parts.jitter(), spread=0.5)

    def _tell(self, result: str) -> None:
        """Say how it goes, where that is another story than before, and not more often than anybody reads it."""
        before, at = self._told
        now = self._clock.monotonic()
        if result != before and now - at >= _TELL_EVERY_S:
            self._told = (result, now)
            self._parts.tell(result)
