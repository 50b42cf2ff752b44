"""What callers and the engine want of the pools: calls run, targets provisioned, bounded or retired.

`engine` is the only one that uses it. It is made of `owning`, what instances tell, and that of `deciding`, which call
runs where; the books that they share are `books`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from mayfly.engine.api import Target
from mayfly.engine.books import Books
from mayfly.engine.habits import Habits
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.launching import Launching
from mayfly.engine.leases import Leases
from mayfly.engine.ledger import Ledger
from mayfly.engine.lending import Lending
from mayfly.engine.owner import Host
from mayfly.engine.owning import Owning
from mayfly.engine.provisioned import Standby


class Placement(Owning):
    """Pools, instances and the jobs on them."""

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
        books, clock = Books(ledger, host.clock, habits), host.clock
        standby = Standby(self._start_ahead, asyncio.get_running_loop(), clock, max_age_s)
        books.keeps(standby)
        super().__init__(books, standby, clock, max_age_s, on_idle)
        self.pools = books.pools
        self.settled = books.settled
        self._habits = habits
        self._launching = Launching(books, host, self, new_id, self._line, self._room, standby)
        lending = Lending(
            books.pools,
            ledger,
            self._line,
            standby,
            books.tally,
            habits,
            clock,
            on_idle=self._idle,
            settled=books.settled,
            lends=lambda: not books.closed,
            max_age_s=max_age_s,
        )
        self.leases = Leases(lending)

    @property
    def closed(self) -> bool:
        """Whether nothing is started any more."""
        return self._books.closed

    def close(self) -> None:
        """Start nothing any more."""
        self._books.closed = True
        self.standby.close()
        self.freezer.close()

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """Of the instances that are not gone, and of calls that wait for lent ones."""
        return self._launching.tasks

    def instances(self) -> list[Instance]:
        """All that are not gone."""
        return self._books.instances()

    # What is asked for.

    def submit(self, job: Job) -> None:
        """Accept a new job; `ThrottledError`."""
        self._place(self._books.pool(job.target), job, accepted=False)

    def withdraw(self, job: Job) -> None:
        """The caller of a job went away; if it has no instance yet, it never gets one."""
        pool = self.pools.get(job.target.key)
        if pool is not None and pool.withdraw(job):
            self._books.settle(job)
            self._line.room()
            self._books.forget(pool)

    def retire(self, key: str) -> None:
        """See `engine.api.Engine.retire`."""
        for tenant in self._books.tenants_of(key):
            self._retire(tenant)
        if self._habits is not None:
            self._habits.retire_family(key)
        self._retire(key)

    def _retire(self, key: str) -> None:
        self._books.bounds.pop(key, None)
        self._streaks.forget(key)
        if self._habits is not None:
            self._habits.retire(key)
        if (standing := self.standby.drop(key)) is not None:
            self.ledger.provision(standing.function, key, 0)
        pool = self._books.close_pool(key)
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
        self._books.bounds[key] = instances
        pool = self.pools.get(key)
        if pool is None:
            return
        pool.most = instances
        for instance in pool.surplus(self.standby.owns):
            instance.retire("more than may be")
        self._line.room()

    def limit(self, fleet: str, processors: float | None) -> None:
        """See `engine.api.Engine.limit`."""
        self._books.fleets.limit(fleet, processors)
        for instance in self._books.fleets.surplus(fleet):
            instance.end("more than may be")
        self._line.room()

    def start_expected(self, target: Target) -> Instance | None:
        """Start an instance for a call that is expected, unless one is there or another would have to go for it."""
        return self._launching.expected(target)

    def _start_ahead(self, target: Target) -> Instance:
        return self._launching.ahead(target)
