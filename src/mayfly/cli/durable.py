"""`mayfly durable`: the executions of durable functions, what happened in them, and what somebody may do with one."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mayfly.cli.connection import connect
from mayfly.cli.durable_timeline import Timeline, short, timeline, took
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, console, counted, escape, fail, failures_in_one_line, print_json, print_table

_COLOURS = {
    "RUNNING": "cyan",
    "PAUSING": "yellow",
    "PAUSED": "yellow",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "STOPPED": "yellow",
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "timed out": "red",
    "to be tried again": "yellow",
}
ExecutionArgument = Annotated[str, typer.Argument(help="The ARN of an execution, or FUNCTION/NAME.")]

durable = typer.Typer(
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    help="Executions of durable functions: ls, show, stop, pause, resume, rm, answer.",
)


@durable.command()
def ls(
    function: Annotated[str, typer.Argument(help="The function, with a version or alias or without.")],
    status: Annotated[str | None, typer.Option(help="Only those with this status, e.g. RUNNING.")] = None,
    last: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 20,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """List executions, newest first."""
    params: dict[str, Any] = {"FunctionName": function, "MaxItems": last}
    if status is not None:
        params["Statuses"] = [status.upper()]
    with failures_in_one_line():
        found = connect(data).client("lambda").list_durable_executions_by_function(**params)["DurableExecutions"]
    if json_output:
        print_json(found)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("Name", "Status", "Started", "Took", "Version"):
        table.add_column(heading, overflow="fold")
    for one in found:
        version = one["DurableExecutionArn"].split(":")[7].partition("/")[0]
        table.add_row(
            escape(one["DurableExecutionName"]), _coloured(one["Status"]), _when(one), _lasted(one), escape(version)
        )
    if found:
        print_table(table)
    else:
        console.print("there are none")


@durable.command()
def show(execution: ExecutionArgument, data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """Show an execution, and a timeline of its operations."""
    with failures_in_one_line():
        client = connect(data).client("lambda")
        arn = _arn(client, execution)
        found = client.get_durable_execution(DurableExecutionArn=arn)
        found.pop("ResponseMetadata", None)
        pages = client.get_paginator("get_durable_execution_history").paginate(DurableExecutionArn=arn)
        events = [event for page in pages for event in page["Events"]]
    if json_output:
        print_json({**found, "Events": events})
        return
    console.print(f"{escape(found['DurableExecutionName'])}  {_coloured(found['Status'])}  {_lasted(found)}")
    console.print(f"[dim]{escape(arn)}[/]", soft_wrap=True)
    _print_text("given", found.get("InputPayload"))
    _print_timeline(timeline(events), found["StartTimestamp"])
    _print_text("result", found.get("Result"))
    if error := found.get("Error"):
        _print_text("error", ": ".join(filter(None, (error.get("ErrorType"), error.get("ErrorMessage")))))
    if "ExpectedExecutionTimeoutTimestamp" in found:
        console.print(f"times out at {found['ExpectedExecutionTimeoutTimestamp'].astimezone():%Y-%m-%d %H:%M:%S}")


@durable.command()
def stop(
    execution: ExecutionArgument,
    reason: Annotated[str, typer.Option(help="What is kept as its error.")] = "stopped by hand",
    data: DataOption = DEFAULT_DATA,
) -> None:
    """End an execution for good."""
    with failures_in_one_line():
        client = connect(data).client("lambda")
        arn = _arn(client, execution)
        client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorMessage": reason})
    complaints.print(f"stopped {escape(arn)}")


@durable.command()
def pause(
    execution: ExecutionArgument,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Let an execution rest: its function is not invoked until it is resumed."""
    with failures_in_one_line():
        client = connect(data).client("lambda")
        params = {"Reason": reason} if reason else {}
        client.pause_durable_execution(DurableExecutionArn=_arn(client, execution), **params)
    complaints.print(f"paused {escape(execution)}")


@durable.command()
def resume(execution: ExecutionArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Let a paused execution go on."""
    with failures_in_one_line():
        client = connect(data).client("lambda")
        client.resume_durable_execution(DurableExecutionArn=_arn(client, execution))
    complaints.print(f"resumed {escape(execution)}")


@durable.command()
def rm(execution: ExecutionArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Remove an execution that has ended, with its history."""
    with failures_in_one_line():
        client = connect(data).client("lambda")
        client.delete_durable_execution(DurableExecutionArn=_arn(client, execution))
    complaints.print(f"removed {escape(execution)}")


@durable.command()
def answer(
    callback: Annotated[str, typer.Argument(help="The id of a callback, as show prints it.")],
    result: Annotated[str | None, typer.Option(help="What it is answered with, mostly JSON.")] = None,
    error: Annotated[str | None, typer.Option(help="That it failed, and why.")] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Answer a callback that an execution waits for."""
    if (result is None) == (error is None):
        fail("say --result or --error", code=2)
    with failures_in_one_line():
        client = connect(data).client("lambda")
        if result is not None:
            client.send_durable_execution_callback_success(CallbackId=callback, Result=result.encode())
        else:
            client.send_durable_execution_callback_failure(CallbackId=callback, Error={"ErrorMessage": error})
    complaints.print("answered")


def _arn(client: Any, execution: str) -> str:
    """The ARN that somebody means."""
    if execution.startswith("arn:"):
        return execution
    function, slash, name = execution.partition("/")
    if not slash:
        fail(f"{execution} is neither an ARN nor FUNCTION/NAME", code=2)
    found = client.list_durable_executions_by_function(FunctionName=function, DurableExecutionName=name)
    if not found["DurableExecutions"]:
        fail(f"{function} has no execution of the name {name}")
    arn: str = found["DurableExecutions"][0]["DurableExecutionArn"]
    return arn


def _print_timeline(found: Timeline, began: datetime) -> None:
    print_table(timeline_table(found, began))
    for line in found.lines:
        if line.kind == "callback" and line.state == "running":
            console.print(f"waits for: mayfly durable answer {line.note} --result JSON", soft_wrap=True)
    console.print(f"[dim]{counted(found.invocations, 'invocation')}[/]")


def timeline_table(found: Timeline, began: datetime) -> Table:
    """A line an operation."""
    table = Table(box=None, pad_edge=False)
    for heading in ("After", "Operation", "What", "State", "Took", "Tries", ""):
        right = heading in ("After", "Took", "Tries")
        gives_way = heading in ("Operation", "")  # where the terminal is too narrow
        table.add_column(heading, justify="right" if right else "left", no_wrap=not gives_way)
    for line in found.lines:
        table.add_row(
            took((line.began - began).total_seconds()),
            "  " * line.depth + escape(line.name),
            line.kind,
            _coloured(line.state),
            took((line.ended - line.began).total_seconds()) if line.ended is not None else "",
            str(line.attempts) if line.attempts > 1 else "",
            Text(short(line.note), style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return table


def _print_text(what: str, text: str | None) -> None:
    if text is not None:
        console.print(f"{what:7} {escape(short(text, 400))}", soft_wrap=True)


def _coloured(state: str) -> str:
    colour = _COLOURS.get(state)
    return f"[{colour}]{state}[/]" if colour else state


def _when(one: dict[str, Any]) -> str:
    return f"{one['StartTimestamp'].astimezone():%Y-%m-%d %H:%M:%S}"


def _lasted(one: dict[str, Any]) -> str:
    ended = one.get("EndTimestamp") or datetime.now(UTC)
    return took((ended - one["StartTimestamp"]).total_seconds())
