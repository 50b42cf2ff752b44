"""`mayfly usage`: what functions used and what it costs."""

import time
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.table import Table

from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import console, escape, fail, failures_in_one_line, print_json, print_table
from mayfly.cli.spans import parse_span


class Grouping(StrEnum):
    """What one line is about."""

    FUNCTION = "function"
    TENANT = "tenant"


def usage(
    since: Annotated[str, typer.Option(help="How far back: 2h, 7d, 4w. Whole hours are counted.")] = "30d",
    by: Annotated[
        Grouping, typer.Option(help="A line a function, or a line for each of its tenants.")
    ] = Grouping.FUNCTION,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show requests, GB-seconds and cost by function, or by tenant of functions that keep their tenants apart."""
    try:
        start = time.time() - parse_span(since)
    except ValueError as error:
        fail(str(error))
    with failures_in_one_line():
        report = connect(data).get(f"/_mayfly/usage?{urlencode({'since': f'{start:.0f}', 'by': by.value})}")
    if json_output:
        print_json(report)
        return
    print_table(usage_table(report, of_tenants=by is Grouping.TENANT))
    total = report["total"]
    console.print(
        f"[dim]{total['gb_seconds']:,.3f} GB-seconds, {total['billed_ms'] / 1000:,.3f} s billed. "
        f"Prices: {escape(report['price_book'])}[/]"
    )


def usage_table(report: dict[str, Any], *, of_tenants: bool = False) -> Table:
    """The report of `/_mayfly/usage` as a table with a total."""
    table = Table(show_footer=True, header_style="bold", box=None, padding=(0, 2, 0, 0))
    total = report["total"]
    currency = report["currency"]
    columns = [
        ("Function", "Total"),
        *([("Tenant", "")] if of_tenants else []),
        ("MB", ""),
        ("Requests", f"{total['requests']:,}"),
        ("Errors", f"{total['errors']:,}"),
        ("Cold", f"{total['cold_starts']:,}"),
        ("Mean ms", ""),
        (currency, f"{total['cost']:.7f}"),
    ]
    for title, footer in columns:
        name = title in ("Function", "Tenant")
        table.add_column(title, footer=footer, justify="left" if name else "right", no_wrap=not name, overflow="fold")
    for row in report["functions"]:
        table.add_row(
            escape(row["function"].removesuffix(":$LATEST")),
            *([escape(row["tenant"])] if of_tenants else []),
            str(row["memory_mb"]),
            f"{row['requests']:,}",
            f"{row['errors']:,}",
            f"{row['cold_starts']:,}",
            f"{row['mean_duration_ms']:,.1f}",
            f"{row['cost']:.7f}",
        )
    return table
