"""What instances tell of themselves, and what becomes of calls and of the books by that (`owner.Owner`)."""

import asyncio
import math
from collections import deque
from collections.abc import Callable

from mayfly.clock import Clock
from mayfly.engine.api import EngineClosedError, Outcome
from mayfly.engine.books import Books
from mayfly.engine.deciding import Deciding
from mayfly.engine.freezing import Freezer
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.pool import Pool
from mayfly.engine.provisioned import Standby
from mayfly.engine.states import State
from mayfly.errors import MayflyError, PlatformError
from mayfly.policy import processors, queueing
from mayfly.sandbox.api import SandboxStartError

# A call whose instance cannot be started waits this long, in all, for a later start or for an idle instance.
START_PATIENCE_S = 3.0


class Owning(Deciding):
    """The owner of every instance of one engine."""

    def __init__(
        self, books: Books, standby: Standby, clock: Clock, max_age_s: float, on_idle: Callable[[Instance], None]
    ) -> None:
        super().__init__(books, standby, clock, max_age_s)
        self.freezer = Freezer(clock)
        self._on_idle = on_idle
        self._freed = asyncio.Event()

    # Starts.

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
        self._books.drop(job, error)

    def _lose_patience(self, pool: Pool, next_try: float, error: Exception) -> None:
        """Fail the calls that will have waited too long when the next instance is tried."""
        waiting, pool.waiting = pool.waiting, deque()
        for job in waiting:
            if self._books.closed or next_try > job.accepted_at + START_PATIENCE_S:
                self._books.drop(job, error)
            else:
                pool.waiting.append(job)

    def ready(self, instance: Instance) -> None:
        self._line.over(instance)
        if (own := instance.target.cpus) is not None:
            instance.allow(processors.allowed(own, self.homes[instance.id].grant))
        if (sharing := self.homes[instance.id].sharing) is not None:
            sharing.ready(instance)

    def initialized(self, instance: Instance) -> None:
        self._idle(instance)

    def repeat_init(self, instance: Instance, job: Job) -> None:
        if self._books.closed:
            self._books.drop(job, EngineClosedError("the engine shut down before the call ended"))
            return
        job.init_repeated = True
        pool = self._books.pool(job.target)
        if pool.full:  # somebody else got the place
            self._place(pool, job, accepted=True, turn=True)
        else:
            self._start(pool, job)

    # Calls.

    def answered(self, instance: Instance, job: Job, outcome: Outcome) -> None:
        if instance.state is State.IDLE:
            self._idle(instance)
        elif instance.target.concurrency > 1:
            self.relieved(instance)
        failure = outcome.failure
        self._streaks.ended(instance.target.key, instance.id, failure)
        if instance.target.concurrency == 1:
            pool = self.homes[instance.id]
            died = failure is not None and failure.kind != "raised"
            if took_us := math.inf if died else instance.took_us:
                pool.pace = queueing.noted(pool.pace, took_us)
                if (own := instance.target.cpus) is not None:
                    pool.grant = processors.noted(pool.grant, took_us)
                    instance.allow(processors.allowed(own, pool.grant))
        self._books.settle(job)
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
                self._books.settle(job)
                continue
            self._books.waited(job)
            self.standby.hand_over(instance)
            instance.run(job)
        if pool.sharing is not None:
            pool.sharing.note(instance)
        return instance.load > 0

    def unstarted(self, instance: Instance, job: Job) -> None:
        if job.future.cancelled():
            self._books.settle(job)
        elif self._books.closed:
            self._books.drop(job, EngineClosedError("the engine is shutting down; the call was not run"))
        else:
            self._place(self._books.pool(job.target), job, accepted=True)

    def lost(self, instance: Instance, job: Job, error: PlatformError) -> None:
        self._books.drop(job, error)

    # Rest and end.

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
        self._books.forget(pool)
