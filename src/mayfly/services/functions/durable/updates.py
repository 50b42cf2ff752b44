"""One update of a checkpoint, from the dict that the wire has validated. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mayfly.services.functions.durable.model import Error, OperationType

Action = Literal["START", "SUCCEED", "FAIL", "RETRY", "CANCEL"]


class Update(msgspec.Struct, frozen=True):
    """What a function says of one of its operations; type EXECUTION: of all of itself."""

    id: str
    type: OperationType | Literal["EXECUTION"]
    action: Action
    parent: str | None = None
    name: str | None = None
    subtype: str | None = None
    payload: str | None = None
    error: Error | None = None
    replay_children: bool = False
    delay_s: int | None = None
    wait_s: int | None = None
    timeout_s: int = 0
    heartbeat_s: int = 0
    function: str | None = None
    tenant: str | None = None
    trace_id: str | None = None

    def size(self) -> int:
        """Bytes that keeping it takes, as far as its author decides."""
        return (len(self.payload.encode()) if self.payload else 0) + (self.error.size() if self.error else 0)


def update(said: Mapping[str, Any]) -> Update:
    """From an `OperationUpdate`."""
    callback, invoke = said.get("CallbackOptions", {}), said.get("ChainedInvokeOptions", {})
    return Update(
        said["Id"],
        said["Type"],
        said["Action"],
        said.get("ParentId"),
        said.get("Name"),
        said.get("SubType"),
        said.get("Payload"),
        error(said["Error"]) if "Error" in said else None,
        said.get("ContextOptions", {}).get("ReplayChildren", False),
        said.get("StepOptions", {}).get("NextAttemptDelaySeconds"),
        said.get("WaitOptions", {}).get("WaitSeconds"),
        callback.get("TimeoutSeconds", 0),
        callback.get("HeartbeatTimeoutSeconds", 0),
        invoke.get("FunctionName"),
        invoke.get("TenantId"),
        invoke.get("XAmznTraceId"),
    )


def error(said: Mapping[str, Any]) -> Error:
    """From an `ErrorObject`."""
    stack = said.get("StackTrace")
    return Error(
        said.get("ErrorMessage"), said.get("ErrorType"), said.get("ErrorData"), None if stack is None else tuple(stack)
    )
