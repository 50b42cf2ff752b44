"""What a tick does, in the transaction that moves the schedule on to its next moment.

A target that takes events in a transaction gets the event at once, so that tick, event and next moment are one commit.
What else there is goes into the ready queue, in that same commit: calls of operations, first events for a role that has
not been asked about lately, and what a target refused.
"""

import logging

import msgspec

from mayfly import ids
from mayfly.services.contract import ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.schedules import catalog, handing
from mayfly.services.schedules.handing import Handing
from mayfly.services.schedules.model import Delivery, Schedule
from mayfly.services.schedules.retrying import after_failure
from mayfly.services.schedules.timing import Timing
from mayfly.store.api import NewItem, ReadyQueue, Tx
from mayfly.ticker.ticker import Moment, Tick

QUEUE = "schedules.deliveries"

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode


class Firing:
    """Acts upon ticks."""

    def __init__(self, queue: ReadyQueue, timing: Timing, handing_over: Handing, roles: ExecutionRoles) -> None:
        self._queue = queue
        self._timing = timing
        self._handing = handing_over
        self._roles = roles

    def tick(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        """See `ticker.Act`."""
        group, _, name = tick.key.partition("/")
        schedule = catalog.find(tx, group, name)
        if schedule is None or schedule.state == "DISABLED":
            return None
        verdict, following = self._timing.judge(schedule, tick.at, now)
        if verdict.left_out:
            _log.debug("schedule %s missed moments since %.0f; it runs for the last at most", tick.key, tick.at)
        completes = following is None and schedule.action == "DELETE"
        if verdict.run is not None:
            self._fire(tx, schedule, verdict.run, now, completes)
        elif completes:
            catalog.remove(tx, schedule.group, schedule.name)
        return following

    def _fire(self, tx: Tx, schedule: Schedule, at: float, now: float, completes: bool) -> None:
        delivery = Delivery(
            schedule.group,
            schedule.name,
            schedule.serial,
            schedule.target,
            at,
            ids.digits(16),
            now,
            last=completes,
        )
        ready_at = now
        if handing.is_local(schedule.target["Arn"]) and self._roles.fresh(schedule.target["RoleArn"]):
            try:
                self._handing.hand(tx, delivery)
            except ServiceError as error:
                delivery = msgspec.structs.replace(
                    delivery, attempts=1, error_code=error.code, error_message=error.message
                )
                _log.warning("schedule %s is tried again: %s", schedule.key, error)
                decided = after_failure(delivery, now, 1.0)
                ready_at = now if isinstance(decided, str) else decided
            else:
                if completes:
                    catalog.remove(tx, schedule.group, schedule.name)
                return
        self._queue.enqueue(tx, [NewItem(QUEUE, _encode(delivery), ready_at)])
