"""`mayfly doctor`: what this machine can give, and what to install for the rest."""

import os
import shutil
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from mayfly.cli.options import JsonOption
from mayfly.cli.output import console, escape, print_json
from mayfly.sandbox import facts, interpreters
from mayfly.sandbox.api import Interpreter

# The identifiers that AWS lets functions be made with today.
RUNTIMES = ("python3.10", "python3.11", "python3.12", "python3.13", "python3.14")
# Programs that Mayfly makes use of where they are, and what for. Package names are Debian's.
TOOLS = (
    ("aws", "the AWS command line", "pip install awscli"),
    ("node", "Node.js, for the JavaScript SDK and its tests", "apt install nodejs"),
    ("crun", "containers as instances (planned)", "apt install crun"),
    ("runsc", "gVisor as instances (planned)", "apt install runsc, from gVisor's own repository"),
    ("skopeo", "fetching and importing container images", "apt install skopeo"),
)


def doctor(json_output: JsonOption = False) -> None:
    """Show what this machine can give. Exit status 1 when functions cannot be isolated."""
    found = facts.examine()
    levels = facts.levels(found)
    pythons = interpreters.find(os.environ.get("PATH", ""), Path.home())
    tools = [(name, what, cure, shutil.which(name)) for name, what, cure in TOOLS]
    if json_output:
        print_json(_as_json(found, levels, pythons, tools))
    else:
        _print(found, levels, pythons, tools)
    if "namespace" not in levels:
        raise typer.Exit(1)


def _as_json(found: Any, levels: Any, pythons: Any, tools: Any) -> dict[str, Any]:
    return {
        "isolation": list(levels),
        "facts": [
            {"name": fact.name, "available": fact.available, "detail": fact.detail, "cure": fact.cure} for fact in found
        ],
        "pythons": [{"version": _dotted(one), "path": str(one.path)} for one in pythons],
        "tools": {name: where for name, _, _, where in tools},
    }


def _print(found: Any, levels: Any, pythons: Any, tools: Any) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("", "[bold]Isolation[/]", f"[bold]{' and '.join(levels)}[/]")
    for fact in found:
        cure = "" if fact.available or not fact.cure else f"\n[yellow]→ {escape(fact.cure)}[/]"
        table.add_row(_mark(fact.available, fact.needed), fact.name, f"{escape(fact.detail)}{cure}")
    table.add_row()
    table.add_row("", "[bold]Runtimes[/]", "")
    for runtime in RUNTIMES:
        one, warning = interpreters.choose(runtime, pythons)
        cure = (
            "" if warning is None else f"\n[yellow]→ not installed: functions of {runtime} run on this one instead[/]"
        )
        table.add_row(_mark(warning is None, False), runtime, f"{_dotted(one)} at {escape(str(one.path))}{cure}")
    table.add_row()
    table.add_row("", "[bold]Tools[/]", "[dim]none of them is needed to run Python functions[/]")
    for name, what, cure, where in tools:
        detail = f"{what}: {where}" if where else f"{what}\n[yellow]→ {escape(cure)}[/]"
        table.add_row(_mark(where is not None, False), name, detail)
    console.print(table)
    if "namespace" not in levels:
        console.print(
            "\nFunctions cannot be isolated here. Mayfly starts only if asked for [bold]--isolation process[/]."
        )


def _mark(available: bool, needed: bool = True) -> str:
    if available:
        return "[green]✓[/]"
    return "[red]✗[/]" if needed else "[dim]-[/]"


def _dotted(one: Interpreter) -> str:
    return ".".join(map(str, one.version))
