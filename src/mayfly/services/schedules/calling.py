"""Universal targets: an operation called with the schedule's input, as the schedule's execution role."""

from typing import Any

import msgspec

from mayfly import ids
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import SdkOperations
from mayfly.services.schedules import rendering, universal
from mayfly.services.schedules.model import Delivery
from mayfly.services.schedules.names import Home


class Calling:
    """Calls operations."""

    def __init__(self, operations: SdkOperations, roles: ExecutionRoles, home: Home, endpoint: str) -> None:
        self._operations = operations
        self._roles = roles
        self._home = home
        self._endpoint = endpoint

    async def call(self, delivery: Delivery) -> None:
        """Make the call; `ServiceError`, the operation's own included."""
        service, operation = await self._named(delivery.target["Arn"])
        principal = await self._roles.principal(delivery.target["RoleArn"], delivery.execution_id)
        context = RequestContext(
            request_id=ids.request_id(),
            account=self._home.account,
            region=self._home.region,
            principal=principal,
            endpoint=self._endpoint,
            user_agent="AmazonEventBridgeScheduler",
        )
        await self._operations.call_json(context, service, operation, self._input(delivery))

    async def _named(self, arn: str) -> tuple[str, str]:
        """botocore's names of what the target calls."""
        if universal.call_of(arn) is None and universal.kind_of(arn) == "states":
            named = universal.Call("sfn", "startExecution")
        else:
            found = universal.call_of(arn)
            assert found is not None, "everything else is handed over"
            named = found
        known = await self._operations.find(named.service, named.action)
        if known is None:
            raise ServiceError(
                "NotImplemented", f"Mayfly does not implement {named.action} of {named.service}.", status=501
            )
        return known

    def _input(self, delivery: Delivery) -> dict[str, Any]:
        arn = delivery.target["Arn"]
        if universal.call_of(arn) is None:
            given = rendering.payload(delivery, self._home, ids.request_id())
            return {"stateMachineArn": arn, "input": given}
        if "Input" not in delivery.target:
            return {}
        try:
            found = msgspec.json.decode(rendering.payload(delivery, self._home, ""))
        except msgspec.DecodeError as error:
            raise ServiceError("ValidationException", f"The Input is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise ServiceError("ValidationException", "The Input of a universal target is a JSON object.")
        return found
