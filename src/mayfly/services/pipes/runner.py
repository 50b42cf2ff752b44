"""One running pipe: batches from the source through the steps to the target, several at a time where it is called.

Whatever fails is logged and left in the source, whose rules then apply; after failures in a row the next batch is taken
later and later, so that a target that is down is not called without end.
"""

import asyncio
import json
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mayfly import ids
from mayfly.clock import Clock, iso_millis
from mayfly.errors import PlatformError
from mayfly.policy.retry import backoff
from mayfly.services.contract import ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.pipes import enriching, templates
from mayfly.services.pipes.calls import Calls
from mayfly.services.pipes.execution_log import ExecutionLog
from mayfly.services.pipes.filters import Filter
from mayfly.services.pipes.model import Pipe
from mayfly.services.pipes.names import Home
from mayfly.services.pipes.sources import Record, Source
from mayfly.services.pipes.targets import Called, Item, Local
from mayfly.services.ports import DestinationCalls
from mayfly.store.api import StaleClaimError, Store, StoreClosedError, Tx

BATCHES = 10  # under way at once
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
_PAYLOAD_BYTES = 5 * 1024 * 1024  # of one call; a function takes 6 MiB

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runner works with."""

    store: Store
    clock: Clock
    home: Home
    calls: Calls
    destinations: DestinationCalls
    roles: ExecutionRoles
    source: Source
    filter: Filter
    target: Local | Called
    log: ExecutionLog


class Runner:
    """Runs `pipe` until it is cancelled; `finish` lets what is under way come to its end first."""

    def __init__(self, pipe: Pipe, parts: Parts, jitter: Callable[[], float] = random.random) -> None:
        self._pipe = pipe
        self._jitter = jitter
        self._parts = parts
        self._free = asyncio.Semaphore(BATCHES)
        self._failures = 0  # in a row
        self._finishing = asyncio.Event()

    async def run(self) -> None:
        """Take and work on batches, until `finish`."""
        async with asyncio.TaskGroup() as batches:
            taking = batches.create_task(self._take(batches))
            await self._finishing.wait()
            taking.cancel()

    def finish(self) -> None:
        """Take no more batches."""
        self._finishing.set()

    async def _take(self, batches: asyncio.TaskGroup) -> None:
        while True:
            if self._failures:
                await asyncio.sleep(backoff(self._failures, FIRST_PAUSE_S, LONGEST_PAUSE_S, self._jitter(), spread=0.5))
            await self._free.acquire()
            try:
                records = await self._parts.source.next()
            except StoreClosedError:
                return
            except (ServiceError, PlatformError) as error:
                self._free.release()
                self._failures += 1
                _log.warning("the source of pipe %s cannot be read now: %s", self._pipe.name, error)
                continue
            if records:
                batches.create_task(self._work_on(records))
            else:
                self._free.release()

    async def _work_on(self, records: Sequence[Record]) -> None:
        """The boundary around one batch: whatever goes wrong, its records are in the source still."""
        keeping = asyncio.create_task(self._keep(records))
        try:
            failed = 0
            for part in _parts_of(records):
                failed += await self._process(part)
            self._failures = self._failures + 1 if failed else 0
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("a batch of pipe %s was not recorded, it will come again: %s", self._pipe.name, error)
        except Exception:
            self._failures += 1
            _log.exception("a batch of pipe %s failed", self._pipe.name)
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            self._free.release()

    async def _keep(self, records: Sequence[Record]) -> None:
        while True:
            await asyncio.sleep(self._parts.source.keep_every_s)
            try:
                await self._parts.source.keep(records)
            except (ServiceError, PlatformError) as error:
                _log.info("records of pipe %s cannot be held longer: %s", self._pipe.name, error)

    async def _process(self, records: Sequence[Record]) -> int:
        """Take records through the steps; how many failed, and stay."""
        execution = ids.request_id()
        passed: list[Record] = []
        dropped: list[Record] = []
        for record in records:
            (passed if self._parts.filter.passes(record.event) else dropped).append(record)
        if not passed:
            await self._parts.store.write(lambda tx: self._parts.source.done(tx, dropped))
            return 0
        self._parts.log.write("INFO", "ExecutionStarted", execution, [record.event for record in passed])
        try:
            await self._parts.roles.assume(self._pipe.role)
            failed = await self._deliver(passed, dropped)
        except ServiceError as error:
            self._parts.log.write("ERROR", "ExecutionFailed", execution, error=error)
            _log.warning("pipe %s: %s", self._pipe.name, error)
            return len(passed)
        if failed:
            kind = "ExecutionPartiallyFailed" if failed < len(passed) else "ExecutionFailed"
            self._parts.log.write("ERROR", kind, execution)
        else:
            self._parts.log.write("INFO", "ExecutionSucceeded", execution)
        return failed

    async def _deliver(self, passed: list[Record], dropped: list[Record]) -> int:
        events: list[Any] = [record.event for record in passed]
        enriched = bool(self._pipe.enrichment)
        if enriched:
            template = self._pipe.enrichment_parameters.get("InputTemplate")
            values = [self._rendered(template, event) for event in events]
            events = await enriching.enrich(self._parts.calls, self._parts.destinations, self._pipe, events, values)
        template = self._pipe.target_parameters.get("InputTemplate")
        items = [Item(event, self._rendered(template, event)) for event in events]
        if not items:
            await self._parts.store.write(lambda tx: self._parts.source.done(tx, [*passed, *dropped]))
            return 0
        target = self._parts.target
        if isinstance(target, Local):
            return await self._hand_over(target, items, passed, dropped, together=enriched)
        failed = await target.call(items, [record.id for record in passed])
        kept = _with_followers(passed, {place for place in failed if place < len(passed)})
        if enriched and failed:
            kept = set(range(len(passed)))
        done = [record for place, record in enumerate(passed) if place not in kept]
        await self._parts.store.write(lambda tx: self._parts.source.done(tx, [*done, *dropped]))
        return len(kept)

    async def _hand_over(
        self, target: Local, items: list[Item], passed: list[Record], dropped: list[Record], *, together: bool
    ) -> int:
        """Hand items over in the transaction that removes their records. Where an enrichment stands in between, nobody
        knows which event came of which record, so that all of them succeed or none."""

        def all_of_them(tx: Tx) -> int:
            target.accept(tx, items)
            self._parts.source.done(tx, [*passed, *dropped])
            return 0

        def each(tx: Tx) -> int:
            kept: set[int] = set()
            for place, item in enumerate(items):
                if place in kept:
                    continue
                try:
                    target.accept(tx, [item])
                except ServiceError as error:
                    _log.warning("pipe %s: the target refused a record: %s", self._pipe.name, error.message)
                    kept = _with_followers(passed, kept | {place})
            done = [record for place, record in enumerate(passed) if place not in kept]
            self._parts.source.done(tx, [*done, *dropped])
            return len(kept)

        try:
            return await self._parts.store.write(all_of_them)
        except ServiceError:
            if together or len(items) == 1:
                raise
            return await self._parts.store.write(each)

    def _rendered(self, template: str | None, event: Any) -> Any:
        if not template:
            return event
        pipe, home = self._pipe, self._parts.home
        reserved = {
            "pipe-arn": home.arn(pipe.name),
            "pipe-name": pipe.name,
            "source-arn": pipe.source,
            "enrichment-arn": pipe.enrichment,
            "target-arn": pipe.target,
            "event.ingestion-time": iso_millis(self._parts.clock.now()),
        }
        return templates.render(template, event, reserved)


def _with_followers(records: Sequence[Record], failed: set[int]) -> set[int]:
    """The places that fail with those that did: of a group in order, all that follow."""
    broken: set[str] = set()
    kept = set(failed)
    for place, record in enumerate(records):
        if record.group is None:
            continue
        if record.group in broken:
            kept.add(place)
        elif place in failed:
            broken.add(record.group)
    return kept


def _parts_of(records: Sequence[Record]) -> list[list[Record]]:
    """A batch in parts that fit into a call, in order."""
    parts: list[list[Record]] = [[]]
    size = 0
    for record in records:
        length = len(json.dumps(record.event))
        if parts[-1] and size + length > _PAYLOAD_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(record)
        size += length
    return parts
