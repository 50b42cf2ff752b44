"""What the tick of a scheduled action does, in the transaction that moves it on: new bounds for its target."""

import logging
from collections.abc import Callable

import msgspec

from mayfly import ids
from mayfly.services.autoscaling import catalog, timing
from mayfly.services.autoscaling.model import Action, Activity, Target
from mayfly.store.api import Tx
from mayfly.ticker.ticker import Moment, Tick

_log = logging.getLogger(__name__)


def key_of(action: Action) -> str:
    """What it ticks under: neither part holds a bar."""
    return f"{action.resource}|{action.name}"


class Acting:
    """See `ticker.Act`. `wake` is called when a target is due."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def tick(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        resource, _, name = tick.key.partition("|")
        action, target = catalog.action(tx, resource, name), catalog.target(tx, resource)
        if action is None or target is None:
            return None
        verdict, following = timing.judge(action, tick.at, now)
        if verdict.left_out:
            _log.info("the scheduled action %s of %s missed moments since %.0f", name, resource, tick.at)
        if verdict.run is not None and not target.suspended.scheduled:
            self._act(tx, action, target, now)
        return following

    def _act(self, tx: Tx, action: Action, target: Target, now: float) -> None:
        least = target.least if action.least is None else action.least
        most = target.most if action.most is None else action.most
        if least > most:
            said = f"The minimum capacity {least} would be greater than the maximum capacity {most}."
            described = f"Setting min capacity to {least} and max capacity to {most}"
            cause = f"scheduled action name {action.name} was triggered"
            activity = Activity(ids.request_id(), target.resource, described, cause, now, now, "Failed", said)
            catalog.note(tx, activity)
            return
        cause = f"scheduled action name {action.name} was triggered"
        catalog.put_target(tx, msgspec.structs.replace(target, least=least, most=most, due=cause))
        tx.after_commit(self._wake)
