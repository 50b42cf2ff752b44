"""From what wasmtime raises to the error objects of a function. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

TRAP, EXIT, MEMORY, OUTPUT = "Runtime.Trap", "Runtime.ExitError", "Runtime.OutOfMemory", "Runtime.InvalidOutput"
MODULE, TIMEOUT = "Runtime.InvalidModule", "Sandbox.Timedout"
_MOST_FRAMES, _MOST_MESSAGE = 64, 4096
_FRAME = re.compile(r"^\s*\d+:\s+(?:0x[0-9a-f]+\s+-\s+)?(.*)$")
_MEMORY = re.compile(r"exceeds memory limits|memory limit", re.IGNORECASE)


class Fault(Exception):  # noqa: N818 (what a function is told; most are its own doing)
    """A request that failed, with its error type."""

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = stack or []

    def described(self, request_id: str) -> dict[str, Any]:
        """As the managed runtimes say it."""
        return {
            "errorMessage": str(self)[:_MOST_MESSAGE],
            "errorType": self.kind,
            "requestId": request_id,
            "stackTrace": self.stack,
        }


def of_trap(text: str) -> Fault:
    """What an error of wasmtime says: a backtrace, and at its end the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    stack = [match[1] for line in lines if (match := _FRAME.match(line)) and "Caused by" not in line]
    _, found, causes = text.partition("Caused by:")
    cause = " ".join(re.sub(r"^\s*\d+:\s*", "", line).strip() for line in causes.splitlines() if line.strip())
    message = cause if found else (lines[0] if lines else "the instance could not be made")
    return Fault(MEMORY if _MEMORY.search(message) else TRAP, message, [] if not found else stack[:_MOST_FRAMES])


def of_exit(status: int) -> Fault:
    return Fault(EXIT, f"the program exited with status {status}")


def of_refusal(text: str) -> Fault:
    """The error of a `handle`: a sentence, or an error object like those of other runtimes."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict) and isinstance(value.get("errorMessage"), str):
        kind, stack = value.get("errorType"), value.get("stackTrace")
        lines = [str(line) for line in stack[:_MOST_FRAMES]] if isinstance(stack, list) else []
        return Fault(kind if isinstance(kind, str) else "Error", value["errorMessage"], lines)
    return Fault("Error", text)
