"""The engine of one machine: finds or makes an instance for every call.

Everything here runs on one event loop. A call is a `Job` from the moment it is accepted until it is settled, which
happens exactly once: answered (with a result or with the function's failure), or failed by the platform. The caller
waits for the job's future and nothing else; that a caller goes away changes nothing, except for jobs that still wait
for an instance, which are then dropped. `placement` says which job runs where; here is what callers see, and time:
keep-alive and shutdown.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from mayfly.clock import Clock
from mayfly.engine.api import (
    Call,
    Counters,
    EndpointServer,
    EngineClosedError,
    FunctionCounters,
    Observer,
    Outcome,
    PoolView,
    Prepared,
    Provisioned,
    Target,
    TemplateView,
)
from mayfly.engine.habits import Habits
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.leases import Leases
from mayfly.engine.ledger import Ledger
from mayfly.engine.limits import Limits
from mayfly.engine.owner import Host
from mayfly.engine.placement import Placement
from mayfly.engine.recipes import Recipes
from mayfly.engine.reporter import Reporter
from mayfly.engine.spares import Spares
from mayfly.engine.streamed import Streamed
from mayfly.engine.templates import Templates
from mayfly.policy import keepalive
from mayfly.policy.windows import Rule
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
        limits: Limits | None = None,
        init_timeout_s: float = 10.0,
        keep_alive: keepalive.KeepAlive | None = None,
        rule: Rule[Any] | None = None,
        settle_s: float = 0.0,
        max_age_s: float = MAX_AGE_S,
        endpoints: EndpointServer | None = None,
        spares: int = 0,
        templates_mb: float = math.inf,
    ) -> None:
        """`memory_mb` is the budget of all instances together; `new_id` makes the ids of instances.

        With a `rule`, instances are kept and made ahead by what it learns of each function's idle times above
        `settle_s`. Without one, all are kept for `keep_alive`, which defaults to five minutes. At most `spares` are
        made ahead of starts, and shared templates have `templates_mb` of their own. Must be made and used on one
        running event loop.
        """
        self._clock = clock
        self.habits: Habits[Any] | None = None  # with a `rule`
        if rule is not None:
            self.habits = Habits(rule, settle_s, clock, self._start_expected, self._sweep_by)
        self._keep_alive = self.habits.until if self.habits else keep_alive or keepalive.fixed(300.0)
        self._max_age_s = max_age_s
        self._loop = asyncio.get_running_loop()
        self._ledger = Ledger(memory_mb, account_concurrency, limits)
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._sweep_at = math.inf  # when it goes off, by the clock
        self._sweeps = 0  # until now
        reporter = Reporter(observer)
        self._templates = Templates(
            factory,
            reporter,
            new_id,
            endpoints,
            clock,
            templates_mb,
            lambda make: Spares(make, self._room, self._loop, clock, spares),
        )
        host = Host(factory, self._templates, reporter, clock, init_timeout_s, endpoints)
        self._placement = Placement(host, self._ledger, new_id, self._fell_idle, max_age_s, self.habits)

    # What callers ask for.

    async def invoke(self, target: Target, call: Call, into: Streamed | None = None) -> Outcome:
        if self._placement.closed:
            raise EngineClosedError("the engine is shutting down")
        if target.reserved_concurrency is not None:
            self._ledger.reserve(target.function, target.reserved_concurrency)
        job = Job(target, call, self._loop.create_future(), self._clock.monotonic(), into=into)
        self._placement.submit(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._placement.withdraw(job)
            raise

    def stop(self, request_id: str) -> bool:
        return any(instance.stop(request_id) for instance in self._placement.instances())

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

    def bound(self, key: str, instances: int | None) -> None:
        self._placement.bound(key, instances)

    def limit(self, fleet: str, processors: float | None) -> None:
        self._placement.limit(fleet, processors)

    def provisioned(self, key: str) -> Provisioned | None:
        return self._placement.standby.view(key)

    def peak(self, key: str) -> int:
        return self._placement.standby.peak(key)

    async def prepare(self, target: Target) -> Prepared:
        return await self._templates.prepare(target)

    def template(self, key: str) -> TemplateView | None:
        return self._templates.view(key)

    def counted(self, calls: int) -> None:
        """So many calls ended on instances that are lent."""
        self._placement.tally.calls += calls

    @property
    def recipes(self) -> Recipes:
        """How templates were made, for whoever carries that over a restart."""
        return self._templates.recipes

    @property
    def leases(self) -> Leases:
        """Instances that are lent to others."""
        return self._placement.leases

    def snapshot(self) -> tuple[PoolView, ...]:
        now = self._clock.monotonic()
        pools = {id(pool): pool for pool in (*self._placement.pools.values(), *self._placement.homes.values())}
        return tuple(pool.view(now) for pool in pools.values())

    def counters(self) -> Counters:
        return self._placement.tally.view()

    def counters_of(self, function: str) -> FunctionCounters:
        return self._placement.tally.of(function)

    def provisioned_calls(self) -> list[tuple[str, int, int]]:
        """Function, calls on provisioned instances, calls beyond them: of those that have either."""
        return self._placement.tally.provisioned()

    def sweep(self) -> float | None:
        """Drop the idle instances whose time is up, and make those that are expected to be called.

        Returns when to do so next (monotonic seconds), if there is anything to wait for. The engine does this by
        itself at that time.
        """
        idle = [
            self._idle(instance, position)
            for pool in self._placement.pools.values()
            for position, instance in enumerate(reversed(pool.idle))
        ]
        now = self._clock.monotonic()
        due = keepalive.sweep(idle, self._keep_alive, now)
        for instance_id in due.drop:
            self._placement.tally.expirations += 1
            self._placement.homes[instance_id].instances[instance_id].end("idle for too long")
        next_at = self.habits.prewarm(now) if self.habits is not None else None
        return min((at for at in (due.next_at, next_at) if at is not None), default=None)

    async def close(self, grace_s: float) -> None:
        self._placement.close()
        await self._templates.close()
        if self.habits is not None:
            self.habits.close()
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

    def _room(self, target: Target) -> int:
        """How many more instances of a target there is memory for."""
        return max(0, self._ledger.memory_mb - self._ledger.held_mb) // target.sandbox.memory_mb

    # Keep-alive.

    def _start_expected(self, target: Target) -> Instance | None:
        return self._placement.start_expected(target)

    def _fell_idle(self, instance: Instance) -> None:
        if self.habits is None:
            if self._sweep_timer is None:
                self._sweep_by(self._due_at(instance, 0))
            return
        # Where nothing was learnt or swept since the timer was set for one, it may now stay longer than it might then.
        as_of = self._sweeps + self.habits.revisions
        if instance.first_as_of != as_of:
            instance.first_as_of = as_of
            if instance.calls <= 1:
                self.habits.started(instance)
            self._sweep_by(self._due_at(instance, 0))
        idle = self._placement.homes[instance.id].idle
        if len(idle) > 1 and (below := idle[-2]).below_as_of != as_of:
            below.below_as_of = as_of  # no longer the next to be used, it may have to go earlier than it had to
            self._sweep_by(self._due_at(below, 1))

    def _idle(self, instance: Instance, position: int) -> keepalive.Idle:
        """What a policy may know of an idle instance."""
        return keepalive.Idle(
            id=instance.id,
            target=instance.target.key,
            idle_since=instance.idle_since,
            memory_mb=instance.target.sandbox.memory_mb,
            position=position,
            expires_at=instance.created_at + self._max_age_s,
        )

    def _due_at(self, instance: Instance, position: int) -> float:
        idle = self._idle(instance, position)
        return min(self._keep_alive(idle), idle.expires_at)

    def _sweep_by(self, at: float | None) -> None:
        """Look at all instances no later than at `at`."""
        if at is None or self._placement.closed or at >= self._sweep_at:
            return
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        self._sweep_at = at
        self._sweep_timer = self._loop.call_later(max(0.0, at - self._clock.monotonic()), self._sweep_due)

    def _sweep_due(self) -> None:
        self._sweep_timer, self._sweep_at = None, math.inf
        self._sweeps += 1
        self._sweep_by(self.sweep())
