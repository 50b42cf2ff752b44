"""The engine of one machine: finds or makes an instance for every call.

Theory of operation. Everything here runs on one event loop. Between two awaits nothing else runs, so a decision and
the change of the books that goes with it are atomic without a lock: `_place` takes a snapshot, asks `policy.scaling`,
and carries the answer out before it returns. Only making and discarding sandboxes takes time, and that is the task of
the instance itself.

A call is a `Job` from the moment it is accepted. It is settled exactly once: answered (with a result or with the
function's failure), or failed by the platform. The caller waits for the job's future and nothing else; that a caller
goes away changes nothing, except for jobs that still wait for an instance, which are then dropped.
"""

import asyncio
import logging
from collections import deque
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
    Target,
    ThrottledError,
)
from mayfly.engine.instance import Host, Instance
from mayfly.engine.job import Job
from mayfly.engine.ledger import Ledger
from mayfly.engine.pool import Pool
from mayfly.engine.states import State
from mayfly.engine.tally import Tally
from mayfly.errors import MayflyError, PlatformError
from mayfly.policy import eviction, keepalive, scaling
from mayfly.sandbox.api import SandboxFactory, SandboxStartError

# A call whose instance cannot be started waits this long, in all, for a later start or for an idle instance.
START_PATIENCE_S = 3.0
# How long sandboxes may take to be discarded at the end.
DISCARD_PATIENCE_S = 10.0

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
        endpoints: EndpointServer | None = None,
    ) -> None:
        """`memory_mb` is the budget of all instances together; `new_id` makes the ids of instances.

        `keep_alive` defaults to five minutes. Must be made and used on one running event loop.
        """
        self._host = Host(factory, observer, clock, init_timeout_s, endpoints)
        self._clock = clock
        self._new_id = new_id
        self._keep_alive = keep_alive or keepalive.fixed(300.0)
        self._ledger = Ledger(memory_mb, account_concurrency)
        self._tally = Tally()
        self._pools: dict[str, Pool] = {}  # those that take calls
        self._homes: dict[str, Pool] = {}  # of every instance that is not gone, retired pools included
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._freed = asyncio.Event()
        self._settled = asyncio.Event()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    # What callers ask for.

    async def invoke(self, target: Target, call: Call) -> Outcome:
        if self._closed:
            raise EngineClosedError("the engine is shutting down")
        if target.reserved_concurrency is not None:
            self._ledger.reserve(target.function, target.reserved_concurrency)
        job = Job(target, call, self._loop.create_future(), self._clock.monotonic())
        self._place(self._pool(target), job, accepted=False)
        return await job.future

    def retire(self, key: str) -> None:
        pool = self._pools.pop(key, None)
        if pool is None:
            return
        pool.retired = True
        for instance in list(pool.instances.values()):
            instance.retire()
        self._reconsider(pool)  # calls that wait are as good as new ones: another pool takes them

    def reserve(self, function: str, concurrency: int | None) -> None:
        self._ledger.reserve(function, concurrency)

    def snapshot(self) -> tuple[PoolView, ...]:
        now = self._clock.monotonic()
        pools = {id(pool): pool for pool in (*self._pools.values(), *self._homes.values())}
        return tuple(pool.view(now) for pool in pools.values())

    def counters(self) -> Counters:
        return self._tally.view()

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
            for key, pool in self._pools.items()
            for position, instance in enumerate(reversed(pool.idle))
        ]
        due = keepalive.sweep(idle, self._keep_alive, self._clock.monotonic())
        for instance_id in due.drop:
            self._tally.expirations += 1
            self._homes[instance_id].instances[instance_id].end("idle for too long")
        return due.next_at

    async def close(self, grace_s: float) -> None:
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for key in list(self._pools):
            self.retire(key)
        try:
            async with asyncio.timeout(grace_s):
                while self._ledger.calls:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            pass
        cut_off = EngineClosedError("the engine shut down before the call ended")
        for instance in self._instances():
            instance.cut_off(cut_off)
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=DISCARD_PATIENCE_S)
            for task in stuck:
                task.cancel()
            if stuck:
                _log.error("%d sandboxes could not be discarded in %g s", len(stuck), DISCARD_PATIENCE_S)
                await asyncio.wait(stuck, timeout=DISCARD_PATIENCE_S)

    # Decisions.

    def _place(self, pool: Pool, job: Job, *, accepted: bool) -> None:
        """Decide about a job and carry the decision out. `ThrottledError` unless it was accepted before."""
        now = self._clock.monotonic()
        demand = self._ledger.demand(
            job.target,
            idle=len(pool.idle),
            start_after_s=pool.start_after_s(now),
            accepted=accepted,
        )
        decision = scaling.decide(demand)
        if isinstance(decision, scaling.Reject):
            self._tally.throttles += 1
            error = ThrottledError(decision.scope, decision.limit)
            if not accepted:
                self._forget(pool)
                raise error
            self._drop(job, error)
            return
        if not accepted:
            self._tally.calls += 1
            self._ledger.accept(job.target.function)
        if isinstance(decision, scaling.Use):
            instance = pool.idle.pop()
            self._ledger.idle_mb -= instance.target.sandbox.memory_mb
            instance.run(job)
        elif isinstance(decision, scaling.Start):
            if decision.evict_mb:
                self._evict(decision.evict_mb)
            self._start(pool, job)
        else:
            self._wait(pool, job, decision.at_most_s)

    def _start(self, pool: Pool, job: Job) -> None:
        instance = Instance(self._new_id(), job, self._host, self)
        self._ledger.held_mb += job.target.sandbox.memory_mb
        pool.instances[instance.id] = instance
        self._homes[instance.id] = pool
        self._tally.cold_starts += 1
        task = self._loop.create_task(instance.live(), name=f"instance {instance.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wait(self, pool: Pool, job: Job, at_most_s: float) -> None:
        pool.waiting.append(job)
        self._wake_in(pool, at_most_s)

    def _wake_in(self, pool: Pool, delay_s: float) -> None:
        """Look at what waits in `delay_s` at the latest."""
        if pool.wake is not None:
            if pool.wake.when() <= self._loop.time() + delay_s:
                return
            pool.wake.cancel()
        pool.wake = self._loop.call_later(delay_s, self._wake, pool)

    def _lose_patience(self, pool: Pool, next_try: float, error: Exception) -> None:
        """Fail the calls that will have waited too long when the next instance is tried."""
        waiting, pool.waiting = pool.waiting, deque()
        for job in waiting:
            if self._closed or next_try > job.accepted_at + START_PATIENCE_S:
                self._drop(job, error)
            else:
                pool.waiting.append(job)

    def _wake(self, pool: Pool) -> None:
        pool.wake = None
        self._reconsider(pool)

    def _reconsider(self, pool: Pool) -> None:
        """Decide again about everything that waits."""
        waiting, pool.waiting = pool.waiting, deque()
        for job in waiting:
            if job.future.cancelled():
                self._settle(job)
            elif self._closed:
                self._drop(job, EngineClosedError("the engine is shutting down; the call was not run"))
            else:
                self._place(self._pool(job.target), job, accepted=True)
        self._forget(pool)

    def _evict(self, need_mb: int) -> None:
        """End the least valuable idle instances that together hold `need_mb`; the decision knows that there are."""
        now = self._clock.monotonic()
        idle = {instance.id: instance for pool in self._pools.values() for instance in pool.idle}
        chosen = eviction.choose(
            [
                eviction.Candidate(i.id, i.target.sandbox.memory_mb, max(0.0, now - i.idle_since), i.start_ms)
                for i in idle.values()
            ],
            need_mb,
        )
        for instance_id in chosen or ():
            self._tally.evictions += 1
            idle[instance_id].end("evicted")

    # What instances tell (`instance.Owner`).

    async def room(self) -> None:
        while self._ledger.overdrawn:
            self._freed.clear()
            await self._freed.wait()

    def provisioned(self, instance: Instance) -> None:
        pool = self._homes[instance.id]
        if pool.start_succeeded():
            self._reconsider(pool)

    def unprovisioned(self, instance: Instance, job: Job, error: Exception) -> None:
        self._tally.start_failures += 1
        pool = self._homes[instance.id]
        now = self._clock.monotonic()
        if isinstance(error, SandboxStartError):
            delay_s = pool.start_failed(now)
            pool.waiting.appendleft(job)
            self._lose_patience(pool, now + delay_s, error)
            if pool.waiting:
                self._wake_in(pool, delay_s)
            return
        if not isinstance(error, MayflyError):
            unexpected = PlatformError(f"no instance could be started: {error}")
            unexpected.__cause__ = error
            error = unexpected
        self._drop(job, error)

    def answered(self, instance: Instance, job: Job, outcome: Outcome) -> None:
        if instance.state is State.IDLE:
            self._idle(instance)
        self._settle(job)
        job.resolve(outcome)

    def lost(self, instance: Instance, job: Job, error: PlatformError) -> None:
        self._drop(job, error)

    def repeat_init(self, instance: Instance, job: Job) -> None:
        if self._closed:
            self._drop(job, EngineClosedError("the engine shut down before the call ended"))
            return
        job.init_repeated = True
        self._start(self._pool(job.target), job)

    def ended(self, instance: Instance) -> None:
        pool = self._homes[instance.id]
        memory_mb = instance.target.sandbox.memory_mb
        if instance in pool.idle:
            pool.idle.remove(instance)
            self._ledger.idle_mb -= memory_mb
        self._ledger.held_mb -= memory_mb
        self._ledger.dying_mb += memory_mb

    def gone(self, instance: Instance) -> None:
        pool = self._homes.pop(instance.id)
        del pool.instances[instance.id]
        self._ledger.dying_mb -= instance.target.sandbox.memory_mb
        self._freed.set()
        self._forget(pool)

    # Books.

    def _idle(self, instance: Instance) -> None:
        """An instance has nothing to do: the first call that waits gets it, else it goes on top of the stack."""
        pool = self._homes[instance.id]
        while pool.waiting:
            job = pool.waiting.popleft()
            if not job.future.cancelled():
                instance.run(job)
                return
            self._settle(job)
        pool.idle.append(instance)
        self._ledger.idle_mb += instance.target.sandbox.memory_mb
        if self._sweep_timer is None and not self._closed:
            self._arm_sweep(self.sweep())

    def _arm_sweep(self, at: float | None) -> None:
        if at is not None and not self._closed:
            delay_s = max(0.0, at - self._clock.monotonic())
            self._sweep_timer = self._loop.call_later(delay_s, self._sweep_due)

    def _sweep_due(self) -> None:
        self._sweep_timer = None
        self._arm_sweep(self.sweep())

    def _drop(self, job: Job, error: Exception) -> None:
        self._settle(job)
        job.fail(error)

    def _settle(self, job: Job) -> None:
        self._ledger.settle(job.target.function)
        self._settled.set()

    def _pool(self, target: Target) -> Pool:
        pool = self._pools.get(target.key)
        if pool is None:
            pool = self._pools[target.key] = Pool(target)
        return pool

    def _forget(self, pool: Pool) -> None:
        """Keep nothing about targets that have neither instances nor calls."""
        if pool.unused and self._pools.get(pool.target.key) is pool:
            if pool.wake is not None:
                pool.wake.cancel()
            del self._pools[pool.target.key]

    def _instances(self) -> list[Instance]:
        return [pool.instances[instance_id] for instance_id, pool in self._homes.items()]
