"""`mayfly starts`: how instances of a function started."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.markup import escape
from rich.table import Table

from mayfly.cli import flame
from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA, with_data
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import console, counted, failures_in_one_line, print_json

MOST_MODULES = 25
_TIMES = ("total", "queue", "sandbox", "runtime", "restore", "init", "handler")


def starts(
    function: Annotated[
        str, typer.Argument(help="Name or ARN of the function; NAME:ALIAS or NAME:VERSION for one version.")
    ],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many starts, the latest ones.")] = 20,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show how instances of a function started: by which path, what took how long, and what was imported.

    The server keeps the last 100 starts of a function in memory; it forgets them when it ends.
    """
    with failures_in_one_line(data):
        report = connect(data).get(f"/_mayfly/starts?{urlencode({'function': function, 'limit': limit})}")
    if json_output:
        print_json(report)
        return
    since = _moment(report["since"])
    shown = escape(report["function"]) + (f" version {report['version']}" if "version" in report else "")
    if not report["counts"]:
        console.print(f"no call of {shown} waited for an instance to start since {since}")
        return
    counts = ", ".join(f"{count} {path}" for path, count in sorted(report["counts"].items()))
    console.print(f"{shown}: {counts} since {since}")
    if report["counts"].get("failed"):
        why = with_data(f"mayfly logs {report['function']}", data)
        console.print(f"Why starts failed is in their logs: {escape(why)}")
    if report["starts"]:
        console.print()
        console.print(starts_table(report))
    if report["imports"] is not None:
        _print_imports(report["imports"])


def starts_table(report: dict[str, Any]) -> Table:
    """The latest starts, then p50 and p90 by path where there were several; all in milliseconds."""
    table = Table(header_style="bold", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    several = len({start["version"] for start in report["starts"]}) > 1
    times = [time for time in _TIMES if time != "restore" or _restores(report)]
    for title in ("Time", *(["Version"] if several else []), "Path"):
        table.add_column(title, no_wrap=True)
    for time in times:
        table.add_column(time.capitalize(), justify="right", no_wrap=True)
    blank = [""] if several else []
    for start in report["starts"]:
        version = [start["version"]] if several else []
        figures = [milliseconds(start[f"{time}_ms"]) for time in times]
        table.add_row(_moment(start["at"]), *version, start["path"], *figures)
    for path, spread in report["percentiles"].items():
        if spread["starts"] < 2:
            continue
        for rank in ("p50", "p90"):
            figures = [milliseconds(spread[f"{time}_ms"][rank]) for time in times]
            table.add_row(f"{rank} of {spread['starts']}", *blank, path, *figures, style="dim")
    return table


def milliseconds(value: float) -> str:
    """A time in at most six columns, up to a quarter of an hour."""
    return f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def _restores(report: dict[str, Any]) -> bool:
    spreads = report["percentiles"].values()
    return any(one["restore_ms"] > 0 for one in report["starts"]) or any(
        one["restore_ms"]["p90"] > 0 for one in spreads
    )


def _print_imports(imports: dict[str, Any]) -> None:
    plain = not (console.encoding or "").lower().startswith("utf")
    modules = imports["heaviest"]
    while len(modules) > MOST_MODULES:  # the lightest go first; nothing heavier is below them
        lightest = min(range(len(modules)), key=lambda at: (modules[at]["total_us"], -modules[at]["depth"]))
        modules = [*modules[:lightest], *modules[lightest + 1 :]]
    console.print()
    console.print(
        f"Imports at {_moment(imports['at'])}, without a template: "
        f"{counted(imports['modules'], 'module')}, {imports['init_ms']:.1f} ms of init"
    )
    for line in flame.lines(modules, imports["init_ms"], plain=plain):
        console.print(escape(line))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%m-%d %H:%M:%S")
