"""Where in the user's own files an error happened, read out of what a function logged of it.

Stack traces name files as the function sees them, below /var/task; whoever wrote them has them elsewhere. Pure, but for
`excerpt`, which reads a file.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Where code is in a sandbox; and where it is for functions that are not isolated, whose traces show the machine's path.
_ROOT = r"(?:file://)?(?:/var/task|/[^\s\"'()\\]*/code/(?:dev-\w+|[0-9a-f]{64}))"
_PYTHON = re.compile(
    rf"File \\?\"{_ROOT}/(?P<path>[^\"\\]+)\\?\",? [Ll]ine (?P<line>\d+)(?:, in (?P<name>[^\s\\\"]+))?"
)
_NODE = re.compile(rf"at (?:(?P<name>[^()\n\"]+?) \()?{_ROOT}/(?P<path>[^\s():\"]+):(?P<line>\d+):\d+")
_RUBY = re.compile(rf"{_ROOT}/(?P<path>[^\s:\"']+\.rb):(?P<line>\d+):in [`'](?P<name>[^'`]+)'")
_BELOW_ROOT = re.compile(rf"{_ROOT}/(?=[\w@.])")
_TRACEBACK = "Traceback (most recent call last):"
_LEVEL = re.compile(r"^\[(?:ERROR|CRITICAL|WARNING|INFO|DEBUG)\]\s+")
_LOGGING = re.compile(r"^(\[[A-Z]+\])\t\d{4}-\d\d-\d\dT[\d:.]+Z\t[^\t]*\t")
_NODE_PREFIX = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z\t[^\t]*\t(?:ERROR|WARN|INFO|DEBUG|TRACE|FATAL)\t")
CONTEXT = 2  # lines before and after the one that matters


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a stack trace that is below the function's code."""

    path: str  # in the package
    line: int
    name: str  # of the function; empty where it is not said


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of a file."""

    at: int
    lines: tuple[tuple[int, str], ...]


def frames(message: str) -> list[Frame]:
    """Those of the error that a message tells of, the innermost last; empty where it tells of none."""
    text = message.replace("\r", "\n")
    if python := list(_PYTHON.finditer(_last_traceback(text))):
        return [_frame(found) for found in python]
    for pattern in (_NODE, _RUBY):
        if found := list(pattern.finditer(text)):
            return [_frame(one) for one in reversed(found)]
    return []


def headline(message: str) -> str:
    """What went wrong, without the stack."""
    text = message.replace("\r", "\n").strip()
    if (told := _record(text)) is not None and (said := _of_record(told)):
        return said
    before, traceback, after = text.rpartition(_TRACEBACK)
    kept = _LEVEL.sub("", before.strip() if traceback else text.split("\n")[0])
    kept = kept.rpartition("\t")[2] or kept
    if traceback:
        raised = "\n".join(line for line in after.strip("\n").split("\n") if line and not line[0].isspace())
        first = kept.split("\n")[0]
        return raised if raised and not first else f"{first}: {raised}" if raised and raised not in first else first
    return _NODE_PREFIX.sub("", kept)


def shortened(text: str) -> str:
    """A message with paths as they are in the package."""
    return _BELOW_ROOT.sub("", text)


def excerpt(path: Path, line: int) -> Excerpt | None:
    """The lines around one of a file; None where it has no such line, because it is another file by now."""
    with suppress(OSError, UnicodeError):
        text = path.read_text(encoding="utf-8").splitlines()
        if 1 <= line <= len(text):
            first, last = max(1, line - CONTEXT), min(len(text), line + CONTEXT)
            return Excerpt(line, tuple((number, text[number - 1]) for number in range(first, last + 1)))
    return None


Kind = Literal["error", "notice", "output", "platform", "report"]
_PLATFORM = ("START ", "END ", "INIT_START ", "INIT_REPORT ", "RESTORE_START ", "RESTORE_REPORT ")
_ERRORS = re.compile(r"^\[(?:ERROR|CRITICAL)\]|\t(?:ERROR|FATAL)\t|Task timed out after|Runtime\.ExitError")


def kind(message: str) -> Kind:
    """What an event of a function's log is, whether that is text or JSON."""
    if (told := _record(message)) is not None:
        if str(told.get("type", "")).startswith("platform."):
            return "report" if told["type"] == "platform.report" else "platform"
        if told.get("level") in ("ERROR", "CRITICAL", "FATAL"):
            return "error"
    if message.startswith(_PLATFORM):
        return "platform"
    if message.startswith("REPORT "):
        return "report"
    if message.startswith("MAYFLY "):
        return "notice"
    return "error" if _ERRORS.search(message) or _TRACEBACK in message else "output"


def said(message: str) -> str:
    """What a function wrote, without the time and the request that runtimes put before it."""
    told = _record(message)
    if told is not None and isinstance(told.get("level"), str) and "message" in told:
        text = told["message"]
        return f"[{told['level']}] {text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)}"
    return _LOGGING.sub(r"\1 ", _NODE_PREFIX.sub("", message))


def figures(report: str) -> str:
    """A REPORT line in short: `1.50 ms, 4 MB, cold start 0.11 ms`."""
    if (told := _record(report)) is not None:
        return _figures_of_record(told.get("record"))
    fields = dict(part.split(": ", 1) for part in report.strip().split("\t") if ": " in part)
    words = [fields.get("Duration", ""), fields.get("Max Memory Used", "")]
    if took := fields.get("Init Duration") or fields.get("Restore Duration"):
        words.append(f"cold start {took}")
    if (status := fields.get("Status")) is not None:
        words.append(status)
    return ", ".join(word for word in words if word)


def _figures_of_record(told: object) -> str:
    record = told if isinstance(told, dict) else {}
    metrics = record.get("metrics", {})
    words = [f"{metrics.get('durationMs', 0):.2f} ms", f"{metrics.get('maxMemoryUsedMB', 0)} MB"]
    if (took := metrics.get("initDurationMs") or metrics.get("restoreDurationMs")) is not None:
        words.append(f"cold start {took:.2f} ms")
    if (status := record.get("status")) not in (None, "success"):
        words.append(str(status))
    return ", ".join(words)


def _frame(found: "re.Match[str]") -> Frame:
    return Frame(found["path"], int(found["line"]), (found["name"] or "").strip())


def _last_traceback(text: str) -> str:
    """Of errors that led to each other, the one that was not caught is told last."""
    return text.rpartition(_TRACEBACK)[2] if _TRACEBACK in text else text


def _record(text: str) -> dict[str, Any] | None:
    """The JSON object that a message is, or that stands at its end, as the runtime of Node.js has it."""
    start = 0 if text.startswith("{") else text.find('{"errorType"')
    if start < 0:
        return None
    with suppress(ValueError):
        told = json.loads(text[start:])
        return told if isinstance(told, dict) else None
    return None


def _of_record(told: dict[str, Any]) -> str:
    """The error that a record tells of; empty where it tells of none."""
    message = told.get("message")
    if isinstance(message, dict):
        return _of_record(message)
    raised = f"{told['errorType']}: {told.get('errorMessage', '')}" if "errorType" in told else ""
    return ": ".join(part for part in (message if isinstance(message, str) else "", raised) if part)
