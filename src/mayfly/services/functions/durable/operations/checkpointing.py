"""What a durable function asks of the platform while it runs: CheckpointDurableExecution, GetDurableExecutionState."""

from typing import Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions.durable import checkpoints, envelope, names, repository, shapes
from mayfly.services.functions.durable.chaining import Chaining
from mayfly.services.functions.durable.checkpoints import Checkpoints
from mayfly.services.functions.durable.executions import Executions
from mayfly.services.functions.durable.updates import update
from mayfly.services.functions.faults import invalid_parameter
from mayfly.services.functions.names import Home
from mayfly.store.api import Reader, Store

DEFAULT_ITEMS = 100


class CheckpointOperations:
    """Handlers; see the module."""

    def __init__(
        self, home: Home, store: Store, executions: Executions, taking: Checkpoints, chaining: Chaining
    ) -> None:
        self._home = home
        self._store = store
        self._executions = executions
        self._taking = taking
        self._chaining = chaining

    @operation("CheckpointDurableExecution")
    async def checkpoint(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])
        token = checkpoints.read(execution_id, params["CheckpointToken"])
        updates = [update(said) for said in params.get("Updates", ())]
        targets = {
            each.id: await self._chaining.resolve(each.function, each.tenant)
            for each in updates
            if each.type == "CHAINED_INVOKE" and each.function is not None
        }
        client_token = params.get("ClientToken")
        answer = await self._store.write(
            lambda tx: self._taking.take(tx, execution_id, token, updates, client_token, targets)
        )
        shown = [shapes.operation(answer.execution, each) for each in answer.operations]
        reply: dict[str, object] = {"NewExecutionState": {"Operations": shown}}
        return reply | ({"CheckpointToken": answer.token} if answer.token is not None else {})

    @operation("GetDurableExecutionState")
    async def state(self, context: RequestContext, params: dict[str, Any]) -> dict[str, object]:
        execution_id = names.execution_id(self._home, params["DurableExecutionArn"])
        token = checkpoints.read(execution_id, params["CheckpointToken"])
        marker = params.get("Marker") or "0"
        if not (marker.isascii() and marker.isdecimal() and len(marker) < 10):
            raise invalid_parameter("Invalid Marker")
        most = params.get("MaxItems") or DEFAULT_ITEMS

        def body(reader: Reader) -> dict[str, object]:
            execution = repository.find(reader, execution_id)
            if execution is None:
                raise checkpoints.invalid_token()
            checkpoints.check(execution, token)
            shown, room, first = [], envelope.PAGE_BYTES, int(marker)
            if not first:  # the execution itself comes first
                given = repository.given(reader, execution_id).decode()
                shown.append(shapes.execution_operation(execution, given))
                room -= len(given.encode())
            if len(shown) == most:
                return {"Operations": shown, "NextMarker": "1"}
            page = envelope.page(repository.operations(reader, execution_id, max(first, 1)), most - len(shown), room)
            shown += [shapes.operation(execution, each) for each in page.operations]
            following = {"NextMarker": str(page.following)} if page.following is not None else {}
            return {"Operations": shown, **following}

        return await self._store.read(body)
