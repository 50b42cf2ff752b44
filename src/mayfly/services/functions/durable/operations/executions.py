"""What people do with executions: look, list, stop, pause, resume, delete."""

import math
from typing import Any

from mayfly.clock import utc
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import repository as functions_repository
from mayfly.services.functions import version_repository
from mayfly.services.functions.durable import checks, names, repository, shapes
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.model import Event, Execution, Outcome, Pause
from mayfly.services.functions.durable.repository import Wanted
from mayfly.services.functions.durable.turn import Turn
from mayfly.services.functions.durable.updates import error as read_error
from mayfly.services.functions.faults import conflict, function_not_found, invalid_parameter
from mayfly.services.functions.model import LATEST
from mayfly.services.functions.names import Home
from mayfly.store.api import Reader, Store, Tx

DEFAULT_ITEMS = 100
_LAST = 10**17


class ExecutionOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, store: Store, executions: Executions) -> None:
        self._home = home
        self._store = store
        self._executions = executions

    @operation("GetDurableExecution")
    async def get(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])
        data = params.get("IncludeExecutionData", True)

        def body(reader: Reader) -> dict[str, object]:
            execution = _there(repository.find(reader, execution_id), params["DurableExecutionArn"])
            given = repository.given(reader, execution_id).decode() if data else None
            outcome = repository.outcome(reader, execution_id) if data else None
            return shapes.execution(execution, given, outcome, data=data)

        return await self._store.read(body)

    @operation("GetDurableExecutionHistory")
    async def history(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])
        data, backwards = params.get("IncludeExecutionData", True), params.get("ReverseOrder", False)
        most = params.get("MaxItems") or DEFAULT_ITEMS
        marker = params.get("Marker") or str(_LAST if backwards else 0)
        try:
            first = page_tokens.number(marker)
        except ValueError as error:
            raise invalid_parameter("Invalid Marker") from error

        def body(reader: Reader) -> dict[str, object]:
            _there(repository.find(reader, execution_id), params["DurableExecutionArn"])
            found = repository.events(reader, execution_id, first, most + 1, backwards=backwards)
            shown = [
                shapes.event(event, number, _kept(reader, execution_id, event) if data else None, data=data)
                for number, event in found[:most]
            ]
            following = {"NextMarker": str(found[most][0])} if len(found) > most else {}
            return {"Events": shown, **following}

        return await self._store.read(body)

    @operation("ListDurableExecutionsByFunction")
    async def list(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        """Newest first, unless ReverseOrder asks for the oldest first."""
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        statuses = params.get("Statuses")
        if statuses is not None and len(statuses) > 1:
            raise invalid_parameter("Cannot filter by more than one status")
        newest = not params.get("ReverseOrder", False)
        most = params.get("MaxItems") or DEFAULT_ITEMS
        at, last = _place(params.get("Marker"), newest=newest)
        after, before = params.get("StartedAfter"), params.get("StartedBefore")

        def body(reader: Reader) -> dict[str, object]:
            if functions_repository.find(reader, reference.name) is None:
                raise function_not_found(self._home.arn(reference.name))
            version = None
            if reference.qualifier is not None:
                found = version_repository.resolve(reader, reference.name, reference.qualifier)
                if found is None:
                    raise self._home.no_such(reference)
                version = found.version.label if found.version is not None else LATEST
            wanted = Wanted(
                reference.name,
                params.get("DurableExecutionName"),
                statuses[0] if statuses else None,
                version,
                after.timestamp() if after is not None else -math.inf,
                before.timestamp() if before is not None else math.inf,
            )
            listed = repository.listed(reader, wanted, at, last, most + 1, newest=newest)
            shown = [shapes.summary(each) for each in listed[:most]]
            return {"DurableExecutions": shown} | (
                {"NextMarker": _marker(listed[most - 1])} if len(listed) > most else {}
            )

        return await self._store.read(body)

    @operation("StopDurableExecution")
    async def stop(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])
        error = read_error(params.get("Error", {}))
        checks.error_size(error)
        stopped = await self._store.write(lambda tx: self._executions.stop(tx, execution_id, error))
        assert stopped.ended_at is not None
        return {"StopTimestamp": utc(stopped.ended_at)}

    @operation("PauseDurableExecution")
    async def pause(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])
        client_token = params.get("ClientToken")

        def body(tx: Tx) -> None:
            execution = _there(repository.find(tx, execution_id), params["DurableExecutionArn"])
            if execution.status in ("PAUSING", "PAUSED") and _repeated(execution, client_token):
                return
            if execution.status != "RUNNING":
                raise _wrong_status(execution, "paused")
            turn = Turn(tx, execution, self._executions.clock.now())
            pause = Pause(turn.now, params.get("ExecutionTimeoutPaused", True), params.get("Reason"))
            turn.set(pause=pause, request_token=client_token)
            turn.status = "PAUSING"
            if not turn.state.running:
                self._executions.pause(turn)
            self._executions.settle(turn)

        await self._store.write(body)
        return {}

    @operation("ResumeDurableExecution")
    async def resume(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])
        client_token = params.get("ClientToken")

        def body(tx: Tx) -> None:
            execution = _there(repository.find(tx, execution_id), params["DurableExecutionArn"])
            if execution.status == "RUNNING" and _repeated(execution, client_token):
                return
            if execution.status not in ("PAUSING", "PAUSED"):
                raise _wrong_status(execution, "resumed")
            turn = Turn(tx, execution, self._executions.clock.now())
            turn.set(request_token=client_token)
            self._executions.resume(turn, params.get("Reason"))
            self._executions.settle(turn)

        await self._store.write(body)
        return {}

    @operation("DeleteDurableExecution")
    async def delete(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])

        def body(tx: Tx) -> float:
            execution = _there(repository.find(tx, execution_id), params["DurableExecutionArn"])
            if execution.open:
                raise _wrong_status(execution, "deleted")
            turn = Turn(tx, execution, self._executions.clock.now())
            self._executions.remove(turn)
            return turn.now

        return {"DeletionRequestTimestamp": utc(await self._store.write(body))}


def _there(execution: Execution | None, arn: str) -> Execution:
    """The execution; `ServiceError` unless it is there, and of that very name."""
    if execution is None or execution.began.arn != arn:
        raise names.no_such_execution()
    return execution


def _repeated(execution: Execution, client_token: str | None) -> bool:
    return client_token is not None and client_token == execution.state.request_token


def _wrong_status(execution: Execution, what: str) -> ServiceError:
    return conflict(f"A durable execution with the status {execution.status} cannot be {what}.")


def _kept(reader: Reader, execution_id: str, event: Event) -> Outcome | None:
    """What belongs to an event, and is kept where it is needed anyway."""
    match event.kept:
        case "input":
            return Outcome(repository.given(reader, execution_id).decode())
        case "outcome":
            return repository.outcome(reader, execution_id)
        case "operation":
            found = repository.operation(reader, execution_id, event.operation or "")
            return Outcome(found.operation.result, found.operation.error) if found is not None else None
        case _:
            return None


def _marker(last: Execution) -> str:
    return page_tokens.encode(repr(last.began.started_at), last.began.execution_id)


def _place(marker: str | None, *, newest: bool) -> tuple[float, str]:
    """The time and the id after which a list goes on; `ServiceError`."""
    if not marker:
        return (math.inf if newest else -math.inf), ""
    try:
        at, last = page_tokens.decode(marker, 2)
        found = float(at)
    except ValueError as error:
        raise invalid_parameter("Invalid Marker") from error
    if not math.isfinite(found):
        raise invalid_parameter("Invalid Marker")
    return found, last
