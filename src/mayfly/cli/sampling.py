"""`mayfly events sample`: what triggers send, to look at, to keep in a file, to send on."""

import contextlib
import sys
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from rich.table import Table

from mayfly.cli.connection import Connection, NoServerError, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, escape, failures_in_one_line, print_json, print_table
from mayfly.cli.samples.catalogue import KINDS, Field, fields, kind_of, sample, summary
from mayfly.cli.samples.place import Place

ACCOUNT, REGION = "000000000000", "us-east-1"


def sample_event(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Of which trigger, such as sqs or s3:put; none: list them.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A field of the event, or a member such as Records[0].attributes.SenderId; may be repeated.",
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Print a sample event of a trigger as JSON, or, without a kind, list the kinds and what can be set of each."""
    with failures_in_one_line():
        if kind is not None:
            connection = None
            with contextlib.suppress(NoServerError):
                connection = connect(data)
            print_json(sample(kind_of(kind), settings or (), here(connection)))
            return
    if json_output:
        print_json({name: {field.name: field.default for field in fields(name)} for name in KINDS})
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Kind", "What happened", "Fields"):
        table.add_column(title, overflow="fold")
    for name in sorted(KINDS):
        table.add_row(escape(name), escape(summary(name)), escape(", ".join(map(_shown, fields(name)))))
    print_table(table)
    if sys.stdout.isatty():
        complaints.print("use one: mayfly invoke FUNCTION --event sqs --set body=hello")


def here(connection: Connection | None) -> Place:
    """Where a sample event happens: at the platform that is asked, now."""
    account = connection.account if connection is not None and connection.account else ACCOUNT
    region = connection.region if connection is not None else REGION
    return Place(account, region, datetime.now(UTC), lambda: str(uuid4()))


def _shown(field: Field) -> str:
    return field.name if field.kind == "text" else f"{field.name} ({field.kind})"
