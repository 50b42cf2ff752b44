"""`mayfly tasks`: asynchronous invocations as tasks: submit many, watch them, look, stop, run again."""

import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mayfly.cli.connection import UPLOAD_S, Connection, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import (
    complaints,
    console,
    counted,
    escape,
    fail,
    failures_in_one_line,
    print_json,
    print_table,
)
from mayfly.cli.spans import parse_span

PAGE = "/_mayfly/tasks"
LOOK_EVERY_S = 0.5
OVER = ("succeeded", "failed", "cancelled", "expired")

Id = Annotated[str, typer.Argument(metavar="TASK", help="Its id, which is that of the request that asked for it.")]
MaybeId = Annotated[str | None, typer.Argument(metavar="TASK", help="One task, by its id.")]
OfFunction = Annotated[str | None, typer.Option("--function", "-f", help="Of this function.")]
OfBatch = Annotated[str | None, typer.Option("--batch", help="Of this batch.")]

tasks = typer.Typer(
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    help="Asynchronous invocations as tasks: submit, watch, ls, show, stop, redrive, share.",
)


@tasks.command()
def submit(
    file: Annotated[Path, typer.Argument(help="A task a line, as JSON; - for standard input.")],
    function: Annotated[str | None, typer.Option("--function", "-f", help="For lines that name none.")] = None,
    priority: Annotated[int | None, typer.Option(help="-100 to 100, for lines that do not say.")] = None,
    deadline: Annotated[
        str | None, typer.Option(help="Not to be begun after this: 90s, 2h, or a time in ISO 8601.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose share they take, for lines that do not say.")] = None,
    batch: Annotated[
        str | None, typer.Option(help="The id of a batch that may have been sent before: nothing is accepted twice.")
    ] = None,
    wait: Annotated[bool, typer.Option("--watch", help="Show how they get on until all are over.")] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Submit up to 100,000 tasks in one call: all are durable when it returns. One wrong line, and none is accepted.

    A line is {"payload": …} with "function", "priority", "deadline" and "tenant" where they differ.
    """
    said = {
        "function": function,
        "priority": priority,
        "deadline": _deadline(deadline),
        "tenant": tenant,
        "batch": batch or str(uuid4()),
    }
    query = urlencode({name: value for name, value in said.items() if value is not None})
    with failures_in_one_line(data):
        connection = connect(data)
        with (
            _content(file) as content,
            connection.open("POST", f"{PAGE}?{query}", content, UPLOAD_S, "application/x-ndjson") as reply,
        ):
            made = connection.read(reply)
    if json_output:
        print_json(made)
    else:
        before = f", {made['before']:,} were accepted before" if made["before"] else ""
        complaints.print(f"{counted(made['accepted'], 'task')} accepted{before}")
        console.print(made["batch"])
    if wait:
        _watch(connection, {"batch": made["batch"]})


@tasks.command()
def watch(
    batch: Annotated[str | None, typer.Argument(help="A batch, by its id.")] = None,
    function: OfFunction = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Show how a batch, or all tasks of a function, get on, until none waits or runs."""
    if (batch is None) == (function is None):
        fail("say either a batch or --function")
    with failures_in_one_line(data):
        _watch(connect(data), {"batch": batch} if batch is not None else {"function": function})


@tasks.command()
def ls(
    function: OfFunction = None,
    state: Annotated[str | None, typer.Option(help="queued, running, succeeded, failed, cancelled or expired.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    batch: OfBatch = None,
    since: Annotated[str | None, typer.Option(help="Accepted not longer ago than 10m, 2h, 7d.")] = None,
    limit: Annotated[int, typer.Option(help="The newest of them.", min=1)] = 50,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """List tasks, the newest first."""
    wanted = {"function": function, "state": state, "tenant": tenant, "batch": batch}
    query = {name: value for name, value in wanted.items() if value is not None}
    if since is not None:
        query["since"] = f"{time.time() - _span(since):.3f}"
    with failures_in_one_line(data):
        connection = connect(data)
        found = list(_pages(connection, query, limit))
        if not found:
            _exists(connection, function)
    if json_output:
        print_json(found)
        return
    if found:
        print_table(_listed(found))
    else:
        console.print("there are none")


@tasks.command()
def show(task: Id, data: DataOption = DEFAULT_DATA) -> None:
    """Show a task as JSON: its state, progress, result, and the attempts that failed."""
    with failures_in_one_line(data):
        print_json(connect(data).get(f"{PAGE}/{quote(task, safe='')}"))


@tasks.command()
def stop(
    task: MaybeId = None, function: OfFunction = None, batch: OfBatch = None, data: DataOption = DEFAULT_DATA
) -> None:
    """Cancel a task that waits, or end the call of one that runs; or all of a function's, or of a batch."""
    with failures_in_one_line(data):
        _of_one_or_many("stop", task, {"function": function, "batch": batch}, data)


@tasks.command()
def redrive(
    task: MaybeId = None,
    function: OfFunction = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Of a function's: failed (unless said otherwise), cancelled, expired.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Queue a task again that did not succeed, or all of a function's."""
    with failures_in_one_line(data):
        _of_one_or_many("redrive", task, {"function": function, **({"states": state} if state else {})}, data)


@tasks.command()
def share(
    tenant: Annotated[str | None, typer.Argument(help="A tenant.")] = None,
    weight: Annotated[float | None, typer.Argument(help="0.01 to 100; everybody else weighs 1.")] = None,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show which tenants have more or less than one share, or give a tenant so many."""
    if (tenant is None) != (weight is None):
        fail("say both a tenant and its weight, or neither")
    with failures_in_one_line(data):
        connection = connect(data)
        if tenant is None:
            found = connection.get(f"{PAGE}/shares")["shares"]
        else:
            body = json.dumps({"weight": weight}).encode()
            with connection.open("PUT", f"{PAGE}/shares/{quote(tenant, safe='')}", body) as reply:
                found = connection.read(reply)["shares"]
    if json_output:
        print_json(found)
        return
    for name, each in found.items():
        console.print(f"{escape(name)}  {each:g}")


def _listed(found: list[dict[str, Any]]) -> Table:
    """A line a task. Columns with nothing in them are left out, so that the others fit 80 characters."""
    rows = [
        {
            "Task": task["id"],
            "Function": escape(task["function"] + (f":{task['qualifier']}" if "qualifier" in task else "")),
            "State": task["state"],
            "Priority": str(task["priority"] or ""),
            "Tenant": escape(task.get("tenant", "")),
            "Accepted": _time(task["acceptedAt"]),
            "Took": _took(task),
            "": escape(task.get("reason") or _progress(task)),
        }
        for task in found
    ]
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    said = [title for title in rows[0] if any(row[title] for row in rows)]
    for title in said:
        table.add_column(title, overflow="fold", no_wrap=title in ("Task", "State", "Accepted", "Took"))
    for row in rows:
        table.add_row(*(row[title] for title in said))
    return table


def _of_one_or_many(what: str, task: str | None, which: dict[str, Any], data: Path) -> None:
    """Send a request about one task, or about all of a function's or a batch's."""
    which = {name: value for name, value in which.items() if value is not None}
    if (task is None) == (not which):
        fail(f"say what to {what}: a task, or --function" + (" or --batch" if what == "stop" else ""))
    path = f"{PAGE}/{what}" if task is None else f"{PAGE}/{quote(task, safe='')}/{what}"
    connection = connect(data)
    with connection.open("POST", path, json.dumps(which).encode() if task is None else b"") as reply:
        made = connection.read(reply)
    if not any(count for count in made.values() if isinstance(count, int)):
        _exists(connection, which.get("function"))
    if task is None:
        complaints.print(", ".join(f"{count:,} {name}" for name, count in made.items()))
    else:
        complaints.print(f"{escape(task)} is {made['state']}")


def _watch(connection: Connection, which: dict[str, Any]) -> None:
    """Draw until all are over; the exit code is 1 if not all succeeded."""
    page = f"{PAGE}/counts?{urlencode(which)}"
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[states]}"),
    )
    with Progress(*columns, console=complaints) as bar:
        drawn = bar.add_task("tasks", total=None, states="")
        while True:
            counts = connection.get(page)
            over = sum(counts[state] for state in OVER)
            states = ", ".join(f"{counts[state]:,} {state}" for state in counts if counts[state])
            bar.update(drawn, total=sum(counts.values()), completed=over, states=states)
            if over == sum(counts.values()):
                break
            time.sleep(LOOK_EVERY_S)
    if not over:
        _exists(connection, which.get("function"))
        fail("there are no such tasks")
    if not complaints.is_terminal:
        complaints.print(states)
    if counts["succeeded"] != over:
        raise typer.Exit(1)


def _exists(connection: Connection, function: str | None) -> None:
    """botocore's error if there is no such function, which is why there is nothing of it."""
    if function is not None:
        connection.client("lambda").get_function_configuration(FunctionName=function)


def _pages(connection: Connection, query: dict[str, str], limit: int) -> Iterator[dict[str, Any]]:
    after: str | None = None
    while limit > 0:
        asked = {**query, "limit": str(min(limit, 1000)), **({"after": after} if after is not None else {})}
        page = connection.get(f"{PAGE}?{urlencode(asked)}")
        yield from page["tasks"]
        limit -= len(page["tasks"])
        after = page.get("next")
        if after is None:
            return


@contextlib.contextmanager
def _content(file: Path) -> Iterator[Path]:
    """A file, which standard input becomes: its signature comes before it."""
    if str(file) != "-":
        if not file.is_file():
            fail(f"there is no file {file}")
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="mayfly-tasks-") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield Path(kept.name)


def _deadline(text: str | None) -> str | None:
    """In seconds from now, where it is a span of time."""
    if text is None:
        return None
    try:
        return f"{parse_span(text):g}"
    except ValueError:
        return text


def _span(text: str) -> float:
    try:
        return parse_span(text)
    except ValueError as error:
        fail(str(error))


def _time(at: float) -> str:
    then = datetime.fromtimestamp(at).astimezone()
    today = then.date() == datetime.now().astimezone().date()
    return then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def _took(task: dict[str, Any]) -> str:
    if "startedAt" not in task or "endedAt" not in task:
        return ""
    return f"{task['endedAt'] - task['startedAt']:,.3f} s"


def _progress(task: dict[str, Any]) -> str:
    progress = task.get("progress", {})
    done = f"{progress['done']:g}/{progress['total']:g}" if {"done", "total"} <= progress.keys() else ""
    return " ".join(part for part in (done, progress.get("message", "")) if part)
