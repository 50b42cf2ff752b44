"""From an outcome of the engine to what a caller of the function sees. Pure."""

import json
import signal

from msgspec import Struct

from mayfly.engine.api import Failure, Outcome
from mayfly.services.contract import ServiceError

# A reply may be this much larger than a request: AWS refuses above 6,291,556 bytes.
REPLY_ALLOWANCE = 100


class Result(Struct, frozen=True):
    """The payload of a reply, and whether it describes an error of the function."""

    payload: bytes
    failed: bool


def result(outcome: Outcome, request_id: str, timeout_s: float, limit_bytes: int) -> Result:
    """What the caller gets; `limit_bytes` is the quota of synchronous payloads."""
    if outcome.failure is not None:
        return Result(failure_payload(outcome.failure, request_id, timeout_s), failed=True)
    most = limit_bytes + REPLY_ALLOWANCE
    if len(outcome.payload) > most:
        return too_large(most)
    return Result(outcome.payload, failed=False)


def refused(error: ServiceError) -> Result:
    """The result of a call that could not be, for those who only take results."""
    return Result(_encode(error.code, error.message), failed=True)


def too_large(most: int) -> Result:
    """The result of a call that answered with more than `most` bytes."""
    message = f"Response payload size exceeded maximum allowed payload size ({most} bytes)."
    return Result(_encode("Function.ResponseSizeTooLarge", message), failed=True)


def failure_payload(failure: Failure, request_id: str, timeout_s: float) -> bytes:
    """The error object: the runtime's own where it could speak, else one in AWS's words."""
    if failure.kind in ("raised", "init-raised", "restore-raised") and failure.payload:
        return failure.payload
    return _encode(error_type(failure), f"RequestId: {request_id} Error: {cause(failure, timeout_s)}")


def error_type(failure: Failure) -> str:
    """AWS's name of what went wrong, for failures that the runtime did not describe itself."""
    if failure.error_type:
        return failure.error_type
    match failure.kind:
        case "timeout" | "init-timeout":
            return "Sandbox.Timedout"
        case "stopped":
            return "Function.Stopped"
        case "out-of-memory":
            return "Runtime.OutOfMemory"
        case "exited":
            return "Runtime.ExitError"
        case "restore-timeout":
            return "Lambda.SnapStartTimeoutException"
        case "raised" | "init-raised" | "restore-raised" | "protocol":
            return "Runtime.Unknown"


def cause(failure: Failure, timeout_s: float) -> str:
    """The sentence that follows `RequestId: … Error: `."""
    if failure.cause:
        return failure.cause
    match failure.kind:
        case "timeout" | "init-timeout":
            return f"Task timed out after {timeout_s:.2f} seconds"
        case "stopped":
            return "The call was stopped"
        case "out-of-memory":
            return "Runtime exited with error: signal: killed"
        case "protocol":
            return "The runtime sent a reply that could not be understood"
        case "restore-timeout":
            return "Lambda couldn't restore the snapshot within the timeout limit."
        case "raised" | "init-raised" | "restore-raised" | "exited":
            return _exit_cause(failure)


def _exit_cause(failure: Failure) -> str:
    if failure.signal is not None:
        name = signal.strsignal(failure.signal) or f"signal {failure.signal}"
        return f"Runtime exited with error: signal: {name.lower()}"
    if failure.exit_status:
        return f"Runtime exited with error: exit status {failure.exit_status}"
    return "Runtime exited without providing a reason"


def _encode(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}, separators=(",", ":")).encode()
