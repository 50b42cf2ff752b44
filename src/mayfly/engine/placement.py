"""Which call runs where: carries out what `policy` decides, and keeps the books of it.

Between two awaits nothing else runs on the loop, so a decision and the change of the books that goes with it are atomic
without a lock: `place` takes a snapshot, asks `policy.scaling`, and carries the answer out before it returns. Where an
instance is idle and no limit is reached, four numbers take the place of the snapshot (`scaling.uses`). Only making and
discarding sandboxes takes time, and that is the task of the instance itself.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from mayfly.engine.alarm import Alarm
from mayfly.engine.api import EngineClosedError, Outcome, Target, ThrottledError
from mayfly.engine.demands import Demands
from mayfly.engine.freezing import Freezer
from mayfly.engine.habits import Habits
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.leases import Leases, Scope
from mayfly.engine.ledger import Ledger
from mayfly.engine.lending import Lending
from mayfly.engine.line import Line
from mayfly.engine.owner import Host
from mayfly.engine.pool import Pool
from mayfly.engine.provisioned import NoRoomError, Standby
from mayfly.engine.room import Room
from mayfly.engine.states import State
from mayfly.engine.streaks import Streaks
from mayfly.engine.tally import Tally
from mayfly.errors import MayflyError, PlatformError
from mayfly.policy import queueing, scaling
from mayfly.sandbox.api import SandboxStartError

# A call whose instance cannot be started waits this long, in all, for a later start or for an idle instance.
START_PATIENCE_S = 3.0

_log = logging.getLogger(__name__)


class Placement:
    """Pools, instances and the jobs on them; the `Owner` of every instance. `engine` is the only one that uses it."""

    def __init__(
        self,
        host: Host,
        ledger: Ledger,
        new_id: Callable[[], str],
        on_idle: Callable[[Instance], None],
        max_age_s: float,
        habits: Habits[Any] | None = None,
    ) -> None:
        """`on_idle` is called whenever an instance fell idle; one that is older than `max_age_s` then ends instead.

        `habits` are told of calls; None: nothing is learnt from them.
        """
        self.ledger = ledger
        self.tally = Tally()
        self.pools: dict[str, Pool] = {}  # those that take calls, by the key of their target
        self.homes: dict[str, Pool] = {}  # of every instance that is not gone, retired pools included
        self._bounds: dict[str, int | None] = {}  # as told since, by key: there are targets that are older than that
        self.tasks: set[asyncio.Task[None]] = set()
        self.settled = asyncio.Event()  # set whenever a job is settled
        self.closed = False
        self._host = host
        self._clock = host.clock
        self._new_id = new_id
        self._on_idle = on_idle
        self._habits = habits
        self._loop = asyncio.get_running_loop()
        self._freed = asyncio.Event()
        self._max_age_s = max_age_s
        self.standby = Standby(self._start_ahead, self._loop, self._clock, max_age_s)
        self.freezer = Freezer(self._clock)
        self._streaks = Streaks(self._clock)
        self._line = Line(ledger, self.pools.values, self._working, self._streaks, self._clock, self._serve)
        self._room = Room(self.pools.values, self._line.waiting, self._working, self._shared_mb, self._clock)
        self._demands = Demands(ledger, self._line, self._room, self.standby, self._streaks, self._clock)
        lending = Lending(
            self.pools,
            ledger,
            self._line,
            self.standby,
            self.tally,
            habits,
            self._clock,
            on_idle=self._idle,
            settled=self.settled,
            lends=lambda: not self.closed,
            max_age_s=max_age_s,
        )
        self.leases = Leases(lending)

    def submit(self, job: Job) -> None:
        """Accept a new job; `ThrottledError`."""
        self._place(self._pool(job.target), job, accepted=False)

    def withdraw(self, job: Job) -> None:
        """The caller of a job went away; if it has no instance yet, it never gets one."""
        pool = self.pools.get(job.target.key)
        if pool is not None and pool.withdraw(job):
            self._settle(job)
            self._line.room()
            self._forget(pool)

    def retire(self, key: str) -> None:
        """See `engine.api.Engine.retire`."""
        self._bounds.pop(key, None)
        self._streaks.forget(key)
        if self._habits is not None:
            self._habits.retire(key)
        if (standing := self.standby.drop(key)) is not None:
            self.ledger.provision(standing.function, key, 0)
        pool = self.pools.pop(key, None)
        if pool is None:
            return
        for instance in list(pool.instances.values()):
            instance.retire()
        self._reconsider(pool)  # calls that wait are as good as new ones: another pool takes them

    def provision(self, target: Target, instances: int) -> None:
        """See `engine.api.Engine.provision`."""
        self.ledger.provision(target.function, target.key, instances)
        self.standby.provision(target, instances)

    def bound(self, key: str, instances: int | None) -> None:
        """See `engine.api.Engine.bound`."""
        self._bounds[key] = instances
        pool = self.pools.get(key)
        if pool is None:
            return
        pool.most = instances
        for instance in pool.surplus(self.standby.owns):
            instance.retire("more than may be")
        self._line.room()

    def instances(self) -> list[Instance]:
        """All that are not gone."""
        return [pool.instances[instance_id] for instance_id, pool in self.homes.items()]

    # Decisions.

    def _place(self, pool: Pool, job: Job, *, accepted: bool, turn: bool = False) -> None:
        """Decide about a job and carry the decision out. `ThrottledError` unless it was accepted before.

        With `turn`, those who wait are known to come later; a job that waits again goes to the head of its pool then.
        """
        if (ready := self.standby.take(job.target.key)) is not None:
            self._run_provisioned(ready, job, accepted=accepted)
            return
        shared = pool.sharing.choose() if pool.sharing is not None else self._busy_one(pool)
        if self._demands.plain(pool, job, shared, accepted=accepted):
            if not accepted:
                self._accept(job, on=shared)
            self._use(pool, shared, job, 0)
            return
        decision = scaling.decide(self._demands.of(pool, job, shared, accepted=accepted, turn=turn))
        if not isinstance(decision, scaling.Use) and not job.recalled:
            scope = _scope(job.target, decision)
            if scope is not None and self.leases.away(scope):
                # The first call that waits for memory ends long terms; from then on they are short.
                first = isinstance(decision, scaling.Wait) and decision.lacking == "memory" and not self._line.waiting()
                self._recall(pool, job, scope, accepted=accepted, busy=first)
                return
        if isinstance(decision, scaling.Reject):
            error = self._refusal(job, decision)
            if not accepted:
                self._forget(pool)
                raise error
            self._line.gave_up(pool)
            self._drop(job, error)
            return
        if not accepted:
            self._accept(job, on=shared if isinstance(decision, scaling.Use) else None)
        if isinstance(decision, scaling.Use):
            self._use(pool, shared, job, decision.evict_mb)
        elif isinstance(decision, scaling.Start):
            if decision.evict_mb:
                self._evict(decision.evict_mb, job.target, called=True)
            self._start(pool, job)
        else:
            self._wait(pool, job, decision, first=turn)

    def _use(self, pool: Pool, shared: Instance | None, job: Job, evict_mb: int) -> None:
        """Hand a job to an instance that runs others, or else to an idle one, for which memory is made."""
        instance = shared if shared is not None else pool.idle.pop()
        if shared is None:
            self.ledger.idle_mb -= instance.holds_mb
            if evict_mb:
                self._evict(evict_mb, job.target, called=True)
        instance.run(job)
        if pool.sharing is not None:
            pool.sharing.note(instance)
        else:
            pool.hot = instance

    def _busy_one(self, pool: Pool) -> Instance | None:
        """An instance at which the next call may wait, although it runs one at a time."""
        hot = pool.hot
        if hot is None or not hot.queues:
            return None
        now = self._clock.monotonic()
        if not queueing.goes_ahead(pool.pace, hot.load, hot.busy_s(now), idle=bool(pool.idle)):
            return None
        # One that never falls idle outlives its credentials, and gives no way to those who wait for memory.
        return None if self._line.waiting() or now - hot.created_at > self._max_age_s else hot

    def _refusal(self, job: Job, decision: scaling.Reject) -> ThrottledError:
        self.tally.throttled(job.target.function, decision.scope)
        return ThrottledError(decision.scope, decision.limit, decision.retry_after_s)

    def _run_provisioned(self, ready: Instance, job: Job, *, accepted: bool) -> None:
        if not accepted:
            job.provisioned = True
            self._accept(job)
        self.tally.provisioned_call(job.target.function)
        ready.run(job)
        if (sharing := self.homes[ready.id].sharing) is not None:
            sharing.note(ready)

    def _serve(self) -> None:
        """Decide about the calls that wait, the one first whose turn it is, as long as there is room."""
        while not self.closed and (pool := self._line.next_pool(self._clock.monotonic())) is not None:
            job = pool.waiting.popleft()
            if job.future.cancelled():
                self._settle(job)
                continue
            self._place(pool, job, accepted=True, turn=True)
            if pool.waiting and pool.waiting[0] is job:
                self._line.block(pool)
                return
            self._line.served(pool)

    def _recall(self, pool: Pool, job: Job, scope: Scope, *, accepted: bool, busy: bool) -> None:
        """Decide about a job when lent instances that are idle are back."""
        job.recalled = True
        pool.recalling += 1
        task = self._loop.create_task(
            self._place_later(pool, job, scope, accepted=accepted, busy=busy), name="recall leases"
        )
        self.tasks.add(task)
        task.add_done_callback(self._lived)

    async def _place_later(self, pool: Pool, job: Job, scope: Scope, *, accepted: bool, busy: bool) -> None:
        await self.leases.recall(scope, busy=busy)
        pool.recalling -= 1
        if job.future.cancelled() or self.closed:
            if accepted:
                self._settle(job)
            job.fail(EngineClosedError("the engine is shutting down; the call was not run"))
            self._forget(pool)
            return
        try:
            self._place(self._pool(job.target), job, accepted=accepted)
        except ThrottledError as error:
            job.fail(error)
        self._forget(pool)

    def _start(self, pool: Pool, job: Job) -> None:
        self.ledger.started(job.target.function, self._clock.monotonic())
        self._has_waited(job)
        instance = Instance(self._new_id(), job.target, job, self._host, self)
        self._line.begin(instance)
        self._launch(pool, instance, calls=1)

    def _working(self, pool: Pool) -> int:
        """How many of a pool's instances start or run calls, without those that are provisioned."""
        return len(pool.instances) - len(pool.idle) - self.standby.count(pool.target.key)

    def _shared_mb(self) -> int:
        """What there is for instances that are not provisioned."""
        return self.ledger.memory_mb - self.standby.memory_mb

    def _start_ahead(self, target: Target) -> Instance:
        """Start an instance for no call; `NoRoomError`."""
        if self.closed:
            raise NoRoomError("the engine is shutting down")
        pool = self._pool(target)
        if pool.full and pool.idle:
            pool.idle[0].end("more than may be")
        if pool.full:
            self._forget(pool)
            raise NoRoomError(f"no more than {pool.most} instances may live at a time")
        short_mb = target.sandbox.memory_mb - (self.ledger.memory_mb - self.ledger.held_mb)
        if short_mb > self.ledger.idle_mb:
            self._forget(pool)
            raise NoRoomError(f"no memory is left for an instance of {target.sandbox.memory_mb} MB")
        if short_mb > 0:
            self._evict(short_mb, target, called=False)
        instance = Instance(self._new_id(), target, None, self._host, self)
        self._launch(pool, instance)
        return instance

    def start_expected(self, target: Target) -> Instance | None:
        """Start an instance for a call that is expected, unless one is there or another would have to go for it."""
        if self.closed or self.standby.view(target.key) is not None or self._line.waiting():
            return None
        pool = self._pool(target)
        if pool.living or pool.full or target.sandbox.memory_mb > self.ledger.memory_mb - self.ledger.held_mb:
            self._forget(pool)
            return None
        instance = Instance(self._new_id(), target, None, self._host, self)
        self._launch(pool, instance)
        return instance

    def _launch(self, pool: Pool, instance: Instance, calls: int = 0) -> None:
        """Start an instance, for so many calls."""
        self.ledger.held_mb += instance.holds_mb
        pool.instances[instance.id] = instance
        if pool.sharing is not None:
            pool.sharing.began(instance.id, calls)
        self.homes[instance.id] = pool
        self.tally.cold_start(instance.target.function)
        task = self._loop.create_task(instance.live(), name=f"instance {instance.id}")
        self.tasks.add(task)
        task.add_done_callback(self._lived)

    def _lived(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s could not be taken down", task.get_name(), exc_info=error)

    def _wait(self, pool: Pool, job: Job, decision: scaling.Wait, *, first: bool) -> None:
        if decision.lacking == "room" and pool.sharing is not None:
            pool.sharing.expecting.append(job)
            return
        if job.waits_since is None and decision.lacking in {"memory", "processors"}:
            job.waits_since = self._clock.monotonic()
        self._line.add(pool)
        if first:
            pool.waiting.appendleft(job)
        else:
            pool.waiting.append(job)
            self._line.room()
        self._wake_in(pool, decision.at_most_s)

    def _wake_in(self, pool: Pool, delay_s: float) -> None:
        """Look at what waits in `delay_s` at the latest."""
        if pool.wake is None:
            pool.wake = Alarm(self._loop, partial(self._reconsider, pool))
        pool.wake.by(self._loop.time() + delay_s)

    def _lose_patience(self, pool: Pool, next_try: float, error: Exception) -> None:
        """Fail the calls that will have waited too long when the next instance is tried."""
        waiting, pool.waiting = pool.waiting, deque()
        for job in waiting:
            if self.closed or next_try > job.accepted_at + START_PATIENCE_S:
                self._drop(job, error)
            else:
                pool.waiting.append(job)

    def _reconsider(self, pool: Pool) -> None:
        """Decide again about everything that waits."""
        for job in pool.empty_queue():
            if job.future.cancelled():
                self._settle(job)
            elif self.closed:
                self._drop(job, EngineClosedError("the engine is shutting down; the call was not run"))
            else:
                self._place(self._pool(job.target), job, accepted=True)
        self._line.room()
        self._forget(pool)

    def _evict(self, need_mb: int, target: Target, *, called: bool) -> None:
        """End the least valuable idle instances that together hold `need_mb`; the decision knows that there are."""
        for instance in self._room.evict(need_mb, target, called=called):
            self.tally.evicted(instance.target.function)
            instance.end("evicted")

    # What instances tell (`instance.Owner`).

    async def room(self) -> None:
        while self.ledger.overdrawn:
            self._freed.clear()
            await self._freed.wait()

    def provisioned(self, instance: Instance) -> None:
        pool = self.homes[instance.id]
        if pool.start_succeeded():
            self._reconsider(pool)

    def unprovisioned(self, instance: Instance, job: Job, error: Exception) -> None:
        self.tally.start_failures += 1
        pool = self.homes[instance.id]
        now = self._clock.monotonic()
        if isinstance(error, SandboxStartError):
            delay_s = pool.start_failed(now)
            self._line.add(pool)
            pool.waiting.appendleft(job)
            self._lose_patience(pool, now + delay_s, error)
            if pool.waiting:
                self._wake_in(pool, 0.0 if pool.idle else delay_s)
            return
        if not isinstance(error, MayflyError):
            unexpected = PlatformError(f"no instance could be started: {error}")
            unexpected.__cause__ = error
            error = unexpected
        self._drop(job, error)

    def ready(self, instance: Instance) -> None:
        self._line.over(instance)
        if (sharing := self.homes[instance.id].sharing) is not None:
            sharing.ready(instance)

    def initialized(self, instance: Instance) -> None:
        self._idle(instance)

    def frozen(self, instance: Instance, memory_mb: int) -> None:
        """Those that are provisioned go on holding all that they may use: they were promised it."""
        if not self.standby.owns(instance):
            freed_mb = instance.holds_mb - memory_mb
            self.ledger.held_mb -= freed_mb
            self.ledger.idle_mb -= freed_mb
            instance.holds_mb = memory_mb

    def thaws(self, instance: Instance) -> None:
        """It is no longer among the idle ones."""
        self.ledger.held_mb += instance.wake_mb
        instance.holds_mb += instance.wake_mb

    def answered(self, instance: Instance, job: Job, outcome: Outcome) -> None:
        if instance.state is State.IDLE:
            self._idle(instance)
        elif instance.target.concurrency > 1:
            self.relieved(instance)
        failure = outcome.failure
        self._streaks.ended(instance.target.key, instance.id, failure)
        if instance.target.concurrency == 1:
            pool = self.homes[instance.id]
            if failure is not None and failure.kind != "raised":
                pool.pace = queueing.noted(pool.pace, math.inf)  # nobody is to wait behind the likes of it
            elif instance.took_us:
                pool.pace = queueing.noted(pool.pace, instance.took_us)
        self._settle(job)
        job.resolve(outcome)

    def relieved(self, instance: Instance) -> None:
        pool = self.homes[instance.id]
        if self._clock.monotonic() - instance.created_at > self._max_age_s and instance.has_room:
            instance.retire("too old")  # else one that is never idle would outlive its credentials
        if instance.state is State.IDLE:
            self._idle(instance)
        else:
            self._feed(pool, instance)
        if pool.sharing is not None and pool.sharing.to_come < 0:
            self._wake_in(pool, 0.0)  # less room came than was expected

    def _feed(self, pool: Pool, instance: Instance) -> bool:
        """Give what waits to an instance that is idle or has room; whether it runs anything now."""
        while pool.waits and (instance.has_room or instance.state is State.IDLE):
            job = pool.next_job()
            assert job is not None
            if job.future.cancelled():
                self._settle(job)
                continue
            self._has_waited(job)
            self.standby.hand_over(instance)
            instance.run(job)
        if pool.sharing is not None:
            pool.sharing.note(instance)
        return instance.load > 0

    def unstarted(self, instance: Instance, job: Job) -> None:
        if job.future.cancelled():
            self._settle(job)
        elif self.closed:
            self._drop(job, EngineClosedError("the engine is shutting down; the call was not run"))
        else:
            self._place(self._pool(job.target), job, accepted=True)

    def lost(self, instance: Instance, job: Job, error: PlatformError) -> None:
        self._drop(job, error)

    def repeat_init(self, instance: Instance, job: Job) -> None:
        if self.closed:
            self._drop(job, EngineClosedError("the engine shut down before the call ended"))
            return
        job.init_repeated = True
        self._start(self._pool(job.target), job)

    def ended(self, instance: Instance) -> None:
        pool = self.homes[instance.id]
        memory_mb = instance.holds_mb
        if instance in pool.idle:
            pool.idle.remove(instance)
            self.ledger.idle_mb -= memory_mb
        self.ledger.held_mb -= memory_mb
        self.ledger.dying_mb += memory_mb
        if pool.hot is instance:
            pool.hot = None
        self.standby.ended(instance)
        if pool.sharing is not None:
            pool.sharing.ended(instance)
            if pool.sharing.to_come < 0:
                self._wake_in(pool, 0.0)
        self._line.over(instance)
        self._line.room()

    def gone(self, instance: Instance) -> None:
        pool = self.homes.pop(instance.id)
        del pool.instances[instance.id]
        self.ledger.dying_mb -= instance.holds_mb
        self._freed.set()
        self._forget(pool)

    # Books.

    def _idle(self, instance: Instance) -> None:
        """An instance has nothing to do: the first call that waits gets it, else it goes on top of the stack."""
        pool = self.homes[instance.id]
        if pool.waiting and not self.standby.owns(instance) and self._line.gives_way(instance):
            self.tally.yielded(instance.target.function)
            instance.end("gave way")
            return
        if (pool.waiting or pool.sharing is not None) and self._feed(pool, instance):
            return
        self.freezer.rests(instance)
        if self.standby.ready(instance):
            return
        if instance.idle_since - instance.created_at > self._max_age_s:
            instance.end("too old")
            return
        pool.idle.append(instance)
        self.ledger.idle_mb += instance.holds_mb
        self._line.room()
        self._on_idle(instance)

    def _drop(self, job: Job, error: Exception) -> None:
        self._settle(job)
        job.fail(error)

    def _has_waited(self, job: Job) -> None:
        """It has an instance, or is given up."""
        if job.waits_since is not None:
            self.tally.waited(job.target.function, self._clock.monotonic() - job.waits_since)
            job.waits_since = None

    def _accept(self, job: Job, on: Instance | None = None) -> None:
        """A call is under way; `on`: it joins others on an instance."""
        self.tally.calls += 1
        self.ledger.accept(job.target.function, provisioned=job.provisioned)
        if job.call.rated and self.ledger.limits.calls_per_concurrency is not None:
            self.ledger.called(job.target.function, job.accepted_at)
        if not job.provisioned and self.standby.view(job.target.key) is not None:
            if on is not None and self.standby.owns(on):
                self.tally.provisioned_call(job.target.function)
            else:
                self.tally.spilled_over(job.target.function)
        if self._habits is not None:
            self._habits.called(job.target, job.accepted_at)

    def _settle(self, job: Job) -> None:
        if job.waits_since is not None:
            self._has_waited(job)
        self.ledger.settle(job.target.function, provisioned=job.provisioned)
        if self._habits is not None:
            self._habits.ended(job.target.key)
        self.settled.set()

    def _pool(self, target: Target) -> Pool:
        pool = self.pools.get(target.key)
        if pool is None:
            pool = self.pools[target.key] = Pool(target)
            pool.most = self._bounds.get(target.key, target.most_instances)
        return pool

    def _forget(self, pool: Pool) -> None:
        """Keep nothing about targets that have neither instances nor calls."""
        if pool.unused and self.pools.get(pool.target.key) is pool:
            if pool.wake is not None:
                pool.wake.cancel()
                pool.wake = None
            del self.pools[pool.target.key]


def _scope(target: Target, decision: scaling.Decision) -> Scope | None:
    """Which leases could spare a call the decision: what is refused, or takes memory from others, may be helped by any
    that count against the same limit. Calls that come too fast are helped by none."""
    match decision:
        case scaling.Reject("function-rate" | "account-rate"):
            return None
        case scaling.Reject("function"):
            return Scope(function=target.function)
        case scaling.Reject("account" | "memory") | scaling.Wait(_, "memory"):
            return Scope()
        case scaling.Start(evict_mb) if evict_mb:
            return Scope()
        case _:
            return Scope(key=target.key)
