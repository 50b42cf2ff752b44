"""`mayfly up`, `down`, `status` and `version`: the life of the server."""

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from mayfly import __version__
from mayfly.app import DataDirectory, DirectoryBusyError, ServerInfo, ServerOptions, serve
from mayfly.cli.connection import DEFAULT_DATA, DataOption, JsonOption, connect
from mayfly.cli.output import complaints, console, escape, fail, failures_in_one_line, print_json
from mayfly.errors import MayflyError

START_TIMEOUT_S = 30.0
POLL_S = 0.05


def up(
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str, typer.Option(envvar="MAYFLY_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="MAYFLY_PORT", min=0, max=65535, help="Port; 0 takes a free one.")] = 4566,
    region: Annotated[str, typer.Option(envvar="MAYFLY_REGION", help="Name of the AWS region to be.")] = "us-east-1",
    account: Annotated[str, typer.Option(envvar="MAYFLY_ACCOUNT", help="Account id, 12 digits.")] = "000000000000",
    isolation: Annotated[
        str,
        typer.Option(
            envvar="MAYFLY_ISOLATION",
            help="How functions are isolated: [bold]namespace[/] (needs root on Linux) or [bold]process[/] "
            "(no isolation at all, for development where namespaces cannot be had).",
        ),
    ] = "namespace",
    memory: Annotated[
        int | None, typer.Option(envvar="MAYFLY_MEMORY_MB", min=256, help="MB for all instances together.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once the platform is ready.")] = False,
) -> None:
    """Start the platform. Ctrl-C or SIGTERM drains running functions and stops it; a second one stops at once."""
    started = time.monotonic()
    if isolation not in {"namespace", "process"}:
        fail(f"--isolation is namespace or process, not {isolation!r}", 2)
    options = ServerOptions(
        data=data,
        host=host,
        port=port,
        region=region,
        account=account,
        isolation=isolation,
        memory_mb=memory,
        access_key_id=os.environ.get("MAYFLY_ACCESS_KEY_ID"),
        secret_access_key=os.environ.get("MAYFLY_SECRET_ACCESS_KEY"),
    )
    if detach:
        _detached(options, started)
        return
    try:
        serve(options, lambda info: _announce(info, data, started))
    except MayflyError as error:
        fail(str(error))


def _announce(info: ServerInfo, data: Path, started: float) -> None:
    seconds = time.monotonic() - started
    where = DataDirectory(data).root
    console.print(
        f"[bold green]Mayfly {info.version} is ready[/] at [bold]{info.url}[/] in {seconds:.1f} s "
        f"[dim](data {escape(str(where))}, isolation {info.isolation}; next: eval $(mayfly env))[/]"
    )
    if info.isolation == "process":
        complaints.print(
            "[yellow]Functions are not isolated[/]: they run as ordinary processes with your rights. "
            "For development only."
        )
    sys.stdout.flush()


def _detached(options: ServerOptions, started: float) -> None:
    """Start a server of its own session, and wait until it says that it is ready."""
    directory = DataDirectory(options.data)
    try:
        directory.make()
    except MayflyError as error:
        fail(str(error))
    running = directory.running()
    if running is not None:
        fail(str(DirectoryBusyError(directory.root, running)))
    command = [sys.executable, "-m", "mayfly", "up", "--data", str(directory.root), "--host", options.host]
    command += ["--port", str(options.port), "--region", options.region, "--account", options.account]
    command += ["--isolation", options.isolation]
    command += ["--memory", str(options.memory_mb)] if options.memory_mb else []
    with directory.server_log.open("ab") as log:
        log_start = log.tell()
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = started + START_TIMEOUT_S
    while time.monotonic() < deadline:
        info = directory.running()
        if info is not None and info.pid == server.pid:
            _announce(info, options.data, started)
            return
        if server.poll() is not None:
            said = directory.server_log.read_bytes()[log_start:].decode(errors="replace").strip()
            fail(said.removeprefix("mayfly: ") or f"the server ended with status {server.returncode}")
        time.sleep(POLL_S)
    fail(f"the server is not ready after {START_TIMEOUT_S:.0f} s; see {directory.server_log}")


def down(
    data: DataOption = DEFAULT_DATA,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for running functions to finish.")] = 60.0,
) -> None:
    """Stop the platform that runs on a data directory."""
    directory = DataDirectory(data)
    info = directory.running()
    if info is None:
        complaints.print(f"no Mayfly runs on {directory.root}")
        return
    os.kill(info.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while directory.running() is not None:
        if time.monotonic() > deadline:
            fail(
                f"process {info.pid} still finishes its work after {timeout:.0f} s; run `mayfly down` again to hurry it"
            )
        time.sleep(POLL_S)
    complaints.print(f"stopped Mayfly at {info.url}")


def status(data: DataOption = DEFAULT_DATA, json_output: JsonOption = False) -> None:
    """Show what runs: the server, its functions and their instances. Exit status 3 when nothing runs."""
    directory = DataDirectory(data)
    if directory.running() is None:
        if json_output:
            print_json({"running": False, "data": str(directory.root)})
        else:
            complaints.print(f"no Mayfly runs on {directory.root}; start one with `mayfly up`")
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
        ("Process", f"{server['pid']}, up {report['uptime_s']:.0f} s, version {server['version']}"),
        ("Data", report["data"]),
        ("Region, account", f"{server['region']}, {server['account']}"),
        ("Isolation", server["isolation"]),
        ("Services", ", ".join(report["services"])),
    ):
        facts.add_row(f"[bold]{name}[/]", escape(value))
    console.print(facts)
    if not report["functions"]:
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Function", "Runtime", "Isolation", "Memory", "Instances"):
        table.add_column(title)
    for row in report["functions"]:
        states = ", ".join(f"{count} {state}" for state, count in sorted(row["instances"].items())) or "none"
        table.add_row(escape(row["name"]), row["runtime"], row["isolation"], f"{row['memory_mb']} MB", states)
    console.print(table)
    for row in report["functions"]:
        for warning in row["warnings"]:
            complaints.print(f"[yellow]{escape(row['name'])}[/]: {escape(warning)}")


def version(json_output: JsonOption = False) -> None:
    """Print the version."""
    facts = {"mayfly": __version__, "python": platform.python_version(), "system": platform.platform()}
    if json_output:
        print_json(facts)
    else:
        console.print(f"mayfly {__version__} [dim](Python {facts['python']}, {facts['system']})[/]")
