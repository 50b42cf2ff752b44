"""Which call runs where: carries out what `policy` decides.

A decision and the change of the books that goes with it are atomic: a snapshot is taken, `policy.scaling` is asked, and
its answer carried out, before anything else runs on the loop. Where an instance is idle and no limit is reached, four
numbers take the place of the snapshot (`scaling.uses`). Only making and discarding sandboxes takes time, and that is
the task of the instance itself.

`placement.Placement` is made of this, and says what there is to decide about, and when.
"""

import asyncio
from functools import partial

from mayfly.clock import Clock
from mayfly.engine.alarm import Alarm
from mayfly.engine.api import EngineClosedError, Target, ThrottledError
from mayfly.engine.books import Books
from mayfly.engine.demands import Demands
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.launching import Launching
from mayfly.engine.leases import Leases, Scope
from mayfly.engine.line import Line
from mayfly.engine.pool import Pool
from mayfly.engine.provisioned import Standby
from mayfly.engine.room import Room
from mayfly.engine.streaks import Streaks
from mayfly.policy import queueing, scaling


class Deciding:
    """Decisions of one engine, about one call at a time."""

    leases: Leases
    _launching: Launching

    def __init__(self, books: Books, standby: Standby, clock: Clock, max_age_s: float) -> None:
        self.ledger = books.ledger
        self.tally = books.tally
        self.homes = books.homes
        self.standby = standby
        self._books = books
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._max_age_s = max_age_s
        self._streaks = Streaks(clock)
        self._line = Line(books.ledger, books.pools.values, books.working, self._streaks, clock, self._serve)
        self._room = Room(books.pools.values, self._line.waiting, books.working, books.shared_mb, clock)
        self._demands = Demands(books.ledger, self._line, self._room, standby, self._streaks, books.fleets, clock)

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
                self._books.accept(job, on=shared)
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
                self._books.forget(pool)
                raise error
            self._line.gave_up(pool)
            self._books.drop(job, error)
            return
        if not accepted:
            self._books.accept(job, on=shared if isinstance(decision, scaling.Use) else None)
        if isinstance(decision, scaling.Use):
            self._use(pool, shared, job, decision.evict_mb)
        elif isinstance(decision, scaling.Start):
            if decision.evict_mb:
                self._launching.evict(decision.evict_mb, job.target, called=True)
            self._start(pool, job)
        else:
            self._wait(pool, job, decision, first=turn)

    def _use(self, pool: Pool, shared: Instance | None, job: Job, evict_mb: int) -> None:
        """Hand a job to an instance that runs others, or else to an idle one, for which memory is made."""
        instance = shared if shared is not None else pool.idle.pop()
        if shared is None:
            self.ledger.idle_mb -= instance.holds_mb
            if evict_mb:
                self._launching.evict(evict_mb, job.target, called=True)
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
            self._books.accept(job)
        self.tally.provisioned_call(job.target.function)
        ready.run(job)
        if (sharing := self.homes[ready.id].sharing) is not None:
            sharing.note(ready)

    def _serve(self) -> None:
        """Decide about the calls that wait, the one first whose turn it is, as long as there is room."""
        while not self._books.closed and (pool := self._line.next_pool(self._clock.monotonic())) is not None:
            job = pool.waiting.popleft()
            if job.future.cancelled():
                self._books.settle(job)
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
        self._launching.tasks.add(task)
        task.add_done_callback(self._launching.lived)

    async def _place_later(self, pool: Pool, job: Job, scope: Scope, *, accepted: bool, busy: bool) -> None:
        await self.leases.recall(scope, busy=busy)
        pool.recalling -= 1
        if job.future.cancelled() or self._books.closed:
            if accepted:
                self._books.settle(job)
            job.fail(EngineClosedError("the engine is shutting down; the call was not run"))
            self._books.forget(pool)
            return
        try:
            self._place(self._books.pool(job.target), job, accepted=accepted)
        except ThrottledError as error:
            job.fail(error)
        self._books.forget(pool)

    def _start(self, pool: Pool, job: Job) -> None:
        self.ledger.started(job.target.function, self._clock.monotonic())
        self._books.waited(job)
        self._launching.start(pool, job)

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

    def _reconsider(self, pool: Pool) -> None:
        """Decide again about everything that waits."""
        for job in pool.empty_queue():
            if job.future.cancelled():
                self._books.settle(job)
            elif self._books.closed:
                self._books.drop(job, EngineClosedError("the engine is shutting down; the call was not run"))
            else:
                self._place(self._books.pool(job.target), job, accepted=True)
        self._line.room()
        self._books.forget(pool)


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
