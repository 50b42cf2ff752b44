"""What somebody outside says of a callback: SendDurableExecutionCallbackSuccess, Failure, Heartbeat."""

from typing import Any

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions.durable import checks, names, repository, transitions
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.model import Error, Execution, Operation, OperationStatus
from mayfly.services.functions.durable.turn import Turn
from mayfly.services.functions.durable.updates import error as read_error
from mayfly.services.functions.faults import invalid_parameter, resource_not_found
from mayfly.store.api import Reader, Store, Tx


class CallbackOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, executions: Executions) -> None:
        self._store = store
        self._executions = executions

    @operation("SendDurableExecutionCallbackSuccess")
    async def succeed(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        result = params.get("Result", b"")
        assert isinstance(result, bytes), "the wire gives blobs as bytes"
        try:
            text = result.decode()
        except UnicodeDecodeError as error:
            raise invalid_parameter("Result must be valid UTF-8") from error
        await self._end(params["CallbackId"], text or None, None)
        return {}

    @operation("SendDurableExecutionCallbackFailure")
    async def fail(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        error = read_error(params.get("Error", {}))
        checks.error_size(error)
        await self._end(params["CallbackId"], None, error)
        return {}

    @operation("SendDurableExecutionCallbackHeartbeat")
    async def heartbeat(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        callback_id = params["CallbackId"]

        def body(tx: Tx) -> None:
            execution, callback = _find(tx, callback_id)
            turn = Turn(tx, execution, self._executions.clock.now())
            _check(callback, turn.now)
            after = transitions.heartbeat(callback, turn.now)
            # Nothing that the function need know of: the state's clock does not move.
            repository.touch_operation(tx, turn.execution_id, after)
            self._executions.settle(turn)

        await self._store.write(body)
        return {}

    async def _end(self, callback_id: str, result: str | None, error: Error | None) -> None:
        def body(tx: Tx) -> None:
            execution, callback = _find(tx, callback_id)
            turn = Turn(tx, execution, self._executions.clock.now())
            _check(callback, turn.now)
            status: OperationStatus = "SUCCEEDED" if error is None else "FAILED"
            after, event = transitions.ended(callback, status, turn.now, result, error)
            turn.put(after, callback)
            turn.say(event)
            self._executions.settle(turn)

        await self._store.write(body)


def _find(reader: Reader, callback_id: str) -> tuple[Execution, Operation]:
    execution_id, number = names.read_callback(callback_id)
    execution = repository.find(reader, execution_id)
    callback = repository.operation_numbered(reader, execution_id, number)
    if execution is None or callback is None or callback.type != "CALLBACK":
        raise resource_not_found("Callback does not exist")
    if not execution.open:
        raise _over()
    return execution, callback


def _check(callback: Operation, now: float) -> None:
    """`ServiceError` unless the callback is waited for; that its time has come may not have been noticed yet."""
    if callback.status != "STARTED" or (callback.due_at is not None and callback.due_at <= now):
        raise _over()


def _over() -> ServiceError:
    message = "The callback is either timed out or already completed"
    return ServiceError("CallbackTimeoutException", message, status=400, members={"Type": "User"})
