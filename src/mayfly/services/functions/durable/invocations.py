"""One invocation of an execution: how it begins, and what follows from how it ended. Within the caller's transaction.

Whoever holds the item in the ready queue that asks for it carries it out; see `running`.
"""

from typing import NamedTuple

from mayfly.policy.retry import backoff
from mayfly.services.contract import ServiceError
from mayfly.services.functions.durable import checks, envelope, names, repository
from mayfly.services.functions.durable.envelope import InvalidAnswerError
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.model import Error, Event, Execution, Outcome, State
from mayfly.services.functions.durable.names import Token
from mayfly.services.functions.durable.turn import Turn
from mayfly.services.functions.results import Result
from mayfly.store.api import Claim, Reader, ReadyQueue, Tx

# AWS publishes no figures for these; the first two are those of its own tools for tests.
MAX_FAILURES = 5  # of invocations, one after the other
MAX_IDLE = 3  # invocations that said that they wait, for nothing
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 60.0
IDLE = "Cannot return PENDING status with no pending operations."


class Begun(NamedTuple):
    """An invocation that is to be made."""

    execution: Execution
    request_id: str
    at: float
    updated: tuple[str, ...]  # operations that changed since the function last heard of them
    seen: int  # the state's clock until which it has

    @property
    def token(self) -> str:
        state = self.execution.state
        return names.token(Token(self.execution.began.execution_id, state.invocation, state.checkpoint))


class Ended(NamedTuple):
    """An invocation that was made."""

    began_at: float
    ended_at: float
    request_id: str
    result: Result


class Invocations:
    """`queue` has the items that ask for invocations."""

    def __init__(self, executions: Executions, queue: ReadyQueue) -> None:
        self._executions = executions
        self._queue = queue

    def begin(self, tx: Tx, claim: Claim, execution_id: str, request_id: str) -> Begun | None:
        """The invocation that a claim asks for; None, and the item is removed, when there is none to be made."""
        execution = repository.find(tx, execution_id)
        if execution is None or not execution.open:
            self._queue.complete(tx, claim)
            return None
        turn = Turn(tx, execution, self._executions.clock.now())
        if execution.status != "RUNNING":
            self._queue.complete(tx, claim)
            turn.set(queued=False, running=False, deferred=True)
            if execution.status == "PAUSING":
                self._executions.pause(turn)
            self._executions.settle(turn)
            return None
        seen = execution.state.seen
        updated = repository.changed_ids(tx, execution_id, seen) if seen else [execution_id]
        turn.set(
            invocation=execution.state.invocation + 1,
            checkpoint=execution.state.checkpoint + 1,
            running=True,
            seen=turn.state.clock,
            client_token=None,
        )
        return Begun(self._executions.settle(turn), request_id, turn.now, tuple(updated), seen)

    def payload(self, reader: Reader, begun: Begun) -> bytes:
        """What the function is invoked with: the state as it is, which the next checkpoint may tell it again."""
        execution_id = begun.execution.began.execution_id
        given = repository.given(reader, execution_id).decode()
        found, room = [], envelope.PAGE_BYTES - len(given.encode())
        for operation in repository.operations(reader, execution_id, 1):
            found.append(operation)
            room -= envelope.weight(operation)
            if room < 0:  # the rest is not for this page
                break
        return envelope.invocation(begun.execution, begun.token, given, found, begun.updated)

    def postpone(self, tx: Tx, claim: Claim, begun: Begun | None, ready_at: float) -> None:
        """It could not be made now, and that is nobody's fault who is to hear of it."""
        self._queue.retry(tx, claim, ready_at)
        if begun is None:
            return
        execution = repository.find(tx, begun.execution.began.execution_id)
        if execution is not None and execution.state.invocation == begun.execution.state.invocation:
            turn = Turn(tx, execution, self._executions.clock.now())
            turn.set(running=False, seen=begun.seen)
            self._executions.settle(turn)

    def finish(self, tx: Tx, claim: Claim, begun: Begun, ended: Ended) -> None:
        """What follows from an invocation that was made. `StaleClaimError` for one that another took the place of."""
        execution = repository.find(tx, begun.execution.began.execution_id)
        if execution is None or execution.state.invocation != begun.execution.state.invocation:
            self._queue.complete(tx, claim)
            return
        turn = Turn(tx, execution, self._executions.clock.now())
        turn.set(running=False)
        failure = envelope.function_error(ended.result.payload) if ended.result.failed else None
        details = {"StartTimestamp": ended.began_at, "EndTimestamp": ended.ended_at, "RequestId": ended.request_id}
        turn.say(Event("InvocationCompleted", turn.now, error=failure, details=details))
        retry_at = None
        if turn.ended_at is None:
            retry_at = self._failed(turn, failure) if failure is not None else self._answered(turn, ended.result)
        if retry_at is not None:
            self._queue.retry(tx, claim, retry_at)
        else:
            self._queue.complete(tx, claim)
            turn.set(queued=False)
        self._executions.settle(turn)

    def fail(self, tx: Tx, claim: Claim, execution_id: str, error: Error) -> None:
        """There is nothing any more that could be invoked."""
        self._queue.complete(tx, claim)
        execution = repository.find(tx, execution_id)
        if execution is None or not execution.open:
            return
        turn = Turn(tx, execution, self._executions.clock.now())
        turn.set(queued=False, running=False)
        self._executions.close(turn, "FAILED", Outcome(error=error))
        self._executions.settle(turn)

    def _failed(self, turn: Turn, failure: Error) -> float | None:
        """A function that raised, ran out of time or memory. When to try again; None: not."""
        failures = turn.state.failures + 1
        turn.set(failures=failures)
        if failures >= MAX_FAILURES:
            self._executions.close(turn, "FAILED", Outcome(error=failure))
            return None
        return turn.now + backoff(failures, RETRY_FIRST_S, RETRY_MOST_S)

    def _answered(self, turn: Turn, result: Result) -> float | None:
        try:
            answer = envelope.answer(result.payload)
            checks.output(turn.began, answer.result)
        except (InvalidAnswerError, ServiceError) as error:
            message = error.message if isinstance(error, ServiceError) else str(error)
            self._executions.close(turn, "FAILED", Outcome(error=Error(message, "InvalidParameterValueException")))
            return None
        if answer.status == "SUCCEEDED":
            self._executions.close(turn, "SUCCEEDED", Outcome(answer.result))
        elif answer.status == "FAILED":
            self._executions.close(turn, "FAILED", Outcome(error=answer.error or Error()))
        else:
            return self._pending(turn)
        return None

    def _pending(self, turn: Turn) -> float | None:
        """The function waits. When to ask it again whether it really does."""
        if turn.status == "PAUSING":
            self._executions.pause(turn)
        state: State = turn.state
        if turn.status == "PAUSED" or turn.news or state.deferred or state.waiting:
            turn.set(failures=0, idle=0)
            return None
        if state.idle + 1 >= MAX_IDLE:
            self._executions.close(turn, "FAILED", Outcome(error=Error(IDLE, "InvalidParameterValueException")))
            return None
        turn.set(idle=state.idle + 1)
        return turn.now + RETRY_FIRST_S
