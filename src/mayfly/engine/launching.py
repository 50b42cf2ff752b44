"""Starting instances: for a call, ahead of calls that are expected, or to be kept ready; and making memory for them.

`placement` decides for which call; what is started lives in a task of its own, which is kept here.
"""

import asyncio
import logging
from collections.abc import Callable

from mayfly.engine.api import Target
from mayfly.engine.books import Books
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.line import Line
from mayfly.engine.owner import Host, Owner
from mayfly.engine.pool import Pool
from mayfly.engine.provisioned import NoRoomError, Standby
from mayfly.engine.room import Room

_log = logging.getLogger(__name__)


class Launching:
    """Of one engine. `owner` is told by every instance what becomes of it."""

    def __init__(
        self,
        books: Books,
        host: Host,
        owner: Owner[Instance],
        new_id: Callable[[], str],
        line: Line,
        room: Room,
        standby: Standby,
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._books = books
        self._host = host
        self._owner = owner
        self._new_id = new_id
        self._line = line
        self._room = room
        self._standby = standby
        self._loop = asyncio.get_running_loop()

    def start(self, pool: Pool, job: Job) -> None:
        """Start an instance for a call."""
        instance = Instance(self._new_id(), job.target, job, self._host, self._owner)
        self._line.begin(instance)
        self.launch(pool, instance, calls=1)

    def ahead(self, target: Target) -> Instance:
        """Start an instance for no call; `NoRoomError`."""
        if self._books.closed:
            raise NoRoomError("the engine is shutting down")
        pool = self._books.pool(target)
        if pool.full and pool.idle:
            pool.idle[0].end("more than may be")
        if pool.full:
            self._books.forget(pool)
            if pool.most is not None and pool.living >= pool.most:
                raise NoRoomError(f"no more than {pool.most} instances may live at a time")
            raise NoRoomError("no more than its capacity provider has processors for may live at a time")
        short_mb = target.sandbox.memory_mb - (self._books.ledger.memory_mb - self._books.ledger.held_mb)
        if short_mb > self._books.ledger.idle_mb:
            self._books.forget(pool)
            raise NoRoomError(f"no memory is left for an instance of {target.sandbox.memory_mb} MB")
        if short_mb > 0:
            self.evict(short_mb, target, called=False)
        instance = Instance(self._new_id(), target, None, self._host, self._owner)
        self.launch(pool, instance)
        return instance

    def expected(self, target: Target) -> Instance | None:
        """Start an instance for a call that is expected, unless one is there or another would have to go for it."""
        if self._books.closed or self._standby.view(target.key) is not None or self._line.waiting():
            return None
        pool = self._books.pool(target)
        if (
            pool.living
            or pool.full
            or self._books.fleets.yielding(pool)
            or target.sandbox.memory_mb > self._books.ledger.memory_mb - self._books.ledger.held_mb
        ):
            self._books.forget(pool)
            return None
        instance = Instance(self._new_id(), target, None, self._host, self._owner)
        self.launch(pool, instance)
        return instance

    def launch(self, pool: Pool, instance: Instance, calls: int = 0) -> None:
        """Start an instance, for so many calls."""
        if pool.target.fleet:
            for other in self._books.fleets.yielding(pool):
                self._books.tally.evicted(other.target.function)
                other.end("evicted")
        self._books.ledger.held_mb += instance.holds_mb
        pool.instances[instance.id] = instance
        if pool.sharing is not None:
            pool.sharing.began(instance.id, calls)
        self._books.homes[instance.id] = pool
        self._books.tally.cold_start(instance.target.function)
        task = self._loop.create_task(instance.live(), name=f"instance {instance.id}")
        self.tasks.add(task)
        task.add_done_callback(self.lived)

    def lived(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s could not be taken down", task.get_name(), exc_info=error)

    def evict(self, need_mb: int, target: Target, *, called: bool) -> None:
        """End the least valuable idle instances that together hold `need_mb`; the decision knows that there are."""
        for instance in self._room.evict(need_mb, target, called=called):
            self._books.tally.evicted(instance.target.function)
            instance.end("evicted")
