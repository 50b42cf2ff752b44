"""Builds durable functions out of the parts of functions, and owns their tasks. Called by `features`."""

import asyncio
import os
from collections.abc import Sequence

from mayfly.services.functions.asynchronous import default_concurrency
from mayfly.services.functions.durable import chaining, executions, removal
from mayfly.services.functions.durable.calls import DurableCalls
from mayfly.services.functions.durable.carrying import Carrying
from mayfly.services.functions.durable.chaining import Chaining
from mayfly.services.functions.durable.checkpoints import Checkpoints
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.invocations import Invocations
from mayfly.services.functions.durable.letters import DeadLetters
from mayfly.services.functions.durable.operations.callbacks import CallbackOperations
from mayfly.services.functions.durable.operations.checkpointing import CheckpointOperations
from mayfly.services.functions.durable.operations.executions import ExecutionOperations
from mayfly.services.functions.durable.removal import Removal
from mayfly.services.functions.durable.running import pump
from mayfly.services.functions.durable.tails import Tails
from mayfly.services.functions.durable.timers import Timers
from mayfly.services.functions.parts import Parts
from mayfly.store.api import Tx
from mayfly.ticker.ticker import Moment, Tick, Ticker

TICKS = "durable"


class DurableFunctions:
    """`parts.Feature`."""

    def __init__(self, parts: Parts) -> None:
        queue, store, clock = parts.queue, parts.store, parts.clock
        self.ticker = Ticker(store, clock, TICKS, self._tick)
        catalog, outside = parts.stock.catalog, parts.outside
        letters = DeadLetters(outside.targets, outside.counts)
        self.executions = Executions(parts.home, clock, queue, outside.events, outside.counts, self.ticker.set, letters)
        self._timers = Timers(self.executions)
        chained = Chaining(parts.home, catalog, queue, self.executions, outside.counts)
        tails = Tails()
        carrying = Carrying(
            parts.home,
            clock,
            store,
            queue,
            catalog,
            parts.calls,
            self.executions,
            Invocations(self.executions, queue),
            tails,
        )
        removing = Removal(store, queue, self.executions)
        parts.stock.editor.when_deleted(removing.begin)
        at_once = default_concurrency(os.cpu_count() or 1)
        self._pumps = (
            pump(queue, executions.QUEUE, at_once, carrying.execution),
            pump(queue, executions.WAITED, parts.settings.limits.account_concurrency, carrying.waited),
            pump(queue, chaining.QUEUE, at_once, carrying.call),
            pump(queue, removal.QUEUE, 1, removing.carry),
        )
        self.operations: Sequence[object] = (
            CheckpointOperations(parts.home, store, self.executions, Checkpoints(self.executions, chained), chained),
            CallbackOperations(store, self.executions),
            ExecutionOperations(parts.home, store, self.executions),
        )
        self._tasks: list[asyncio.Task[None]] = []
        parts.calls.bind_durable(DurableCalls(parts.home, store, parts.calls, self.executions, tails))

    def _tick(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        return self._timers.tick(tx, tick, now)

    async def start(self) -> None:
        """Go on with what is due, and with what a server that died has left."""
        self._tasks = [
            *(asyncio.create_task(one.run(), name="durable executions") for one in self._pumps),
            asyncio.create_task(self.ticker.run(), name="durable executions' time"),
        ]

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, and see invocations to their end for `grace_s`; what is cut short is made again."""
        self.executions.stop_watching()
        for one in self._pumps:
            one.finish()
        if self._tasks:
            await asyncio.wait(self._tasks[:-1], timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
