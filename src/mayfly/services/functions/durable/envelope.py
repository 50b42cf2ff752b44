"""What a durable function is invoked with, and what it may answer. Pure.

An invocation gets the state that it needs to replay, up to `PAGE_BYTES`; the rest it fetches in pages.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from mayfly.services.functions.durable import shapes
from mayfly.services.functions.durable.model import Error, Execution, Operation, Outcome

PAGE_BYTES = 5 * 1024 * 1024
_OF_RUNTIMES = ("errorMessage", "errorType")
ROOM = 512  # that an operation takes besides its payload, about


@dataclass(frozen=True, slots=True)
class Page:
    """Some operations in their order. `following`: the number of the one after them; None: there is none."""

    operations: Sequence[Operation]
    following: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function says of its execution."""

    status: Literal["SUCCEEDED", "FAILED", "PENDING"]
    result: str | None = None
    error: Error | None = None


class _Said(msgspec.Struct, rename="pascal"):
    """An `ErrorObject` of a function, which nobody has validated yet."""

    error_message: str | None = None
    error_type: str | None = None
    error_data: str | None = None
    stack_trace: tuple[str, ...] | None = None

    def error(self) -> Error:
        return Error(self.error_message, self.error_type, self.error_data, self.stack_trace)


class InvalidAnswerError(Exception):
    """A function's answer that no durable function gives; its text is for its author."""


def weight(operation: Operation) -> int:
    """About how many bytes an operation takes in an envelope."""
    return ROOM + len((operation.result or "").encode()) + (operation.error.size() if operation.error else 0)


def page(operations: Iterable[Operation], most: int, room: int = PAGE_BYTES) -> Page:
    """As many operations as fit, at least one."""
    taken: list[Operation] = []
    for operation in operations:
        room -= weight(operation)
        if len(taken) == most or (taken and room < 0):
            return Page(taken, operation.number)
        taken.append(operation)
    return Page(taken)


def invocation(
    execution: Execution, token: str, given: str, operations: Sequence[Operation], updated: Sequence[str]
) -> bytes:
    """The payload of an invocation. `given` is the execution's input, `updated` what changed since the last one."""
    root = shapes.execution_operation(execution, given)
    room = PAGE_BYTES - len(given.encode())
    all_later = room < 0 and operations
    first = Page((), operations[0].number) if all_later else page(operations, len(operations) or 1, room)
    state: dict[str, Any] = {
        "Operations": [
            shapes.in_millis(root),
            *(shapes.in_millis(shapes.operation(execution, each)) for each in first.operations),
        ],
        "NextMarker": "" if first.following is None else str(first.following),
    }
    return msgspec.json.encode(
        {
            "DurableExecutionArn": execution.began.arn,
            "CheckpointToken": token,
            "InitialExecutionState": state,
            "UpdatedOperationIds": list(updated),
        }
    )


def answer(payload: bytes) -> Answer:
    """What a function answered; `InvalidAnswerError`."""
    try:
        said: Any = json.loads(payload.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidAnswerError("Invalid Status in invocation output.") from error
    if not isinstance(said, dict) or said.get("Status") not in ("SUCCEEDED", "FAILED", "PENDING"):
        raise InvalidAnswerError("Invalid Status in invocation output.")
    status, result, wrong = said["Status"], said.get("Result"), said.get("Error")
    if not (result is None or isinstance(result, str)) or not (wrong is None or isinstance(wrong, dict)):
        raise InvalidAnswerError("Invalid invocation output.")
    if status == "FAILED" and result is not None:
        raise InvalidAnswerError("Cannot provide a Result for FAILED status.")
    if status == "SUCCEEDED" and wrong is not None:
        raise InvalidAnswerError("Cannot provide an Error for SUCCEEDED status.")
    try:
        return Answer(status, result, None if wrong is None else msgspec.convert(wrong, _Said).error())
    except msgspec.ValidationError as error:
        raise InvalidAnswerError("Invalid invocation output.") from error


def function_error(payload: bytes) -> Error:
    """What the error object of a function says."""
    text = payload.decode(errors="replace")
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return Error(text or None)
    message, kind = (value if isinstance(value := said.get(name), str) else None for name in _OF_RUNTIMES)
    stack = said.get("stackTrace", said.get("trace"))
    lines = tuple(str(line) for line in stack) if isinstance(stack, list) else None
    return Error(message, kind, stack=lines)


def reply(outcome: Outcome) -> tuple[bytes, bool]:
    """What somebody gets who waited for the end of an execution, and whether it says what went wrong."""
    error = outcome.error
    if error is None:
        return (outcome.result or "null").encode(), False
    said: dict[str, Any] = {"errorMessage": error.message, "errorType": error.type, "errorData": error.data}
    if error.stack is not None:
        said["stackTrace"] = list(error.stack)
    return msgspec.json.encode({name: value for name, value in said.items() if value is not None}), True
