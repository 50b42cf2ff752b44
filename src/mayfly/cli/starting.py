"""`mayfly init`: the beginning of an application: a template, code, and what to do with them."""

import shutil
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.table import Table

from mayfly.cli.options import TEMPLATE
from mayfly.cli.output import complaints, console, escape, fail, print_table

APPLICATIONS = {
    "hello": "a function that answers at a URL",
    "api": "an HTTP API over a table: a list of things to do",
    "pictures": "a bucket, a function that looks at what lands in it, a table, an API",
    "jobs": "a queue, a function that does what is in it, a queue for what fails",
    "timer": "a function that runs by the clock, and an alarm on it",
}


class Language(NamedTuple):
    """What templates say of a language."""

    runtime: str
    module: str
    requirements: str


LANGUAGES = {
    "python": Language(f"python{sys.version_info[0]}.{sys.version_info[1]}", "app", "requirements.txt"),
    "nodejs": Language("nodejs22.x", "index", "package.json"),
}


def init(
    application: Annotated[
        str | None, typer.Argument(help=f"What to begin with: {', '.join(APPLICATIONS)}.", show_default=False)
    ] = None,
    folder: Annotated[Path | None, typer.Argument(help="Where; by default a folder of that name.")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help=f"{' or '.join(LANGUAGES)}.")] = "python",
    list_: Annotated[bool, typer.Option("--list", help="Show what there is to begin with.")] = False,
) -> None:
    """Begin an application: a template, code in Python or Node.js, and a README that says what to do next."""
    if list_:
        print_table(_table())
        return
    chosen = application or _asked()
    if chosen not in APPLICATIONS:
        fail(f"there is no application {chosen}; there are {', '.join(APPLICATIONS)}")
    if language not in LANGUAGES:
        fail(f"there are no applications in {language}; there are some in {' and '.join(LANGUAGES)}")
    target = folder or Path(chosen)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        fail(f"{target} is there already, and not empty")
    write(chosen, language, target)
    console.print(f"wrote {escape(str(target))}: {APPLICATIONS[chosen]}")
    where = "" if target == Path() else f"cd {target} && "
    complaints.print(f"next: [bold]{escape(where)}mayfly deploy[/], or [bold]mayfly dev[/] while you work on it")


def write(application: str, language: str, target: Path) -> None:
    """Write an application into a folder, which is made where it is not there."""
    source = files("mayfly.cli") / "scaffolds" / application
    target.mkdir(parents=True, exist_ok=True)
    known = LANGUAGES[language]
    values = {
        "@NAME@": target.resolve().name,
        "@RUNTIME@": known.runtime,
        "@HANDLER@": f"{known.module}.handler",
        "@MODULE@": known.module,
        "@REQUIREMENTS@": known.requirements,
    }
    for name in (TEMPLATE, "README.md"):
        text = (source / name).read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        (target / name).write_text(text, encoding="utf-8")
    (target / ".gitignore").write_text(".mayfly/\n.aws-sam/\nnode_modules/\n__pycache__/\n", encoding="utf-8")
    _copy(source / language, target / "source")


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir()
    for entry in source.iterdir():
        if entry.is_file() and not entry.name.endswith(".pyc"):
            with entry.open("rb") as opened, (target / entry.name).open("wb") as made:
                shutil.copyfileobj(opened, made)


def _asked() -> str:
    if not sys.stdin.isatty():
        fail(f"say what to begin with: {', '.join(APPLICATIONS)}")
    print_table(_table())
    return str(typer.prompt("What to begin with", default="hello"))


def _table() -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Application", "What it is"):
        table.add_column(title)
    for name, what in APPLICATIONS.items():
        table.add_row(name, what)
    return table
