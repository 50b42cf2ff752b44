"""What becomes of an operation, and the line that its history gets. Pure.

`started` and `updated` follow from what a function checkpoints, `due` from time, `ended` from outside.
"""

from typing import Any

import msgspec

from mayfly.services.functions.durable import names
from mayfly.services.functions.durable.model import Error, Event, Operation, OperationStatus
from mayfly.services.functions.durable.updates import Update

_TITLES = {
    "CONTEXT": "Context",
    "STEP": "Step",
    "WAIT": "Wait",
    "CALLBACK": "Callback",
    "CHAINED_INVOKE": "ChainedInvoke",
}
_VERBS: dict[OperationStatus, str] = {
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "TIMED_OUT": "TimedOut",
    "STOPPED": "Stopped",
    "CANCELLED": "Cancelled",
}
CALLBACK_TIMEOUT = Error("Callback timed out", "Callback.Timeout")
CALLBACK_SILENCE = Error("Callback timed out on heartbeat", "Callback.Heartbeat")

Changed = tuple[Operation, Event]


def event(operation: Operation, kind: str, at: float, **more: Any) -> Event:
    """A line about an operation."""
    return Event(
        kind,
        at,
        operation.id,
        operation.name,
        operation.subtype,
        operation.parent,
        **more,
    )


def new(update: Update, number: int, now: float) -> Operation:
    """An operation that nobody knew of before `update`."""
    assert update.type != "EXECUTION"
    return Operation(
        update.id,
        number,
        update.type,
        "STARTED",
        now,
        parent=update.parent,
        name=update.name,
        subtype=update.subtype,
    )


def updated(execution_id: str, current: Operation, update: Update, now: float) -> Changed:
    """The operation after an update that `checks` let pass. `current` is as `new` made it where it was not known."""
    match update.action:
        case "START":
            return _started(execution_id, current, update, now)
        case "RETRY":
            return _retried(current, update, now)
        case "CANCEL":
            return ended(current, "CANCELLED", now, None, update.error)
        case _:
            done: OperationStatus = "SUCCEEDED" if update.action == "SUCCEED" else "FAILED"
            if current.type == "STEP":
                current = msgspec.structs.replace(current, attempt=current.attempt + 1)
            elif current.type == "CONTEXT":
                current = msgspec.structs.replace(current, replay_children=update.replay_children)
            return ended(current, done, now, update.payload, update.error)


def _started(execution_id: str, current: Operation, update: Update, now: float) -> Changed:
    kind = f"{_TITLES[current.type]}Started"
    if current.type == "WAIT":
        wait_s = update.wait_s or 0
        due = now + wait_s
        waiting = msgspec.structs.replace(current, wait_s=wait_s, due_at=due)
        return waiting, event(waiting, kind, now, details={"Duration": wait_s, "ScheduledEndTimestamp": due})
    if current.type == "CALLBACK":
        timeout_at = now + update.timeout_s if update.timeout_s else None
        waiting = msgspec.structs.replace(current, timeout_at=timeout_at, heartbeat_s=update.heartbeat_s)
        waiting = msgspec.structs.replace(waiting, due_at=_callback_due(waiting, now))
        details: dict[str, Any] = {"CallbackId": names.callback(execution_id, current.number)}
        if update.heartbeat_s:
            details["HeartbeatTimeout"] = update.heartbeat_s
        if update.timeout_s:
            details["Timeout"] = update.timeout_s
        return waiting, event(waiting, kind, now, details=details)
    if current.type == "CHAINED_INVOKE":
        assert update.function is not None
        waiting = msgspec.structs.replace(current, function=update.function)
        details = {"FunctionName": update.function} | ({"TenantId": update.tenant} if update.tenant else {})
        return waiting, event(waiting, kind, now, payload=update.payload, details=details)
    started = msgspec.structs.replace(current, status="STARTED", due_at=None)
    return started, event(started, kind, now)


def _retried(current: Operation, update: Update, now: float) -> Changed:
    assert update.delay_s is not None
    operation = msgspec.structs.replace(
        current,
        status="PENDING",
        attempt=current.attempt + 1,
        due_at=now + update.delay_s,
        result=update.payload,
        error=update.error,
    )
    retry = {"CurrentAttempt": operation.attempt, "NextAttemptDelaySeconds": update.delay_s}
    kind = "StepFailed" if update.error is not None else "StepSucceeded"
    return operation, event(
        operation, kind, now, payload=update.payload, error=update.error, details={"RetryDetails": retry}
    )


def ended(current: Operation, status: OperationStatus, now: float, result: str | None, error: Error | None) -> Changed:
    """The operation once nothing more becomes of it."""
    operation = msgspec.structs.replace(current, status=status, ended_at=now, due_at=None, result=result, error=error)
    details: dict[str, Any] = {}
    if operation.type == "STEP":
        details["RetryDetails"] = {"CurrentAttempt": operation.attempt}
    elif operation.type == "WAIT" and status == "SUCCEEDED":
        details["Duration"] = operation.wait_s
    kind = f"{_TITLES[operation.type]}{_VERBS[status]}"
    return operation, event(operation, kind, now, kept="operation", details=details)


def due(current: Operation, now: float) -> tuple[Operation, Event | None]:
    """The operation after its time has come."""
    match current.type:
        case "WAIT":
            return ended(current, "SUCCEEDED", now, None, None)
        case "CALLBACK":
            late = current.timeout_at is not None and current.timeout_at <= now
            return ended(current, "TIMED_OUT", now, None, CALLBACK_TIMEOUT if late else CALLBACK_SILENCE)
        case _:
            return msgspec.structs.replace(current, status="READY", due_at=None), None


def heartbeat(current: Operation, now: float) -> Operation:
    """A callback of which was heard."""
    return msgspec.structs.replace(current, due_at=_callback_due(current, now))


def _callback_due(callback: Operation, now: float) -> float | None:
    """When a callback, heard of now, times out."""
    moments = [callback.timeout_at] if callback.timeout_at is not None else []
    if callback.heartbeat_s:
        moments.append(now + callback.heartbeat_s)
    return min(moments, default=None)
