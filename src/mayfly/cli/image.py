"""`mayfly image`: the platform's own images, for functions that name them `mayfly.local/NAME:TAG`."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, console, escape, failures_in_one_line, print_json, print_table

PAGE = "/_mayfly/images"

image = typer.Typer(
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    help="Import container images for functions, list and remove them.",
)


@image.command("import")
def import_(
    archive: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="What docker save or podman save writes, or a tar file of an OCI layout."
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="NAME:TAG; by default the file's name, with the tag latest.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Put an image into the platform, and print what to write as ImageUri."""
    with failures_in_one_line():
        connection = connect(data)
        chosen = name or default_name(archive)
        with complaints.status(f"importing {escape(archive.name)}"):
            taken = connection.send("POST", f"{PAGE}?name={quote(chosen, safe='')}", archive)
    if json_output:
        print_json(taken)
    else:
        complaints.print(f"[green]imported[/] {escape(taken['digest'])}, {_megabytes(taken['bytes'])}")
        console.print(escape(taken["uri"]))


@image.command()
def ls(data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """List the images that the platform has names for."""
    with failures_in_one_line():
        found = connect(data).get(PAGE)["images"]
    if json_output:
        print_json(found)
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("ImageUri", "Digest", "Size", "Architecture", "Imported"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(*_row(one))
    print_table(table)


@image.command()
def rm(
    name: Annotated[str, typer.Argument(help="NAME:TAG, with mayfly.local/ or without.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Take an image's name away. Functions that run from the image go on; its bytes go with the last of them."""
    with failures_in_one_line():
        connect(data).send("DELETE", f"{PAGE}?name={quote(name, safe='')}")
    complaints.print(f"removed {escape(name)}")


def default_name(archive: Path) -> str:
    """The file's name without its endings, made fit for an image."""
    stem = re.sub(r"(\.(tar|tgz|gz|oci|docker))+$", "", archive.name.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-") or "image"


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    imported = datetime.fromtimestamp(one["imported_at"], UTC).strftime("%Y-%m-%d %H:%M")
    return escape(one["uri"]), one["digest"][:19], _megabytes(one["bytes"]), one["architecture"], imported


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
