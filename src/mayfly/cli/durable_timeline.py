"""What happened in a durable execution, as a line an operation: from the events of its history. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_KINDS = {"Step": "step", "Wait": "wait", "Callback": "callback", "ChainedInvoke": "invoke", "Context": "context"}
_STATES = {
    "Started": "running",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "TimedOut": "timed out",
    "Stopped": "stopped",
    "Cancelled": "cancelled",
}


@dataclass
class Line:
    """One operation."""

    kind: str
    name: str
    depth: int
    began: datetime
    ended: datetime | None = None
    state: str = "running"
    attempts: int = 0
    note: str = ""


@dataclass
class Timeline:
    """All of them in the order of their starts, and how often the function was invoked for that."""

    lines: list[Line] = field(default_factory=list)
    invocations: int = 0


def timeline(events: Iterable[Mapping[str, Any]]) -> Timeline:
    """From events in their order."""
    found = Timeline()
    known: dict[str, Line] = {}
    for event in events:
        kind: str = event["EventType"]
        if kind == "InvocationCompleted":
            found.invocations += 1
        of, state = _split(kind)
        if of is None:
            continue
        identifier = event["Id"]
        line = known.get(identifier)
        if line is None:
            above = known.get(event.get("ParentId", ""))
            depth = above.depth + 1 if above is not None else 0
            line = known[identifier] = Line(
                _KINDS[of], event.get("Name") or event.get("SubType") or "", depth, event["EventTimestamp"]
            )
            found.lines.append(line)
        _note(line, kind, state, event)
    return found


def _split(kind: str) -> tuple[str | None, str]:
    """The operation and what happened to it, of an event's type; None where it is about the execution."""
    for of in _KINDS:
        if kind.startswith(of) and kind[len(of) :] in _STATES:
            return of, _STATES[kind[len(of) :]]
    return None, ""


def _note(line: Line, kind: str, state: str, event: Mapping[str, Any]) -> None:
    details = event.get(f"{kind}Details", {})
    retry = details.get("RetryDetails", {})
    if state == "running":
        line.state, line.ended = "running", None
        line.note = details.get("CallbackId") or details.get("FunctionName") or line.note
        if "ScheduledEndTimestamp" in details:
            line.note = f"until {details['ScheduledEndTimestamp']:%Y-%m-%d %H:%M:%S}"
        return
    line.ended = event["EventTimestamp"]
    line.attempts = retry.get("CurrentAttempt", line.attempts)
    again = retry.get("NextAttemptDelaySeconds")
    line.state = "to be tried again" if again is not None else state
    error = details.get("Error", {}).get("Payload", {})
    said = error.get("ErrorMessage") or error.get("ErrorType")
    line.note = said or (details.get("Result", {}).get("Payload") or "")


def took(seconds: float) -> str:
    """A duration for people."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"


def short(text: str, most: int = 60) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
