"""Snapshots for `policy.scaling`: what there is and what a call needs, read from the books at one moment."""

from mayfly.clock import Clock
from mayfly.engine.fleets import Fleets
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.ledger import Ledger
from mayfly.engine.line import Line
from mayfly.engine.pool import Pool
from mayfly.engine.provisioned import Standby
from mayfly.engine.room import Room
from mayfly.engine.streaks import Streaks
from mayfly.policy import scaling


class Demands:
    """Reads the books of one engine; changes nothing."""

    def __init__(
        self,
        ledger: Ledger,
        line: Line,
        room: Room,
        standby: Standby,
        streaks: Streaks,
        fleets: Fleets,
        clock: Clock,
    ) -> None:
        self._fleets = fleets
        self._ledger = ledger
        self._line = line
        self._room = room
        self._standby = standby
        self._streaks = streaks
        self._clock = clock

    def plain(self, pool: Pool, job: Job, shared: Instance | None, *, accepted: bool) -> bool:
        """Whether the decision is to use `shared`, or else the idle instance that is next, without a snapshot."""
        ledger = self._ledger
        if ledger.limits.calls_per_concurrency is not None:
            return False
        if shared is not None:
            wake_mb = 0
        elif pool.idle:
            wake_mb = pool.idle[-1].wake_mb
        else:
            return False
        calls, limit = ledger.counted(job.target.function, accepted=accepted)
        return scaling.uses(calls, limit, wake_mb, ledger.memory_mb - ledger.held_mb)

    def of(self, pool: Pool, job: Job, shared: Instance | None, *, accepted: bool, turn: bool) -> scaling.Demand:
        """The snapshot for a decision. What it takes to start an instance is looked up only where there is none."""
        ledger, now, function = self._ledger, self._clock.monotonic(), job.target.function
        idle = len(pool.idle) + (shared is not None)
        start_after_s = max(pool.start_after_s(now), self._streaks.left_s(pool.target.key, job.accepted_at, now))
        demand = ledger.demand(job.target, idle, start_after_s, accepted)
        if ledger.limits.calls_per_concurrency is not None and job.call.rated:
            limit = ledger.call_rate(function)
            demand = demand._replace(
                call_after_s=ledger.call_after_s(function, now), call_rate=int(limit[1].per_s) if limit else 0
            )
        if shared is not None:
            return demand
        if pool.idle:
            wake_mb = pool.idle[-1].wake_mb
            if wake_mb <= max(0, demand.free_mb):
                return demand
            demand = demand._replace(wake_mb=wake_mb, evictable_mb=demand.evictable_mb - pool.idle[-1].holds_mb)
        most, of_fleet = pool.most, pool.more()
        by_fleet = of_fleet is not None and (most is None or pool.living + of_fleet < most)
        if of_fleet is not None and by_fleet:
            most = pool.living + of_fleet
        limits, waited_s = ledger.limits, now - job.accepted_at
        first = turn or not self._line.able(now)
        if demand.free_mb < (demand.wake_mb or demand.need_mb) <= demand.free_mb + demand.evictable_mb:
            spared = pool.idle[-1].id if pool.idle else ""
            demand = demand._replace(evictable_mb=self._room.evictable_mb(job.target, spared))
        return demand._replace(
            room_to_come=pool.sharing.to_come if pool.sharing is not None else 0,
            scaling_after_s=ledger.scaling_after_s(function, now),
            scaling_limit=int(limits.scaling.burst) if limits.scaling else 0,
            instances=pool.living if most is not None else 0,
            most_instances=most,
            fleet=self._fleets.of(pool) if by_fleet else None,
            coming=self._standby.starting(pool.target.key) - pool.waits if most is not None else 0,
            standing_mb=self._standby.memory_mb,
            turn=first and not self._line.full_for(function),
            most_starting=limits.starts_at_once,
            places=self._line.places(function, job.target.tenant),
            memory_patience_s=limits.queue_s - waited_s,
            start_patience_s=limits.start_patience_s - waited_s,
        )
