"""`mayfly sandbox`: isolated processes without a function, from the machine's programs, an image or a snapshot."""

import base64
import contextlib
import json
import os
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote, urlencode

import typer
from rich.table import Table

from mayfly.cli.connection import Connection, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, console, escape, failures_in_one_line, print_json, print_table
from mayfly.errors import CallerError

PAGE = "/_mayfly/sandboxes"
CODE = "/tmp/code"  # noqa: S108  # inside
CHUNK = 64 * 1024

Command = Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The program and its arguments, after --.")]
Id = Annotated[str, typer.Argument(metavar="SANDBOX", help="Its id, as run --detach and ls print it.")]
Variables = Annotated[list[str] | None, typer.Option("--env", "-e", metavar="NAME=VALUE", help="May be repeated.")]
Interactive = Annotated[bool, typer.Option("--interactive", "-i", help="Pass standard input on.")]

sandbox = typer.Typer(
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    help="Run any program isolated, as functions are: from an image, a snapshot, or with this machine's programs.",
)


@sandbox.command(context_settings={"allow_interspersed_args": False})
def run(
    command: Command,
    image: Annotated[str | None, typer.Option(help="Made of this image, named as functions name theirs.")] = None,
    snapshot: Annotated[
        str | None, typer.Option(help="Made like the sandbox of this snapshot, with its files.")
    ] = None,
    function: Annotated[
        str | None, typer.Option(help="With this function's package, whose runtime runs `python` from memory.")
    ] = None,
    imports: Annotated[
        str, typer.Option("--import", metavar="MODULE[,MODULE…]", help="Loaded in every `python`; of that package.")
    ] = "",
    code: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help=f"Copied to {CODE}, where the program starts.")
    ] = None,
    memory: Annotated[int, typer.Option(help="Megabytes.")] = 512,
    tmp: Annotated[int, typer.Option(help="Megabytes of /tmp.")] = 512,
    cpus: Annotated[float, typer.Option(help="Processors.")] = 1.0,
    level: Annotated[str | None, typer.Option(help="Of isolation; by default the server's.")] = None,
    egress: Annotated[str, typer.Option(help="What it may reach: none, host, or NAME:PORT[,NAME:PORT…].")] = "none",
    lifetime: Annotated[float, typer.Option(help="Seconds until the sandbox is ended, whatever it does.")] = 3600.0,
    timeout: Annotated[float | None, typer.Option(help="Seconds until the program is killed.")] = None,
    env: Variables = None,
    label: Annotated[str, typer.Option(help="For people: shown by ls.")] = "",
    interactive: Interactive = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the sandbox when the program has ended.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the sandbox's id, and do not wait.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make a sandbox, run a program in it, and end both with the program's exit status."""
    with failures_in_one_line():
        connection = connect(data)
        wanted = {
            "image": image,
            "snapshot": snapshot,
            "function": function,
            "imports": [name for name in imports.split(",") if name],
            "environment": _variables(env),
            "memory_mb": memory,
            "ephemeral_mb": tmp,
            "cpus": cpus,
            "level": level,
            "egress": egress,
            "lifetime_s": lifetime,
            "label": label,
        }
        with complaints.status("making a sandbox"):
            made = _post(connection, PAGE, {name: value for name, value in wanted.items() if value is not None})
        place = f"{PAGE}/{made['id']}"
        status = 1
        try:
            if code is not None:
                with complaints.status(f"copying {escape(str(code))}"), _packed(code, Path(CODE).name) as archive:
                    _put(connection, place, str(Path(CODE).parent), archive)
            start = {"argv": command, "timeout_s": timeout, "directory": CODE if code is not None else None}
            if detach:
                _process(connection, place, start)
                console.print(made["id"])
                keep, status = True, 0
            else:
                status = _run(connection, place, start, interactive=interactive)
        finally:
            if keep and not detach:
                complaints.print(f"the sandbox is {made['id']}")
            elif not keep:
                _post(connection, place, None, "DELETE")
    raise typer.Exit(status)


@sandbox.command("exec", context_settings={"allow_interspersed_args": False})
def exec_(
    sandbox_id: Id,
    command: Command,
    env: Variables = None,
    directory: Annotated[str | None, typer.Option("--directory", "-w", help="Where the program starts.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds until the program is killed.")] = None,
    interactive: Interactive = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Run one more program in a sandbox, and end with its exit status."""
    with failures_in_one_line():
        start = {"argv": command, "environment": _variables(env), "directory": directory, "timeout_s": timeout}
        status = _run(connect(data), _place(sandbox_id), start, interactive=interactive)
    raise typer.Exit(status)


@sandbox.command()
def cp(
    source: Annotated[str, typer.Argument(help="A path here, or SANDBOX:PATH.")],
    target: Annotated[str, typer.Argument(help="SANDBOX:PATH, or a path here.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Copy a file or a directory into a sandbox or out of it. What is written to is /tmp, as in functions."""
    with failures_in_one_line():
        theirs, ours = _remote(source), _remote(target)
        if (theirs is None) == (ours is None):
            raise CallerError("one of the two is a path in a sandbox, written SANDBOX:PATH")
        connection = connect(data)
        if ours is not None:
            _copy_in(connection, Path(source), *ours)
        elif theirs is not None:
            _copy_out(connection, *theirs, Path(target))


@sandbox.command()
def ls(
    snapshots: Annotated[bool, typer.Option("--snapshots", "-s", help="List snapshots instead.")] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """List sandboxes: those that run, and those that have ended and were not removed."""
    with failures_in_one_line():
        answer = connect(data).get(f"{PAGE}/snapshots" if snapshots else PAGE)
    found = answer["snapshots" if snapshots else "sandboxes"]
    if json_output:
        print_json(found)
        return
    titles = ("Snapshot", "Label", "Of", "Size", "Made") if snapshots else _TITLES
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in ("Sandbox", "Snapshot", "Level", "Memory", "Size"))
    for one in found:
        table.add_row(*(_snapshot_row(one) if snapshots else _row(one)))
    print_table(table)


@sandbox.command()
def snapshot(
    sandbox_id: Id,
    label: Annotated[str, typer.Option(help="For people.")] = "",
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Keep the files of a sandbox, for `run --snapshot`. They outlast it, and the server."""
    with failures_in_one_line(), complaints.status("copying its files"):
        made = _post(connect(data), f"{_place(sandbox_id)}/snapshot", {"label": label})
    console.print(made["id"])


@sandbox.command()
def fork(sandbox_id: Id, data: DataOption = DEFAULT_DATA) -> None:
    """Make a second sandbox like this one, with a copy of its files and none of its processes."""
    with failures_in_one_line(), complaints.status("making a sandbox"):
        made = _post(connect(data), f"{_place(sandbox_id)}/fork", None)
    console.print(made["id"])


@sandbox.command()
def freeze(sandbox_id: Id, data: DataOption = DEFAULT_DATA) -> None:
    """Stop all processes of a sandbox until thaw; they use no processor meanwhile."""
    with failures_in_one_line():
        _post(connect(data), f"{_place(sandbox_id)}/freeze", None)


@sandbox.command()
def thaw(sandbox_id: Id, data: DataOption = DEFAULT_DATA) -> None:
    """Let the processes of a frozen sandbox go on."""
    with failures_in_one_line():
        _post(connect(data), f"{_place(sandbox_id)}/thaw", None)


@sandbox.command()
def rm(
    names: Annotated[list[str], typer.Argument(metavar="SANDBOX|SNAPSHOT...", help="Ids.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """End sandboxes and forget them, or forget snapshots."""
    with failures_in_one_line():
        connection = connect(data)
        for name in names:
            place = f"{PAGE}/snapshots/{quote(name, safe='')}" if name.startswith("snap-") else _place(name)
            _post(connection, place, None, "DELETE")


_TITLES = ("Sandbox", "Label", "State", "Level", "Made of", "Memory", "Run", "Until")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    state = one["state"] if not one["reason"] else f"{one['state']}: {one['reason']}"
    memory = f"{one['peak_bytes'] / 2**20:.0f}/{one['memory_mb']} MB"
    running = one["processes"], _time(one["expires_at"])[11:]
    return one["id"], escape(one["label"]), state, one["level"], escape(one["made_of"]), memory, *map(str, running)


def _snapshot_row(one: dict[str, Any]) -> tuple[str, ...]:
    basis = one["wanted"].get("image") or "this machine"
    return one["id"], escape(one["label"]), escape(basis), f"{one['size'] / 1e6:.1f} MB", _time(one["created_at"])


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _place(sandbox_id: str) -> str:
    return f"{PAGE}/{quote(sandbox_id, safe='')}"


def _variables(given: list[str] | None) -> dict[str, str]:
    found = {}
    for pair in given or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CallerError(f"{pair!r} is no NAME=VALUE")
        found[name] = value
    return found


def _post(connection: Connection, path: str, value: Any, method: str = "POST") -> Any:
    body = json.dumps(value).encode() if value is not None else b""
    with connection.open(method, path, body) as reply:
        return connection.read(reply)


# Processes.


def _process(connection: Connection, place: str, start: dict[str, Any]) -> str:
    """Start one; where it is. `CallerError` when it cannot be started."""
    argv = start["argv"][1:] if start["argv"][0] == "--" else start["argv"]
    start = {**start, "argv": argv}
    asked = {name: value for name, value in start.items() if value is not None}
    started = _post(connection, f"{place}/processes", asked)
    if "exit" in started:
        raise CallerError(f"{start['argv'][0]}: {started['exit'].get('error', 'it could not be started')}")
    return f"{place}/processes/{started['process']}"


def _run(connection: Connection, place: str, start: dict[str, Any], *, interactive: bool) -> int:
    """Run one to its end, its output on ours; its exit status, as a shell has it."""
    process = _process(connection, place, start)
    if interactive:
        threading.Thread(target=_feed, args=(connection, process), daemon=True).start()
    else:
        _post(connection, f"{process}/input?end=1", None)
    ending: dict[str, Any] = {}
    try:
        with connection.open("GET", f"{process}/output") as output:
            for line in output:
                told = json.loads(line)
                ending = told.get("exit", ending)
                if "data" in told:
                    _show(told["stream"], base64.b64decode(told["data"]))
    except KeyboardInterrupt:
        with contextlib.suppress(CallerError):
            _post(connection, f"{process}/signal", {"signal": 2})
        return 130
    if "error" in ending:
        raise CallerError(ending["error"])
    return 128 + int(ending["signal"]) if "signal" in ending else int(ending.get("code", 1))


def _show(stream: str, data: bytes) -> None:
    ours = sys.stdout if stream == "stdout" else sys.stderr
    ours.buffer.write(data)
    ours.buffer.flush()


def _feed(connection: Connection, process: str) -> None:
    """Pass our standard input on until it ends."""
    with contextlib.suppress(Exception):  # the program may have ended: its output says how
        while data := os.read(0, CHUNK):
            with connection.open("POST", f"{process}/input", data):
                pass
        _post(connection, f"{process}/input?end=1", None)


# Files.


def _remote(text: str) -> tuple[str, str] | None:
    """Sandbox and path, where the text names both."""
    name, colon, path = text.partition(":")
    return (name, path) if colon and name.startswith("sbx-") else None


def _copy_in(connection: Connection, source: Path, sandbox_id: str, path: str) -> None:
    if not source.exists():
        raise CallerError(f"there is no {source}")
    into, name = (path, source.name) if path.endswith("/") else (str(Path(path).parent), Path(path).name)
    with _packed(source, name) as archive:
        _put(connection, _place(sandbox_id), into, archive)


def _copy_out(connection: Connection, sandbox_id: str, path: str, target: Path) -> None:
    name = Path(path).name
    place = target / name if target.is_dir() else target
    with (
        connection.open("GET", f"{_place(sandbox_id)}/files?{urlencode({'path': path})}") as reply,
        tarfile.open(fileobj=reply, mode="r|") as archive,
    ):
        for member in archive:
            rest = Path(member.name).relative_to(name)
            member.name = str(place.name / rest) if str(rest) != "." else place.name
            archive.extract(member, place.parent, filter="data")


@contextlib.contextmanager
def _packed(source: Path, name: str) -> Iterator[Path]:
    """A tar file of a file or directory, under another name."""
    with tempfile.TemporaryDirectory(prefix="mayfly-") as scratch:
        place = Path(scratch) / "files.tar"
        with place.open("wb") as file:
            _pack(file, source, name)
        yield place


def _pack(into: BinaryIO, source: Path, name: str) -> None:
    with tarfile.open(fileobj=into, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(source, arcname=name)


def _put(connection: Connection, place: str, path: str, archive: Path) -> None:
    with connection.open("PUT", f"{place}/files?{urlencode({'path': path})}", archive):
        pass
