"""Error objects of the runtime, as AWS makes them: {"errorMessage", "errorType", "requestId", "stackTrace"}."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from types import TracebackType
from typing import Any

from mayfly.sandbox.python import logs

# Frames of these files are the runtime's, not the function's.
_OWN = "/mayfly/sandbox/python/"
_IMPORT_MACHINERY = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
_NO_BREAK_SPACE = "\u00a0"


class RuntimeFault(Exception):  # noqa: N818 (the runtime's fault types end as AWS names them)
    """A failure that the runtime found, with the error type AWS gives it."""

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = stack or []


def describe(error: BaseException, request_id: str) -> dict[str, Any]:
    """The error object of what was raised."""
    if isinstance(error, RuntimeFault):
        return _object(str(error), error.kind, request_id, error.stack)
    try:
        message = str(error)
    except Exception:  # a user's __str__ may raise anything
        message = ""
    return _object(message, type(error).__name__, request_id, stack_of(error.__traceback__))


def _object(message: str, kind: str, request_id: str, stack: list[str]) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}


def stack_of(trace: TracebackType | None) -> list[str]:
    """The stack's frames as text, from the function's first one on."""
    frames = traceback.extract_tb(trace)
    while frames and (_OWN in frames[0].filename or _is_import(frames[0].filename)):
        del frames[0]
    return traceback.format_list([frame for frame in frames if frame.filename not in _IMPORT_MACHINERY])


def _is_import(filename: str) -> bool:
    return filename in _IMPORT_MACHINERY or filename.endswith("/importlib/__init__.py")


def log_line(failure: dict[str, Any]) -> str:
    """One line for the log; carriage returns keep the lines of the stack trace in one event."""
    kind, message = failure["errorType"], failure["errorMessage"]
    head = "[ERROR] " + (f"{kind}: {message}" if kind and message else kind or message)
    lines = head.splitlines()
    if failure["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        for entry in failure["stackTrace"]:
            for line in entry.splitlines():
                text = line.lstrip(" ")
                lines.append(_NO_BREAK_SPACE * (len(line) - len(text)) + text)
    return "\r".join(lines) + "\n"


def report(failure: dict[str, Any]) -> None:
    """Into the function's log, as AWS does it."""
    if logs.wants_json(os.environ):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stdout.write(json.dumps({"timestamp": now, "level": "ERROR", **failure}, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(log_line(failure))
