"""What time does to executions: a tick of each, when the earliest of its moments has come.

That is the end of a wait, the next attempt at a step, a callback's timeout, the execution's own; and, when it has
ended, the end of its retention. A start of the platform reads one row of all of them.
"""

from mayfly.services.functions.durable import repository
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.model import Execution
from mayfly.services.functions.durable.turn import Turn
from mayfly.store.api import Tx
from mayfly.ticker.ticker import Moment, Tick


class Timers:
    """Acts upon ticks, whose keys are executions."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    def tick(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        """See `ticker.Act`."""
        execution = repository.find(tx, tick.key)
        if execution is None:
            return None
        wakes_at = execution.state.wakes_at
        if not execution.open:
            kept = wakes_at is not None and now < wakes_at
            return Moment(wakes_at, wakes_at) if kept and wakes_at else self._remove(tx, execution, now)
        turn = Turn(tx, execution, now)
        if now >= turn.state.closes_at:
            self._executions.time_out(turn)
        else:
            self._executions.fire(turn)
        settled = self._executions.settle(turn, ticking=True)
        wakes_at = settled.state.wakes_at
        assert wakes_at is not None
        return Moment(wakes_at, wakes_at)

    def _remove(self, tx: Tx, execution: Execution, now: float) -> Moment | None:
        """Some of what nobody keeps any longer; the rest follows at once."""
        if execution.status != "DELETING":
            repository.remove_begins(tx, execution.began.execution_id)
        return None if repository.remove_some(tx, execution.began.execution_id) else Moment(now, now)
