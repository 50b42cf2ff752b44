"""What one engine keeps in mind: its pools, its instances, and which calls are under way and were counted where.

Between two awaits nothing else runs on the loop, so `placement`, which alone changes what is here, needs no lock.
"""

import asyncio
from functools import partial
from typing import Any

from mayfly.clock import Clock
from mayfly.engine.api import Target
from mayfly.engine.fleets import Fleets
from mayfly.engine.habits import Habits
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.ledger import Ledger
from mayfly.engine.pool import Pool
from mayfly.engine.provisioned import Standby
from mayfly.engine.tally import Tally


class Books:
    """Those of one engine."""

    def __init__(self, ledger: Ledger, clock: Clock, habits: Habits[Any] | None) -> None:
        """`habits` are told of calls; None: nothing is learnt from them."""
        self.ledger = ledger
        self.tally = Tally()
        self.pools: dict[str, Pool] = {}  # those that take calls, by the key of their target
        self.homes: dict[str, Pool] = {}  # of every instance that is not gone, retired pools included
        self._families: dict[str, dict[str, None]] = {}  # keys of `pools`, of targets that differ in their tenant
        self.bounds: dict[str, int | None] = {}  # as told since, by key: there are targets that are older than that
        self.fleets = Fleets(self.homes)
        self.settled = asyncio.Event()  # set whenever a job is settled
        self.closed = False
        self._clock = clock
        self._habits = habits
        self._standby: Standby

    def keeps(self, standby: Standby) -> None:
        """Instances that are provisioned, and where they are kept in mind."""
        self._standby = standby

    # Pools.

    def pool(self, target: Target) -> Pool:
        pool = self.pools.get(target.key)
        if pool is None:
            pool = self.pools[target.key] = Pool(target)
            pool.most = self.bounds.get(target.key, target.most_instances)
            if target.family:
                self._families.setdefault(target.family, {})[target.key] = None
            if target.fleet:
                pool.more = partial(self.fleets.room, pool)
        return pool

    def tenants_of(self, family: str) -> list[str]:
        """The keys of the pools of a family."""
        return list(self._families.get(family, ()))

    def close_pool(self, key: str) -> Pool | None:
        """It takes no calls any more."""
        pool = self.pools.pop(key, None)
        if pool is not None and pool.target.family:
            members = self._families[pool.target.family]
            del members[key]
            if not members:
                del self._families[pool.target.family]
        return pool

    def forget(self, pool: Pool) -> None:
        """Keep nothing about targets that have neither instances nor calls."""
        if pool.unused and self.pools.get(pool.target.key) is pool:
            if pool.wake is not None:
                pool.wake.cancel()
                pool.wake = None
            self.close_pool(pool.target.key)
            if pool.target.tenant and self._habits is not None:
                self._habits.emptied(pool.target.key)

    def instances(self) -> list[Instance]:
        """All that are not gone."""
        return [pool.instances[instance_id] for instance_id, pool in self.homes.items()]

    def working(self, pool: Pool) -> int:
        """How many of a pool's instances start or run calls, without those that are provisioned."""
        return len(pool.instances) - len(pool.idle) - self._standby.count(pool.target.key)

    def shared_mb(self) -> int:
        """What there is for instances that are not provisioned."""
        return self.ledger.memory_mb - self._standby.memory_mb

    # Calls.

    def accept(self, job: Job, on: Instance | None = None) -> None:
        """A call is under way; `on`: it joins others on an instance."""
        self.tally.calls += 1
        self.ledger.accept(job.target.function, provisioned=job.provisioned)
        if job.call.rated and self.ledger.limits.calls_per_concurrency is not None:
            self.ledger.called(job.target.function, job.accepted_at)
        if not job.provisioned and self._standby.view(job.target.key) is not None:
            if on is not None and self._standby.owns(on):
                self.tally.provisioned_call(job.target.function)
            else:
                self.tally.spilled_over(job.target.function)
        if self._habits is not None:
            self._habits.called(job.target, job.accepted_at)

    def settle(self, job: Job) -> None:
        if job.waits_since is not None:
            self.waited(job)
        self.ledger.settle(job.target.function, provisioned=job.provisioned)
        if self._habits is not None:
            self._habits.ended(job.target.key)
        self.settled.set()

    def drop(self, job: Job, error: Exception) -> None:
        self.settle(job)
        job.fail(error)

    def waited(self, job: Job) -> None:
        """It has an instance, or is given up."""
        if job.waits_since is not None:
            self.tally.waited(job.target.function, self._clock.monotonic() - job.waits_since)
            job.waits_since = None
