"""What a stack operation looks like while it runs: one line a resource, redrawn on a terminal, appended elsewhere."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from mayfly.cli.output import escape

POLL_S = 0.15
ENDED = ("_COMPLETE", "_FAILED")
_ROLLING_BACK = ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")


@dataclass
class Line:
    """The state of one resource, or of the stack itself."""

    kind: str
    status: str
    reason: str = ""


@dataclass
class StackProgress:
    """Shows preparation steps and stack events; remembers what failed first."""

    console: Console
    lines: dict[str, Line] = field(default_factory=dict)
    failures: list[tuple[str, str, str]] = field(default_factory=list)  # logical id, kind, reason
    _live: Live | None = None

    def shown(self) -> AbstractContextManager[Any]:
        """Draw while inside; on something that is no terminal, changes are printed as they come instead."""
        if not self.console.is_terminal:
            return nullcontext()
        self._live = Live(get_renderable=self._table, console=self.console, refresh_per_second=12, transient=False)
        return self._live

    def step(self, logical_id: str, what: str) -> None:
        """A step before the stack operation: packaging, uploading."""
        self._set(logical_id, "code", what)

    def event(self, event: dict[str, Any], stack: str) -> None:
        """One stack event."""
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        name = event["LogicalResourceId"]
        own = event["ResourceType"] == "AWS::CloudFormation::Stack" and name == stack
        if status.endswith("_FAILED") and not own and "cancelled" not in reason.lower():
            self.failures.append((name, event["ResourceType"], reason))
        elif (
            own and reason and status in _ROLLING_BACK and not self.failures
        ):  # no resource failed: an export, a time limit
            self.failures.append((name, event["ResourceType"], reason))
        self._set(f"stack {name}" if own else name, event["ResourceType"], status, reason)

    def follow(self, client: Any, stack_id: str, name: str, seen: set[str], sleep: Callable[[float], None]) -> str:
        """Show events until the stack's operation has ended; its last status. `seen` holds known event ids."""
        while True:
            stack = client.describe_stacks(StackName=stack_id)["Stacks"][0]
            for event in reversed(new_events(client, stack_id, seen)):
                self.event(event, name)
            status = str(stack["StackStatus"])
            if status.endswith(ENDED) and "CLEANUP" not in status:
                return status
            sleep(POLL_S)

    def _set(self, name: str, kind: str, status: str, reason: str = "") -> None:
        known = self.lines.get(name)
        if known is None or not known.status.endswith("_FAILED") or not status.startswith("DELETE_"):
            self.lines[name] = Line(kind, status, reason)  # a failure stays in sight when it is rolled back
        if self._live is None:
            note = f"  ({reason})" if reason else ""
            self.console.print(f"{time.strftime('%H:%M:%S')}  {status:<28} {name}  {kind}{escape(note)}")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, line in self.lines.items():
            mark, style = _mark(line.status)
            table.add_row(mark, f"[{style}]{escape(name)}[/]", f"[dim]{line.kind}[/]", f"[{style}]{_words(line)}[/]")
        return table


def new_events(client: Any, stack_id: str, seen: set[str]) -> list[dict[str, Any]]:
    """Events not in `seen`, newest first; they are added to it."""
    found: list[dict[str, Any]] = []
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        fresh = [event for event in page["StackEvents"] if event["EventId"] not in seen]
        found += fresh
        seen.update(event["EventId"] for event in fresh)
        if len(fresh) < len(page["StackEvents"]):
            break
    return found


def _mark(status: str) -> tuple[Any, str]:
    if "FAILED" in status or "ROLLBACK" in status:
        return "[red]✗[/]", "red"
    if status.endswith("_COMPLETE") or status == "packaged":
        return "[green]✓[/]", "green"
    return Spinner("dots"), "cyan"


def _words(line: Line) -> str:
    words = line.status.replace("_", " ").lower()
    return escape(f"{words}: {line.reason}" if line.reason and "FAILED" in line.status else words)
