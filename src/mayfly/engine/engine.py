"""The engine of one machine: finds or makes an instance for every call.

Everything here runs on one event loop. A call is a `Job` from the moment it is accepted until it is settled, which
happens exactly once: answered (with a result or with the function's failure), or failed by the platform. The caller
waits for the job's future and nothing else; that a caller goes away changes nothing, except for jobs that still wait
for an instance, which are then dropped. `placement` says which job runs where; here is what callers see, and time:
keep-alive and shutdown.
"""

import asyncio
import logging
from collections.abc import Callable

from mayfly.clock import Clock
from mayfly.engine.api import (
    Call,
    Counters,
    EndpointServer,
    EngineClosedError,
    Observer,
    Outcome,
    PoolView,
    Prepared,
    Provisioned,
    Target,
)
from mayfly.engine.instance import Host
from mayfly.engine.job import Job
from mayfly.engine.ledger import Ledger
from mayfly.engine.placement import Placement
from mayfly.engine.reporter import Reporter
from mayfly.engine.templates import Templates
from mayfly.policy import keepalive
from mayfly.sandbox.api import SandboxFactory

# How long sandboxes may take to be discarded at the end.
DISCARD_PATIENCE_S = 10.0
# How old an instance may become: what it was given at its start, credentials among it, is not valid for ever.
MAX_AGE_S = 6 * 3600.0

_log = logging.getLogger(__name__)


class LocalEngine:
    """Implements `engine.api.Engine` on the sandboxes of one factory, which it does not close."""

    def __init__(
        self,
        factory: SandboxFactory,
        observer: Observer,
        clock: Clock,
        *,
        memory_mb: int,
        new_id: Callable[[], str],
        account_concurrency: int = 1000,
        init_timeout_s: float = 10.0,
        keep_alive: keepalive.KeepAlive | None = None,
        max_age_s: float = MAX_AGE_S,
        endpoints: EndpointServer | None = None,
    ) -> None:
        """`memory_mb` is the budget of all instances together; `new_id` makes the ids of instances.

        `keep_alive` defaults to five minutes. Must be made and used on one running event loop.
        """
        self._clock = clock
        self._keep_alive = keep_alive or keepalive.fixed(300.0)
        self._loop = asyncio.get_running_loop()
        self._ledger = Ledger(memory_mb, account_concurrency)
        self._sweep_timer: asyncio.TimerHandle | None = None
        reporter = Reporter(observer)
        self._templates = Templates(factory, reporter, new_id, endpoints)
        host = Host(factory, self._templates, reporter, clock, init_timeout_s, endpoints)
        self._placement = Placement(host, self._ledger, new_id, self._fell_idle, max_age_s)

    # What callers ask for.

    async def invoke(self, target: Target, call: Call) -> Outcome:
        if self._placement.closed:
            raise EngineClosedError("the engine is shutting down")
        if target.reserved_concurrency is not None:
            self._ledger.reserve(target.function, target.reserved_concurrency)
        job = Job(target, call, self._loop.create_future(), self._clock.monotonic())
        self._placement.submit(job)
        return await job.future

    def retire(self, key: str) -> None:
        self._placement.retire(key)
        self._templates.retire(key)

    def reserve(self, function: str, concurrency: int | None) -> None:
        self._ledger.reserve(function, concurrency)

    def provision(self, target: Target, instances: int) -> None:
        if instances < 0:
            raise ValueError(f"0 or more instances can be provisioned, not {instances}")
        if not self._placement.closed:
            self._placement.provision(target, instances)

    def provisioned(self, key: str) -> Provisioned | None:
        return self._placement.standby.view(key)

    async def prepare(self, target: Target) -> Prepared:
        return await self._templates.prepare(target)

    def snapshot(self) -> tuple[PoolView, ...]:
        now = self._clock.monotonic()
        pools = {id(pool): pool for pool in (*self._placement.pools.values(), *self._placement.homes.values())}
        return tuple(pool.view(now) for pool in pools.values())

    def counters(self) -> Counters:
        return self._placement.tally.view()

    def sweep(self) -> float | None:
        """Drop the idle instances whose time is up; when the next one falls due (monotonic seconds), if there is one.

        The engine does this by itself when the first one falls due.
        """
        idle = [
            keepalive.Idle(
                id=instance.id,
                target=key,
                idle_since=instance.idle_since,
                memory_mb=instance.target.sandbox.memory_mb,
                position=position,
            )
            for key, pool in self._placement.pools.items()
            for position, instance in enumerate(reversed(pool.idle))
        ]
        due = keepalive.sweep(idle, self._keep_alive, self._clock.monotonic())
        for instance_id in due.drop:
            self._placement.tally.expirations += 1
            self._placement.homes[instance_id].instances[instance_id].end("idle for too long")
        return due.next_at

    async def close(self, grace_s: float) -> None:
        self._placement.closed = True
        await self._templates.close()
        self._placement.standby.close()
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for key in list(self._placement.pools):
            self.retire(key)
        try:
            async with asyncio.timeout(grace_s):
                while self._ledger.calls:
                    self._placement.settled.clear()
                    await self._placement.settled.wait()
        except TimeoutError:
            pass
        cut_off = EngineClosedError("the engine shut down before the call ended")
        for instance in self._placement.instances():
            instance.cut_off(cut_off)
        if self._placement.tasks:
            _, stuck = await asyncio.wait(self._placement.tasks, timeout=DISCARD_PATIENCE_S)
            for task in stuck:
                task.cancel()
            if stuck:
                _log.error("%d sandboxes could not be discarded in %g s", len(stuck), DISCARD_PATIENCE_S)
                await asyncio.wait(stuck, timeout=DISCARD_PATIENCE_S)

    # Keep-alive.

    def _fell_idle(self) -> None:
        if self._sweep_timer is None:
            self._arm_sweep(self.sweep())

    def _arm_sweep(self, at: float | None) -> None:
        if at is not None and not self._placement.closed:
            delay_s = max(0.0, at - self._clock.monotonic())
            self._sweep_timer = self._loop.call_later(delay_s, self._sweep_due)

    def _sweep_due(self) -> None:
        self._sweep_timer = None
        self._arm_sweep(self.sweep())
