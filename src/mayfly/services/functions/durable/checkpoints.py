"""A checkpoint, within the caller's transaction: updates of a function in, what it does not know yet out.

The token of a checkpoint is good once, and only while the invocation that it was given to is the current one. A client
that tries again because it never saw the answer gets that answer again.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mayfly.services.functions.durable import checks, names, repository, transitions
from mayfly.services.functions.durable.chaining import Chaining, Target
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.model import ENDED, Error, Execution, Operation, Outcome
from mayfly.services.functions.durable.names import Token
from mayfly.services.functions.durable.turn import Turn
from mayfly.services.functions.durable.updates import Update
from mayfly.services.functions.faults import invalid_parameter
from mayfly.store.api import Reader, Tx

Targets = Mapping[str, Target | Error]  # of chained invocations that begin, by the ids of their operations


class Answer(NamedTuple):
    """`token` is None where the invocation may checkpoint nothing more."""

    execution: Execution
    token: str | None
    operations: Sequence[Operation]


class Checkpoints:
    """Takes them."""

    def __init__(self, executions: Executions, chaining: Chaining) -> None:
        self._executions = executions
        self._chaining = chaining

    def take(
        self,
        tx: Tx,
        execution_id: str,
        token: Token,
        updates: Sequence[Update],
        client_token: str | None,
        targets: Targets,
    ) -> Answer:
        """`ServiceError` InvalidParameterValueException; nothing was changed then."""
        execution = repository.find(tx, execution_id)
        if execution is None:
            raise invalid_token()
        if answer := _again(tx, execution, token, client_token):
            return answer
        check(execution, token)
        turn = Turn(tx, execution, self._executions.clock.now())
        checks.batch(updates)
        for update in updates:
            self._apply(turn, update, targets)
        closed = turn.ended_at is not None
        if not closed:
            self._executions.fire(turn)
        turn.set(
            checkpoint=token.checkpoint + 1, client_token=client_token, client_seen=turn.state.seen, failures=0, idle=0
        )
        if turn.status == "PAUSING":
            turn.set(deferred=True)
            self._executions.pause(turn)
        if closed or turn.status == "PAUSED":
            return Answer(self._executions.settle(turn), None, ())
        news = repository.changed(tx, execution_id, turn.state.seen)
        turn.set(seen=turn.state.clock)
        return Answer(self._executions.settle(turn), _next(turn.execution_id, turn.state.invocation, token), news)

    def _apply(self, turn: Turn, update: Update, targets: Targets) -> None:
        turn.weigh(update.size())
        if update.type == "EXECUTION":
            succeeded = update.action == "SUCCEED"
            outcome = Outcome(update.payload) if succeeded else Outcome(error=update.error or Error())
            checks.output(turn.began, outcome.result)
            self._executions.close(turn, "SUCCEEDED" if succeeded else "FAILED", outcome)
            return
        found = repository.operation(turn.tx, turn.execution_id, update.id)
        current = found.operation if found is not None else None
        checks.transition(current, update)
        hidden = found.hidden if found is not None else self._hidden(turn, update)
        base = current or transitions.new(update, turn.number(), turn.now)
        after, event = transitions.updated(turn.execution_id, base, update, turn.now)
        if update.type == "CHAINED_INVOKE":
            self._chaining.begin(turn, after, event, update, targets[update.id])
            return
        turn.put(after, current, hidden=hidden)
        turn.say(event)
        if after.type == "CONTEXT" and after.status in ENDED and not after.replay_children:
            repository.hide_below(turn.tx, turn.execution_id, after.id)

    def _hidden(self, turn: Turn, update: Update) -> bool:
        """Whether nobody needs a new operation to replay; `ServiceError` when it is part of nothing."""
        if update.parent is None:
            return False
        found = repository.operation(turn.tx, turn.execution_id, update.parent)
        checks.parent(found.operation if found is not None else None)
        assert found is not None
        context = found.operation
        return found.hidden or (context.status in ENDED and not context.replay_children)


def check(execution: Execution, token: Token) -> None:
    """`ServiceError` unless the token is the current one of a current invocation."""
    state = execution.state
    current = (state.invocation, state.checkpoint)
    if not (execution.open and state.running) or (token.invocation, token.checkpoint) != current:
        raise invalid_token()


def read(execution_id: str, text: str) -> Token:
    """The token of a request about an execution; `ServiceError`."""
    token = names.read_token(text)
    if token is None:
        raise invalid_token()
    if token.execution_id != execution_id:
        raise invalid_parameter("Checkpoint token is not valid for the durable execution ARN")
    return token


def invalid_token() -> Exception:
    return invalid_parameter("Invalid checkpoint token")


def _again(reader: Reader, execution: Execution, token: Token, client_token: str | None) -> Answer | None:
    """The answer that a checkpoint had before; None for one that is new."""
    state = execution.state
    if client_token is None or client_token != state.client_token:
        return None
    if (token.invocation, token.checkpoint + 1) != (state.invocation, state.checkpoint):
        return None
    if not execution.open or execution.status == "PAUSED":
        return Answer(execution, None, ())
    news = repository.changed(reader, execution.began.execution_id, state.client_seen)
    return Answer(execution, _next(token.execution_id, state.invocation, token), news)


def _next(execution_id: str, invocation: int, token: Token) -> str:
    return names.token(Token(execution_id, invocation, token.checkpoint + 1))
