"""Operations that a pipe calls as its role: functions, state machines, log groups."""

import json
from typing import Any

from mayfly import ids
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.pipes.names import Home
from mayfly.services.ports import SdkOperations


class FunctionFaultError(ServiceError):
    """A function ran and failed."""


class Calls:
    """Calls them."""

    def __init__(self, operations: SdkOperations, roles: ExecutionRoles, home: Home, endpoint: str) -> None:
        self._operations = operations
        self._roles = roles
        self._home = home
        self._endpoint = endpoint

    async def knows(self, service: str, action: str) -> bool:
        """Whether Mayfly has an operation, by the SDKs' names."""
        return await self._operations.find(service, action) is not None

    async def call(self, role: str, service: str, action: str, document: dict[str, Any]) -> dict[str, Any]:
        """The reply of an operation; `ServiceError`."""
        known = await self._operations.find(service, action)
        if known is None:
            raise ServiceError("NotImplemented", f"Mayfly does not implement {action} of {service}.", status=501)
        request_id = ids.request_id()
        context = RequestContext(
            request_id=request_id,
            account=self._home.account,
            region=self._home.region,
            principal=await self._roles.principal(role, request_id[:32]),
            endpoint=self._endpoint,
            user_agent="AmazonEventBridgePipes",
        )
        return await self._operations.call_json(context, *known, document)

    async def invoke(self, role: str, arn: str, payload: bytes) -> Any:
        """What a function answers, parsed; text where it is no JSON. `FunctionFaultError` when the function failed."""
        document = {"FunctionName": arn, "InvocationType": "RequestResponse", "Payload": payload.decode()}
        reply = await self.call(role, "lambda", "invoke", document)
        answer: bytes = reply.get("Payload", b"")
        if "FunctionError" in reply:
            raise FunctionFaultError("FunctionError", answer[:2048].decode(errors="replace"))
        try:
            return json.loads(answer) if answer else ""
        except ValueError:
            return answer.decode(errors="replace")

    async def run(self, role: str, arn: str, given: str, *, wait: bool) -> Any:
        """Start an execution of a state machine; with `wait` (an express one), its output."""
        document = {"stateMachineArn": arn, "input": given}
        reply = await self.call(role, "sfn", "startSyncExecution" if wait else "startExecution", document)
        if not wait:
            return ""
        if reply.get("status") != "SUCCEEDED":
            raise FunctionFaultError(
                reply.get("error", "States.TaskFailed"), reply.get("cause", "The execution failed.")
            )
        return json.loads(reply.get("output") or '""')
