"""`mayfly status`: what runs."""

from typing import Any

import typer
from rich.table import Table

from mayfly.app.directory import DataDirectory
from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA, with_data
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, escape, failures_in_one_line, print_json, print_table


def status(data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """Show what runs: the server, its functions and their instances. Exit status 3 when nothing runs."""
    directory = DataDirectory(data)
    if directory.running() is None:
        if json_output:
            print_json({"running": False, "data": str(directory.root)})
        else:
            complaints.print(f"no Mayfly runs on {directory.root}; start one with `{with_data('mayfly up', data)}`")
        raise typer.Exit(3)
    with failures_in_one_line():
        report = connect(data).get("/_mayfly/status")
    if json_output:
        print_json({"running": True, **report})
    else:
        _print_status(report)


def _print_status(report: dict[str, Any]) -> None:
    server = report["server"]
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("URL", server["url"]),
        ("Listening on", server["listening"]),
        ("Process", f"{server['pid']}, up {report['uptime_s']:.0f} s, version {server['version']}"),
        ("Data", report["data"]),
        ("Region, account", f"{server['region']}, {server['account']}"),
        ("Isolation", server["isolation"]),
        ("Workers", "; ".join(_worker(worker) for worker in report["workers"])),
        ("Services", ", ".join(report["services"])),
    ):
        if not value:
            continue
        facts.add_row(f"[bold]{name}[/]", escape(value))
    print_table(facts)
    if not report["functions"]:
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Function", "Runtime", "Isolation", "Memory", "Instances"):
        table.add_column(title)
    for row in report["functions"]:
        states = ", ".join(f"{count} {state}" for state, count in sorted(row["instances"].items())) or "none"
        table.add_row(escape(row["name"]), row["runtime"], row["isolation"], f"{row['memory_mb']} MB", states)
    print_table(table)
    for row in report["functions"]:
        for warning in row["warnings"]:
            complaints.print(f"[yellow]{escape(row['name'])}[/]: {escape(warning)}")


def _worker(worker: dict[str, Any]) -> str:
    """One process that accepts beside the server."""
    if not worker["ready"]:
        return f"{worker['name']} is being started"
    again = f", started {worker['starts']} times" if worker["starts"] > 1 else ""
    return f"{worker['name']} is process {worker['pid']}{again}"
