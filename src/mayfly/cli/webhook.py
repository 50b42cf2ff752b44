"""`mayfly webhook`: addresses at which third parties' signed requests become events of a bus."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from mayfly.cli.connection import Connection, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, console, escape, failures_in_one_line, print_json, print_table

PAGE = "/_mayfly/webhooks"

webhook = typer.Typer(
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    help="Let third parties post events to a bus, each request verified by its signature.",
)


@webhook.command()
def create(
    name: Annotated[str, typer.Argument(help="What to call it; its events have the source webhook.NAME.")],
    scheme: Annotated[str, typer.Option(help="How requests are signed: github, stripe, slack or hmac.")] = "github",
    bus: Annotated[str, typer.Option(help="The event bus.")] = "default",
    secret: Annotated[
        str | None,
        typer.Option(help="The secret that the third party gives you; made up unless given.", envvar="MAYFLY_SECRET"),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Another source for its events.")] = None,
    detail_type: Annotated[str | None, typer.Option(help="One detail-type for all of its events.")] = None,
    header: Annotated[str | None, typer.Option(help="hmac: the signature's header (X-Signature-256).")] = None,
    prefix: Annotated[str | None, typer.Option(help="hmac: what the signature begins with (sha256=).")] = None,
    timestamp_header: Annotated[
        str | None, typer.Option(help="hmac: the header of the time, if TIME.BODY is what is signed.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Make a webhook, and print its address and its secret, which is not shown again."""
    asked = {
        "name": name,
        "scheme": scheme,
        "bus": bus,
        "secret": secret,
        "source": source,
        "detail_type": detail_type,
        "header": header,
        "prefix": prefix,
        "timestamp_header": timestamp_header,
    }
    with failures_in_one_line():
        connection = connect(data)
        made = _post(connection, PAGE, {key: value for key, value in asked.items() if value is not None})
    url = f"{connection.url}{made['path']}"
    if json_output:
        print_json({**made, "url": url})
        return
    console.print(f"URL     {escape(url)}", soft_wrap=True)
    console.print(f"Secret  {escape(made['secret'])}", soft_wrap=True)
    complaints.print(f"its events have the source {escape(made['source'])} on the bus {escape(made['bus'])}")


@webhook.command()
def ls(data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """List webhooks."""
    with failures_in_one_line():
        connection = connect(data)
        found = connection.get(PAGE)["webhooks"]
    if json_output:
        print_json(found)
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Name", "Signed", "Bus", "Source", "URL"):
        table.add_column(title, overflow="fold")
    for one in found:
        url = f"{connection.url}{PAGE}/{one['id']}"
        table.add_row(*map(escape, (one["name"], one["scheme"], one["bus"], one["source"], url)))
    print_table(table)


@webhook.command()
def rm(
    name: Annotated[str, typer.Argument(help="Its name, or the last part of its URL.")], data: DataOption = DEFAULT_DATA
) -> None:
    """Take a webhook away: requests to its address are answered with 404 from then on."""
    with failures_in_one_line():
        connect(data).send("DELETE", f"{PAGE}/{quote(name, safe='')}")
    complaints.print(f"removed {escape(name)}")


def _post(connection: Connection, path: str, value: Any) -> Any:
    with connection.open("POST", path, json.dumps(value).encode()) as reply:
        return connection.read(reply)
