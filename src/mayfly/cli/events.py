"""`mayfly events`: who may post CloudEvents to a bus, and which shapes of events pass on it."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from mayfly.cli import sampling
from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, console, escape, failures_in_one_line, print_json, print_table

PAGE = "/_mayfly/events"
_CONTEXT = {"help_option_names": ["-h", "--help"]}
BusArgument = Annotated[str, typer.Argument(help="The event bus.")]

events = typer.Typer(
    rich_markup_mode="rich",
    context_settings=_CONTEXT,
    add_completion=False,
    no_args_is_help=True,
    help="Sample events of every trigger, tokens for senders of CloudEvents, and the schemas of events on a bus.",
)
events.command("sample")(sampling.sample_event)
token = typer.Typer(
    rich_markup_mode="rich",
    context_settings=_CONTEXT,
    no_args_is_help=True,
    help="Tokens by which somebody who cannot sign may post CloudEvents to a bus.",
)
events.add_typer(token, name="token")


@token.command()
def create(
    bus: BusArgument = "default",
    description: Annotated[str, typer.Option(help="Whose it is.")] = "",
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Make a token, and print it and the URL to post to; it is not shown again."""
    with failures_in_one_line():
        connection = connect(data)
        path = f"{PAGE}/{quote(bus, safe='')}"
        made = connection.send("POST", f"{path}/tokens?description={quote(description, safe='')}")
    if json_output:
        print_json({**made, "url": f"{connection.url}{path}"})
        return
    console.print(f"URL    {escape(connection.url + path)}", soft_wrap=True)
    console.print(f"Token  {escape(made['token'])}", soft_wrap=True)
    complaints.print("send it as the header Authorization: Bearer TOKEN, or append ?access_token=TOKEN to the URL")


@token.command()
def ls(bus: BusArgument = "default", data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """List the tokens of a bus by how they begin."""
    with failures_in_one_line():
        found = connect(data).get(f"{PAGE}/{quote(bus, safe='')}/tokens")["tokens"]
    if json_output:
        print_json(found)
        return
    table = _table("Token", "Made", "Description")
    for one in found:
        table.add_row(f"{escape(one['token'])}…", _day(one["created_at"]), escape(one["description"]))
    print_table(table)


@token.command()
def rm(
    start: Annotated[str, typer.Argument(help="How the token begins, as ls shows it.")],
    bus: BusArgument = "default",
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Take a token away."""
    with failures_in_one_line():
        connect(data).send("DELETE", f"{PAGE}/{quote(bus, safe='')}/tokens?token={quote(start.rstrip('…'), safe='')}")
    complaints.print(f"removed {escape(start)}")


@events.command()
def schemas(
    bus: BusArgument = "default",
    on: Annotated[bool, typer.Option("--on", help="Write down the shapes of events from now on.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Write them down no more; what is known stays.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="With --off: remove what is known.")] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show which shapes of events pass on a bus, by source and detail-type; --json gives JSON Schema."""
    page = f"{PAGE}/{quote(bus, safe='')}/schemas"
    with failures_in_one_line():
        connection = connect(data)
        if on or off:
            connection.send("POST" if on else "DELETE", f"{page}{'?forget=1' if forget and off else ''}")
        found = connection.get(page)
    if json_output:
        print_json(found)
        return
    table = _table("Source", "Detail type", "Version", "Seen", "Members")
    for one in found["schemas"]:
        counts = (str(one["version"]), str(one["seen"]))
        table.add_row(escape(one["source"]), escape(one["detail_type"]), *counts, escape(_members(one["detail"])))
    print_table(table)
    if not found["discovering"]:
        complaints.print(f"nothing more is written down; mayfly events schemas {escape(bus)} --on begins")


def _members(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    return ", ".join(name if name in required else f"{name}?" for name in schema.get("properties", {}))


def _table(*titles: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
