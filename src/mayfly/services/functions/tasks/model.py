"""Tasks: what is kept of an asynchronous invocation, and the limits on that."""

from enum import IntEnum
from typing import Any

import msgspec

RESULT_BYTES = 16 * 1024  # a larger result is not kept with its task; destinations get it whole
ERROR_BYTES = 1024  # of what a function says of its error, in the history
PROGRESS_BYTES = 1024
KEEP_S = 24 * 3600.0  # a task that succeeded
KEEP_UNDONE_S = 14 * 24 * 3600.0  # one that failed, was cancelled or expired, and its event
KEEP_MOST = 1_000_000  # of those that succeeded
MAX_TENANT = 256


class State(IntEnum):
    """What has become of a task, as rows have it: one that runs is queued there, since it is again after a crash."""

    QUEUED = 0
    SUCCEEDED = 1
    FAILED = 2
    CANCELLED = 3
    EXPIRED = 4


STATES = {state.name.lower(): state for state in State}


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt that failed."""

    started_at: float
    ended_at: float
    version: str
    log_stream: str
    error: str  # what the function, or the platform, said of it


class Task(msgspec.Struct, frozen=True):
    """A row; see `statements.COLUMNS`."""

    item: int
    id: str
    name: str
    qualifier: str | None
    tenant: str
    priority: int
    state: int
    batch: str | None
    accepted_at: float
    deadline: float | None
    started_at: float | None
    ended_at: float | None
    failures: int
    version: str | None
    log_stream: str | None
    result: bytes | None  # JSON; sealed in the row, for `result_use`
    reason: str | None
    progress: bytes | None
    history: bytes | None


class Before(msgspec.Struct, frozen=True):
    """What is known of an event that was delivered before."""

    started_at: float | None = None
    failures: int = 0
    history: tuple[Attempt, ...] = ()


def result_use(item: int) -> str:
    """What the result of a task is sealed for."""
    return f"result of task {item}"


NEVER = Before()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Attempt, ...]).decode


def packed(history: tuple[Attempt, ...]) -> bytes | None:
    """A history as rows have it."""
    return _encode(history) if history else None


def unpacked(history: bytes | None) -> tuple[Attempt, ...]:
    """The history of a row."""
    return _decode(history) if history else ()


def shown(task: Task, running_since: float | None) -> dict[str, Any]:
    """A task as pages have it; members that do not apply are left out. Times are Unix seconds."""
    members: dict[str, Any] = {
        "id": task.id,
        "function": task.name,
        "qualifier": task.qualifier,
        "state": "running" if running_since is not None else State(task.state).name.lower(),
        "tenant": task.tenant or None,
        "priority": task.priority,
        "batch": task.batch,
        "acceptedAt": task.accepted_at,
        "deadline": task.deadline,
        "startedAt": task.started_at if task.started_at is not None else running_since,
        "endedAt": task.ended_at,
        "version": task.version,
        "logStream": task.log_stream,
        "reason": task.reason,
    }
    shown = {name: value for name, value in members.items() if value is not None}
    if task.progress is not None:
        shown["progress"] = msgspec.Raw(task.progress)
    if task.result is not None:
        shown["result"] = msgspec.Raw(task.result)
    failed = unpacked(task.history)
    if failed:
        shown["failedAttempts"] = [
            {
                "startedAt": each.started_at,
                "endedAt": each.ended_at,
                "version": each.version,
                "logStream": each.log_stream,
                "error": each.error,
            }
            for each in failed
        ]
    return shown
