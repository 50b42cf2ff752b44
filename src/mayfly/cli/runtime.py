"""`mayfly runtime`: install runtimes for functions, and list what this machine has."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from mayfly.app.directory import DataDirectory
from mayfly.cli import installing
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, escape, failures_in_one_line, print_json, print_table
from mayfly.sandbox import choice, interpreters, jdks, nodes, rubies

runtime = typer.Typer(
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    help="Install runtimes for functions, and list what this machine has.",
)


@runtime.command()
def install(
    names: Annotated[
        list[str],
        typer.Argument(help="nodejs20.x, nodejs22.x, nodejs24.x, or sdk: the AWS SDK for JavaScript, for all of them."),
    ],
    package: Annotated[
        list[str] | None,
        typer.Option("--package", help="A package of npm that functions find beside the SDK; may be repeated."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Fetch runtimes into the data directory; from then on nothing is fetched. A running platform sees them when it is
    started again."""
    with failures_in_one_line():
        directory = DataDirectory(data)
        directory.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in sorted(set(names), key=lambda name: name == installing.SDK_NAME):  # npm comes with Node.js
            with complaints.status(f"installing {escape(name)}"):
                if name == installing.SDK_NAME:
                    where = installing.sdk(directory.runtimes, package or (), lambda _: None)
                    complaints.print(f"[green]installed[/] the AWS SDK for JavaScript at {escape(str(where))}")
                    continue
                made = installing.node(name, directory.runtimes, lambda _: None)
            complaints.print(f"[green]installed[/] Node.js {choice.dotted(made)} at {escape(str(made.path))}")
        if directory.running() is not None:
            complaints.print("start the platform again, so that it sees them")


@runtime.command()
def ls(data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """List the interpreters that functions can run on."""
    path, runtimes = os.environ.get("PATH", ""), DataDirectory(data).runtimes
    home = Path.home()
    others = (*jdks.find(path, os.environ.get("JAVA_HOME", "")), *rubies.find(path, home))
    found = (*interpreters.find(path, home), *nodes.find(path, home, runtimes), *others)
    sdk = nodes.sdk(runtimes)
    if json_output:
        shown = [{"language": one.language, "version": choice.dotted(one), "path": str(one.path)} for one in found]
        print_json({"interpreters": shown, "sdk": str(sdk) if sdk is not None else None})
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("runtime", "version", "path"):
        table.add_column(column)
    for one in found:
        suffix = ".x" if one.language == "nodejs" else ""
        table.add_row(f"{choice.template_name(one)}{suffix}", choice.dotted(one), escape(str(one.path)))
    table.add_row("AWS SDK for JavaScript", "", escape(str(sdk)) if sdk is not None else "not installed")
    print_table(table)
