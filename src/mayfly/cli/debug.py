"""`mayfly debug`: an editor's debugger in an instance of a function."""

import base64
import json
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn
from urllib.parse import quote

import typer

from mayfly.cli import deploying
from mayfly.cli.connection import connect
from mayfly.cli.debuggers import debugger, snippet
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption
from mayfly.cli.output import complaints, console, escape, fail, failures_in_one_line
from mayfly.cli.relay import Relay

PAGE = "/_mayfly/debug"
_STARTS_S = 120.0


def debug(
    function: Annotated[str, typer.Argument(help="Name of the function.")],
    source: Annotated[
        Path, typer.Option("--source", "-s", help="Where its files are on this machine, for the editor.")
    ] = Path(),
    wait: Annotated[
        bool, typer.Option("--wait", help="Have init wait until a debugger is attached, to stop in what it runs.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="On this machine; by default 5678 or 9229, or a free one.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Attach a debugger to a function: one instance of its $LATEST listens for it, without time limit, until Ctrl-C.

    Python's debugpy is that of this environment, or is installed; Node.js has its own. All calls of $LATEST run on that
    one instance, one after the other.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    with failures_in_one_line():
        connection = connect(data)
        told = connection.client("lambda").get_function_configuration(FunctionName=function)
        name = str(told["FunctionName"])
        installer = deploying.installer(connection, lambda what: complaints.print(escape(what)))
        made = debugger(told.get("Runtime", ""), told.get("Handler", ""), installer, wait=wait)
        body = {
            "archive": base64.b64encode(made.archive).decode(),
            "handler": made.handler,
            "variables": dict(made.variables),
        }
        path = f"{PAGE}/{quote(name, safe='')}"
        with connection.open("POST", path, json.dumps(body).encode(), timeout_s=_STARTS_S) as session:
            first = json.loads(session.readline())
            with Relay(connection, f"{path}/{made.port}", port or made.usual, _complain) as relay:
                if port is not None and relay.port != port:
                    fail(f"port {port} is taken on this machine")
                entry = made.launch(name, relay.port, str(source.resolve()), first["root"])
                console.print("[dim].vscode/launch.json:[/]")
                console.print(escape(snippet(entry)))
                complaints.print(f"a debugger may attach at [bold]127.0.0.1:{relay.port}[/]; Ctrl-C ends this")
                try:
                    _follow(name, session, first)
                except KeyboardInterrupt:
                    connection.send("DELETE", path)
                    complaints.print(f"\n{escape(name)} runs as it did before")


def _follow(name: str, session: Any, now: dict[str, str]) -> None:
    """Say how the instance stands, until the session ends."""
    before: dict[str, str] = {}
    while True:
        if now != before:
            match now["state"]:
                case "ready":
                    complaints.print(f"[green]{escape(name)}[/] is ready for calls")
                case "failed":
                    complaints.print(f"[red]{escape(name)}[/] cannot start: {escape(now.get('reason', ''))}")
                case "ended":
                    fail(f"the session has ended: {now.get('reason', '')}")
        before = now
        line = session.readline()
        if not line:
            fail("the server has ended the session")
        now = json.loads(line)


def _complain(text: str) -> None:
    complaints.print(f"[yellow]a connection led nowhere[/]: {escape(text)}")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
