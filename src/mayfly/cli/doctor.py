"""`mayfly doctor`: what this machine can give, and what to install for the rest."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from mayfly.app.directory import DataDirectory
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import console, escape, print_json, print_table
from mayfly.sandbox import choice, facts, interpreters, jdks, nodes, rubies
from mayfly.sandbox.api import Interpreter, Language, SandboxUnavailableError
from mayfly.sandbox.oci import trial

# The identifiers that AWS lets functions be made with today.
RUNTIMES = (
    *("python3.10", "python3.11", "python3.12", "python3.13", "python3.14"),
    *("nodejs20.x", "nodejs22.x", "nodejs24.x"),
    *("java17", "java21", "java25"),
    *("ruby3.2", "ruby3.3", "ruby3.4"),
)
# Programs that Mayfly makes use of where they are, and what for. Package names are Debian's.
TOOLS = (
    ("aws", "the AWS command line", "pip install awscli"),
    ("skopeo", "fetching and importing container images", "apt install skopeo"),
)


def doctor(data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """Show what this machine can give. Exit status 1 when functions cannot be isolated."""
    found = facts.examine()
    levels = facts.levels(found)
    if "namespace" in levels:
        tried = trial.examine(os.environ.get("PATH", ""))
        found += tried
        levels = (*(fact.name for fact in tried if fact.available), *levels)
    path, runtimes = os.environ.get("PATH", ""), DataDirectory(data).runtimes
    home = Path.home()
    others = (*jdks.find(path, os.environ.get("JAVA_HOME", "")), *rubies.find(path, home))
    installed = (*interpreters.find(path, home), *nodes.find(path, home, runtimes), *others)
    tools = [(name, what, cure, shutil.which(name)) for name, what, cure in TOOLS]
    if json_output:
        print_json(_as_json(found, levels, installed, tools))
    else:
        _print(found, levels, installed, tools)
    if "namespace" not in levels:
        raise typer.Exit(1)


def _as_json(found: Any, levels: Any, installed: Sequence[Interpreter], tools: Any) -> dict[str, Any]:
    return {
        "isolation": list(levels),
        "facts": [
            {"name": fact.name, "available": fact.available, "detail": fact.detail, "cure": fact.cure} for fact in found
        ],
        "pythons": _versions(installed, "python"),
        "nodes": _versions(installed, "nodejs"),
        "jdks": _versions(installed, "java"),
        "rubies": _versions(installed, "ruby"),
        "sdk": next((str(one.modules) for one in installed if one.modules is not None), None),
        "tools": {name: where for name, _, _, where in tools},
    }


def _print(found: Any, levels: Any, installed: Sequence[Interpreter], tools: Any) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("", "[bold]Isolation[/]", f"[bold]{', '.join(levels)}[/]")
    for fact in found:
        cure = "" if fact.available or not fact.cure else f"\n[yellow]→ {escape(fact.cure)}[/]"
        table.add_row(_mark(fact.available, fact.needed), fact.name, f"{escape(fact.detail)}{cure}")
    table.add_row()
    table.add_row("", "[bold]Runtimes[/]", "")
    for runtime in RUNTIMES:
        table.add_row(*_runtime_row(runtime, installed))
    table.add_row(*_sdk_row(installed))
    table.add_row()
    table.add_row("", "[bold]Tools[/]", "[dim]none of them is needed to run functions[/]")
    for name, what, cure, where in tools:
        detail = f"{what}: {where}" if where else f"{what}\n[yellow]→ {escape(cure)}[/]"
        table.add_row(_mark(where is not None, False), name, detail)
    print_table(table)
    if "namespace" not in levels:
        console.print(
            "\nFunctions cannot be isolated here. Mayfly starts only if asked for [bold]--isolation process[/]."
        )


def _mark(available: bool, needed: bool = True) -> str:
    if available:
        return "[green]✓[/]"
    return "[red]✗[/]" if needed else "[dim]-[/]"


def _runtime_row(runtime: str, installed: Sequence[Interpreter]) -> tuple[str, str, str]:
    """What runs the functions of an identifier."""
    try:
        one, warning = choice.choose(runtime, installed)
    except SandboxUnavailableError as error:
        return _mark(False, False), runtime, f"[yellow]→ {escape(str(error))}[/]"
    where = f"{choice.dotted(one)} at {escape(str(one.path))}"
    if warning is None:
        return _mark(True), runtime, where
    return _mark(False, False), runtime, f"{where}\n[yellow]→ not installed: functions of it run on this one instead[/]"


def _sdk_row(installed: Sequence[Interpreter]) -> tuple[str, str, str]:
    what = "AWS SDK for JavaScript"
    where = next((one.modules for one in installed if one.modules is not None), None)
    if where is not None:
        return _mark(True), what, escape(str(where))
    cure = "functions of Node.js have to bring it; to have it for all: mayfly runtime install sdk"
    return _mark(False, False), what, f"not installed\n[yellow]→ {cure}[/]"


def _versions(installed: Sequence[Interpreter], language: Language) -> list[dict[str, str]]:
    return [{"version": choice.dotted(one), "path": str(one.path)} for one in installed if one.language == language]
