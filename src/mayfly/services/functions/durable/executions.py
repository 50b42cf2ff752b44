"""Every change of an execution, within the caller's transaction.

Whatever happens, what it changes, the invocation that it makes necessary, the next moment at which time changes
something, what the event bus hears, and what it means for the execution that waits for this one are one commit. So an
execution never waits for something that has happened, and is never invoked for nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

import msgspec

from mayfly import ids
from mayfly.clock import Clock, iso_millis
from mayfly.services.functions.durable import names, repository, transitions
from mayfly.services.functions.durable.letters import DeadLetters
from mayfly.services.functions.durable.model import (
    MAX_LIFE_S,
    OPEN,
    Began,
    Error,
    Execution,
    OperationStatus,
    Outcome,
    Parent,
    State,
    Status,
)
from mayfly.services.functions.durable.turn import Turn
from mayfly.services.functions.model import Durable
from mayfly.services.functions.names import Home
from mayfly.services.ports import MetricCounts, PlatformEvents
from mayfly.store.api import NewItem, ReadyQueue, Tx
from mayfly.ticker.ticker import Moment

QUEUE = "functions.durable"
WAITED = "functions.durable.waited"  # for executions that somebody waits for: they need not wait for others
SOURCE, DETAIL_TYPE = "aws.lambda", "Durable Execution Status Change"
DAY_S = 86_400.0
_METRICS: dict[Status, str] = {
    "SUCCEEDED": "DurableExecutionSucceeded",
    "FAILED": "DurableExecutionFailed",
    "TIMED_OUT": "DurableExecutionTimedOut",
    "STOPPED": "DurableExecutionStopped",
}
_AS_OPERATION: dict[Status, OperationStatus] = {
    "SUCCEEDED": "SUCCEEDED",
    "FAILED": "FAILED",
    "TIMED_OUT": "TIMED_OUT",
    "STOPPED": "STOPPED",
}


class Starting(NamedTuple):
    """An execution to be."""

    execution_id: str
    function: str
    version: str
    name: str
    function_arn: str  # as its caller named it
    config: Durable
    given: bytes
    waited: bool = False
    trace_id: str | None = None
    parent: Parent | None = None
    tenant: str | None = None


SetTick = Callable[[Tx, str, Moment | None], None]


class Executions:
    """`set_tick` is the ticker's; executions are its keys."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        queue: ReadyQueue,
        events: PlatformEvents,
        counts: MetricCounts,
        set_tick: SetTick,
        letters: DeadLetters,
    ) -> None:
        self._home = home
        self.clock = clock
        self._queue = queue
        self._events = events
        self._counts = counts
        self._set_tick = set_tick
        self._letters = letters
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self.stopping = False  # nobody will hear of an end any more in this process

    @contextmanager
    def watching(self, execution_id: str, ended: Callable[[], None]) -> Iterator[None]:
        """Call `ended` on the event loop once the execution has ended, while the context is open."""
        self._watchers.setdefault(execution_id, []).append(ended)
        try:
            yield
        finally:
            self._watchers[execution_id].remove(ended)
            if not self._watchers[execution_id]:
                del self._watchers[execution_id]

    def stop_watching(self) -> None:
        """Let everybody who waits look, and see that the platform is stopping."""
        self.stopping = True
        for execution_id in list(self._watchers):
            self._ended(execution_id)

    def watched(self, execution_id: str) -> bool:
        """Whether somebody waits for its end in this process."""
        return execution_id in self._watchers

    def start(self, tx: Tx, starting: Starting) -> Execution:
        """A new execution; or the one of that name, if it was given the same.

        `ServiceError` DurableExecutionAlreadyStartedException if it was given something else.
        """
        now = self.clock.now()
        began = Began(
            starting.execution_id,
            starting.function,
            starting.version,
            starting.name,
            names.arn(self._home, starting.function, starting.version, starting.name, starting.execution_id),
            starting.function_arn,
            now,
            starting.config,
            sha256(starting.given).hexdigest(),
            starting.waited,
            starting.trace_id,
            starting.parent,
            starting.tenant,
        )
        found = repository.find_named(tx, starting.function, starting.name)
        if found is not None:
            if found.began.digest != began.digest:
                raise names.already_started(found.began.arn)
            return found
        execution = Execution(began, "RUNNING", State(now + starting.config.timeout_s))
        repository.insert(tx, execution, starting.given)
        turn = Turn(tx, execution, now)
        turn.weigh(len(starting.given))
        turn.tell("ExecutionStarted", kept="input", details={"ExecutionTimeout": starting.config.timeout_s})
        turn.set(clock=1)  # that it begins is news
        self._emit(turn)
        function = starting.function
        tx.after_commit(lambda: self._count(function, "DurableExecutionStarted"))
        return self.settle(turn)

    def settle(self, turn: Turn, *, ticking: bool = False) -> Execution:
        """Write a turn, with the invocation and the tick that follow from it. A tick sets its own by what it returns:
        `ticking`; it is in the state."""
        state = turn.state
        if turn.status == "RUNNING" and (turn.news or state.deferred) and not (state.running or state.queued):
            self.invoke(turn)
        wakes_at = self._wakes_at(turn)
        if wakes_at != turn.state.wakes_at:
            turn.set(wakes_at=wakes_at)
            if not ticking:
                self._set_tick(turn.tx, turn.execution_id, Moment(wakes_at, wakes_at))
        return turn.save()

    def invoke(self, turn: Turn) -> None:
        """Have the function invoked."""
        queue = WAITED if self.watched(turn.execution_id) else QUEUE
        self._queue.enqueue(turn.tx, [NewItem(queue, turn.execution_id.encode())])
        turn.set(queued=True, deferred=False)

    def _wakes_at(self, turn: Turn) -> float:
        if turn.status == "DELETING":
            return turn.now
        if turn.status not in OPEN:
            return (turn.ended_at or turn.now) + turn.began.config.retention_days * DAY_S
        due = repository.next_due(turn.tx, turn.execution_id)
        return turn.state.closes_at if due is None else min(due, turn.state.closes_at)

    def fire(self, turn: Turn) -> None:
        """Let time change what it has to."""
        for operation in repository.due(turn.tx, turn.execution_id, turn.now):
            after, event = transitions.due(operation, turn.now)
            turn.put(after, operation)
            turn.say(event)

    # Ends.

    def close(self, turn: Turn, status: Status, outcome: Outcome) -> None:
        """End an execution. Its turn is still to be settled."""
        titles: dict[Status, str] = {"TIMED_OUT": "TimedOut"}
        turn.end(status, outcome, f"Execution{titles.get(status, status.capitalize())}")
        self._emit(turn)
        function, execution_id = turn.began.function, turn.execution_id
        took_ms = max(0.0, turn.now - turn.began.started_at) * 1000
        turn.tx.after_commit(lambda: self._count(function, _METRICS[status]))
        turn.tx.after_commit(lambda: self._count(function, "DurableExecutionDuration", took_ms, "Milliseconds"))
        turn.tx.after_commit(lambda: self._ended(execution_id))
        if status in ("FAILED", "TIMED_OUT") and not turn.began.waited and turn.began.parent is None:
            self._letters.send(turn.tx, turn.began, outcome.error or Error())
        if turn.began.parent is not None:
            result, error = outcome.result, outcome.error
            if status == "TIMED_OUT":
                seconds = turn.began.config.timeout_s
                error = Error(f"CHAINED_INVOKE timed out after {seconds} seconds.", "ChainedInvoke.Timeout")
            self.complete(turn.tx, turn.began.parent, _AS_OPERATION[status], result, error)

    def time_out(self, turn: Turn) -> None:
        """The execution has lived as long as it may."""
        seconds = turn.began.config.timeout_s
        self.close(turn, "TIMED_OUT", Outcome(error=Error(f"Execution timed out after {seconds} seconds.")))

    def complete(
        self, tx: Tx, parent: Parent, status: OperationStatus, result: str | None, error: Error | None
    ) -> None:
        """What an execution invoked has ended. Too late, or for the second time, it is nothing."""
        execution = repository.find(tx, parent.execution_id)
        found = repository.operation(tx, parent.execution_id, parent.operation_id)
        if execution is None or found is None or not execution.open or found.operation.status != "STARTED":
            return
        turn = Turn(tx, execution, self.clock.now())
        after, event = transitions.ended(found.operation, status, turn.now, result, error)
        turn.put(after, found.operation)
        turn.say(event)
        self.settle(turn)

    def _ended(self, execution_id: str) -> None:
        for ended in list(self._watchers.get(execution_id, ())):
            ended()

    def _count(self, function: str, metric: str, amount: float = 1.0, unit: str = "Count") -> None:
        self._counts.count(metric, (), amount, unit)
        self._counts.count(metric, (("FunctionName", function),), amount, unit)

    def _emit(self, turn: Turn) -> None:
        began = turn.began
        detail = {
            "durableExecutionArn": began.arn,
            "durableExecutionName": began.name,
            "functionArn": began.function_arn,
            "status": turn.status,
            "startTimestamp": iso_millis(began.started_at),
        }
        if turn.ended_at is not None:
            detail["endTimestamp"] = iso_millis(turn.ended_at)
        self._events.emit(turn.tx, SOURCE, DETAIL_TYPE, detail)

    # What people do with one.

    def stop(self, tx: Tx, execution_id: str, error: Error) -> Execution:
        """End an execution; one that has ended stays as it is. `ServiceError` ResourceNotFoundException."""
        execution = self.find(tx, execution_id)
        if not execution.open:
            return execution
        turn = Turn(tx, execution, self.clock.now())
        self.close(turn, "STOPPED", Outcome(error=error))
        return self.settle(turn)

    def pause(self, turn: Turn) -> None:
        """A pause that was asked for takes effect: nothing runs any more."""
        pause = turn.state.pause
        assert pause is not None
        if pause.stops_clock:
            left_s = turn.state.closes_at - turn.now
            turn.set(pause=msgspec.structs.replace(pause, left_s=left_s), closes_at=turn.began.started_at + MAX_LIFE_S)
        turn.status = "PAUSED"
        details = {"PauseRequestTimestamp": pause.asked_at, "ExecutionTimeoutPaused": pause.stops_clock}
        turn.tell("ExecutionPaused", payload=pause.reason, details=details)
        self._emit(turn)

    def resume(self, turn: Turn, reason: str | None) -> None:
        """Go on, or do not pause after all."""
        pause, paused = turn.state.pause, turn.status == "PAUSED"
        if paused and pause is not None and pause.left_s is not None:
            turn.set(closes_at=min(turn.now + pause.left_s, turn.began.started_at + MAX_LIFE_S))
        turn.set(pause=None)
        turn.status = "RUNNING"
        turn.tell("ExecutionResumed", payload=reason, details={"ResumeRequestTimestamp": turn.now})
        if paused:
            self._emit(turn)

    def remove(self, turn: Turn) -> None:
        """End an execution if need be, and have all of it removed. Settles the turn."""
        if turn.ended_at is None:
            self.close(turn, "STOPPED", Outcome(error=Error("The function was deleted.")))
        turn.status = "DELETING"
        self.settle(turn)
        repository.remove_begins(turn.tx, turn.execution_id)

    def find(self, tx: Tx, execution_id: str) -> Execution:
        """`ServiceError` ResourceNotFoundException."""
        execution = repository.find(tx, execution_id)
        if execution is None:
            raise names.no_such_execution()
        return execution


def fresh_id() -> str:
    """Of an execution to be."""
    return ids.request_id()
