"""What a function may checkpoint: one update at a time, and all of a checkpoint together. Pure.

The words of the refusals are AWS's, as its own tools for tests of durable functions have them.
"""

from collections.abc import Sequence

from mayfly.services.contract import ServiceError
from mayfly.services.functions.durable.model import ENDED, MAX_ERROR, MAX_PAYLOAD, MAX_WAITED, Began, Error, Operation
from mayfly.services.functions.durable.updates import Update
from mayfly.services.functions.faults import invalid_parameter

_ACTIONS = {
    "STEP": {"START", "SUCCEED", "FAIL", "RETRY"},
    "CONTEXT": {"START", "SUCCEED", "FAIL"},
    "WAIT": {"START", "CANCEL"},
    "CALLBACK": {"START"},
    "CHAINED_INVOKE": {"START"},
    "EXECUTION": {"SUCCEED", "FAIL"},
}


def batch(updates: Sequence[Update]) -> None:
    """`ServiceError` unless the updates may come together."""
    ends = [update for update in updates if update.type == "EXECUTION"]
    if len(ends) > 1:
        raise invalid_parameter("Cannot checkpoint multiple EXECUTION updates.")
    if ends and updates[-1] is not ends[0]:
        raise invalid_parameter("EXECUTION checkpoint must be the last update.")
    last: dict[str, Update] = {}
    for update in updates:
        before = last.get(update.id)
        if before is not None and not (
            before.type in ("STEP", "CONTEXT") and before.action == "START" and update.action != "START"
        ):
            raise invalid_parameter("Cannot checkpoint multiple operations with the same ID.")
        last[update.id] = update
        single(update)


def single(update: Update) -> None:
    """`ServiceError` unless the update makes sense by itself."""
    if update.action not in _ACTIONS[update.type]:
        raise invalid_parameter("Invalid action for the given operation type.")
    if update.error is not None:
        error_size(update.error)
    if update.action == "FAIL" and update.payload is not None:
        raise invalid_parameter("Cannot provide a Payload for FAIL action.")
    if update.action == "SUCCEED" and update.error is not None:
        raise invalid_parameter("Cannot provide an Error for SUCCEED action.")
    if update.type != "EXECUTION" and update.payload is not None and len(update.payload.encode()) > MAX_PAYLOAD:
        what = "CHAINED_INVOKE input" if update.type == "CHAINED_INVOKE" else update.type
        raise invalid_parameter(f"{what} payload size must be less than or equal to {MAX_PAYLOAD} bytes.")
    if update.action == "RETRY":
        if update.delay_s is None:
            raise invalid_parameter("Invalid StepOptions for the given action.")
        if update.error is not None and update.payload is not None:
            raise invalid_parameter("Cannot provide both error and payload to RETRY a STEP.")
    if update.type == "WAIT" and update.action == "START" and update.wait_s is None:
        raise invalid_parameter("Update for WAIT operation requires WaitOptions.")
    if update.type == "CHAINED_INVOKE" and update.function is None:
        raise invalid_parameter("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.")


def error_size(error: Error) -> None:
    """`ServiceError` for an error that is too large to keep."""
    if error.size() > MAX_ERROR:
        raise invalid_parameter(f"Error object size must be less than or equal to {MAX_ERROR} bytes.")


def parent(found: Operation | None) -> None:
    """`ServiceError` unless what an update says it is part of is a context that was started."""
    if found is None or found.type != "CONTEXT":
        raise invalid_parameter("Invalid parent operation id.")


def transition(current: Operation | None, update: Update) -> None:
    """`ServiceError` unless the operation, as it stands, can take the update."""
    if current is not None:
        _same(current, update)
    if update.type == "WAIT" and update.action == "CANCEL" and (current is None or current.status != "STARTED"):
        raise invalid_parameter("Cannot cancel a WAIT that does not exist or has already completed.")
    if current is None:
        return
    if update.action == "START" and not (update.type == "STEP" and current.status == "READY"):
        raise _cannot_start(update)
    closing = update.action in ("SUCCEED", "FAIL")
    if update.type == "STEP" and current.status not in ("STARTED", "READY") and update.action != "START":
        raise invalid_parameter(f"Invalid current STEP state to {'close' if closing else 're-attempt'}.")
    if update.type == "CONTEXT" and current.status in ENDED and closing:
        raise invalid_parameter("Invalid current CONTEXT state to close.")


def _cannot_start(update: Update) -> ServiceError:
    if update.type == "STEP":
        return invalid_parameter("Invalid current STEP state to start.")
    if update.type == "CHAINED_INVOKE":
        return invalid_parameter("Cannot start a CHAINED_INVOKE operation that already exists.")
    return invalid_parameter(f"Cannot start a {update.type} that already exist.")


def _same(current: Operation, update: Update) -> None:
    """`ServiceError` unless an update speaks of what was started under its id."""
    if update.type != current.type:
        raise invalid_parameter("Inconsistent operation type.")
    if update.subtype is not None and update.subtype != current.subtype:
        raise invalid_parameter("Inconsistent operation subtype.")
    if update.name is not None and update.name != current.name:
        raise invalid_parameter("Inconsistent operation name.")
    if update.parent is not None and update.parent != current.parent:
        raise invalid_parameter("Inconsistent parent operation id.")


def output(began: Began, result: str | None) -> None:
    """`ServiceError` for a result that is too large for who gets it."""
    most = MAX_WAITED if began.waited and began.parent is None else MAX_PAYLOAD
    if result is not None and len(result.encode()) > most:
        raise invalid_parameter(f"Execution output payload size must be less than or equal to {most} bytes.")
