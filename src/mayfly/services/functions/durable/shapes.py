"""From executions, operations and events to the dicts of replies. Pure."""

from typing import Any

from mayfly.clock import utc
from mayfly.services.functions.durable import config, names
from mayfly.services.functions.durable.model import OPEN, Error, Event, Execution, Operation, Outcome

_DETAILS = {
    "CONTEXT": "ContextDetails",
    "STEP": "StepDetails",
    "WAIT": "WaitDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
}
_TIMES = frozenset(
    (
        "StartTimestamp",
        "EndTimestamp",
        "NextAttemptTimestamp",
        "ScheduledEndTimestamp",
        "PauseRequestTimestamp",
        "ResumeRequestTimestamp",
    )
)


def error(said: Error) -> dict[str, Any]:
    """An `ErrorObject`."""
    shown: dict[str, Any] = {"ErrorMessage": said.message, "ErrorType": said.type, "ErrorData": said.data}
    if said.stack is not None:
        shown["StackTrace"] = list(said.stack)
    return _without_none(shown)


def _without_none(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value is not None}


def in_millis(shown: dict[str, Any]) -> dict[str, Any]:
    """An operation as an envelope has it: times in milliseconds."""
    return {
        name: round(value.timestamp() * 1000)
        if name in _TIMES
        else in_millis(value)
        if isinstance(value, dict)
        else value
        for name, value in shown.items()
    }


def execution_operation(execution: Execution, given: str) -> dict[str, Any]:
    """The execution as the first of its operations."""
    began = execution.began
    shown: dict[str, Any] = {
        "Id": began.execution_id,
        "Name": began.name,
        "Type": "EXECUTION",
        "StartTimestamp": utc(began.started_at),
        "Status": "STARTED" if execution.status in OPEN else execution.status,
        "ExecutionDetails": {"InputPayload": given},
    }
    if execution.ended_at is not None:
        shown["EndTimestamp"] = utc(execution.ended_at)
    return shown


def operation(execution: Execution, of: Operation) -> dict[str, Any]:
    """An `Operation`."""
    details: dict[str, Any] = {"Result": of.result, "Error": None if of.error is None else error(of.error)}
    match of.type:
        case "STEP":
            details["Attempt"] = of.attempt
            details["NextAttemptTimestamp"] = None if of.due_at is None else utc(of.due_at)
        case "CONTEXT":
            details["ReplayChildren"] = of.replay_children or None
        case "WAIT":
            details = {"ScheduledEndTimestamp": utc(of.started_at + of.wait_s)}
        case "CALLBACK":
            details["CallbackId"] = names.callback(execution.began.execution_id, of.number)
        case "CHAINED_INVOKE":
            pass
    return _without_none(
        {
            "Id": of.id,
            "ParentId": of.parent,
            "Name": of.name,
            "Type": of.type,
            "SubType": of.subtype,
            "StartTimestamp": utc(of.started_at),
            "EndTimestamp": None if of.ended_at is None else utc(of.ended_at),
            "Status": of.status,
            _DETAILS[of.type]: _without_none(details),
        }
    )


def summary(execution: Execution) -> dict[str, Any]:
    """An `Execution` as lists have it."""
    began = execution.began
    shown: dict[str, Any] = {
        "DurableExecutionArn": began.arn,
        "DurableExecutionName": began.name,
        "FunctionArn": began.function_arn,
        "Status": execution.status,
        "StartTimestamp": utc(began.started_at),
    }
    if execution.ended_at is not None:
        shown["EndTimestamp"] = utc(execution.ended_at)
    return shown


def execution(of: Execution, given: str | None, outcome: Outcome | None, *, data: bool) -> dict[str, Any]:
    """What GetDurableExecution answers; with `data`, payloads too."""
    shown = summary(of) | {
        "Version": of.began.version,
        "DurableConfig": config.shown(of.began.config),
        "ExecutionDataIncluded": data,
    }
    if of.began.trace_id is not None:
        shown["TraceHeader"] = {"XAmznTraceId": of.began.trace_id}
    if data and given is not None:
        shown["InputPayload"] = given
    if data and outcome is not None:
        if outcome.error is not None:
            shown["Error"] = error(outcome.error)
        elif outcome.result is not None:
            shown["Result"] = outcome.result
    if of.open:
        shown["ExpectedExecutionTimeoutTimestamp"] = utc(of.state.closes_at)
    if of.state.pause is not None and of.status in ("PAUSING", "PAUSED"):
        pause = of.state.pause
        shown["PauseDetails"] = {
            "PauseRequestTimestamp": utc(pause.asked_at),
            "ExecutionTimeoutPaused": pause.stops_clock,
        } | ({"Reason": pause.reason} if data and pause.reason is not None else {})
    return shown


# Which payload the details of an event have, under which name; no entry: none.
_PAYLOADS = {
    "ExecutionStarted": "Input",
    "ExecutionSucceeded": "Result",
    "ExecutionFailed": "Error",
    "ExecutionTimedOut": "Error",
    "ExecutionStopped": "Error",
    "ExecutionPaused": "Reason",
    "ExecutionResumed": "Reason",
    "ContextSucceeded": "Result",
    "ContextFailed": "Error",
    "WaitCancelled": "Error",
    "StepSucceeded": "Result",
    "StepFailed": "Error",
    "CallbackSucceeded": "Result",
    "CallbackFailed": "Error",
    "CallbackTimedOut": "Error",
    "ChainedInvokeStarted": "Input",
    "ChainedInvokeSucceeded": "Result",
    "ChainedInvokeFailed": "Error",
    "ChainedInvokeTimedOut": "Error",
    "ChainedInvokeStopped": "Error",
    "InvocationCompleted": "Error",
}
# Those that are there only where there is something to say.
_OPTIONAL = frozenset({"InvocationCompleted", "WaitCancelled", "ExecutionPaused", "ExecutionResumed"})


def event(of: Event, number: int, kept: Outcome | None, *, data: bool) -> dict[str, Any]:
    """An `Event`. `kept`: what belongs to it and is kept elsewhere; with `data`, payloads are shown."""
    payload, wrong = (kept.result, kept.error) if kept is not None else (of.payload, of.error)
    details = {name: utc(value) if name in _TIMES else value for name, value in of.details.items()}
    if (name := _PAYLOADS.get(of.type)) is not None:
        said: Any = (None if wrong is None else error(wrong)) if name == "Error" else payload
        if said is not None and data:
            details[name] = {"Payload": said, "Truncated": False}
        elif said is not None or of.type not in _OPTIONAL:
            details[name] = {"Truncated": not data}
    return _without_none(
        {
            "EventType": of.type,
            "SubType": of.subtype,
            "EventId": number,
            "Id": of.operation,
            "Name": of.name,
            "EventTimestamp": utc(of.at),
            "ParentId": of.parent,
            f"{of.type}Details": details,
        }
    )
