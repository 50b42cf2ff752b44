"""`mayfly invoke`: one call of a function."""

import base64
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption
from mayfly.cli.output import complaints, escape, fail, failures_in_one_line, readable
from mayfly.cli.samples.catalogue import sample
from mayfly.cli.sampling import here


def invoke(
    function: Annotated[str, typer.Argument(help="Name or ARN of the function.")],
    payload: Annotated[
        str | None, typer.Option("--payload", "-p", help="The event: JSON text, @FILE, or - for standard input.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--event", "-e", metavar="KIND", help="A sample event of a trigger; see `mayfly events sample`."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Of the sample event: one of its fields; may be repeated."),
    ] = None,
    asynchronous: Annotated[bool, typer.Option("--async", help="Queue the event and return at once.")] = False,
    tail: Annotated[
        bool, typer.Option("--tail", "-t", help="Show the log of the invocation on standard error.")
    ] = False,
    qualifier: Annotated[str | None, typer.Option(help="Version or alias.")] = None,
    tenant: Annotated[str | None, typer.Option(help="On whose behalf, if the function keeps tenants apart.")] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Call a function and print its answer. Exit status 2 when the function failed."""
    if not function:
        fail("which function? its name is empty", 2)
    if tail and asynchronous:
        fail("--tail needs the function to run now; leave out --async, or follow `mayfly logs -f`", 2)
    if payload is not None and kind is not None:
        fail("either --payload or --event, not both", 2)
    if settings and kind is None:
        fail("--set is of a sample event; say which with --event", 2)
    event = _event(payload if payload is not None else "{}") if kind is None else b""
    request: dict[str, Any] = {"FunctionName": function, "Payload": event}
    request["InvocationType"] = "Event" if asynchronous else "RequestResponse"
    if qualifier:
        request["Qualifier"] = qualifier
    if tenant:
        request["TenantId"] = tenant
    if tail:
        request["LogType"] = "Tail"
    with failures_in_one_line(data):
        connection = connect(data)
        if kind is not None:
            request["Payload"] = json.dumps(sample(kind, settings or (), here(connection))).encode()
        reply = connection.client("lambda").invoke(**request)
        answer = reply["Payload"].read()
    if asynchronous:
        complaints.print("accepted")
        return
    if "LogResult" in reply:
        log = base64.b64decode(reply["LogResult"]).decode(errors="replace")
        complaints.print(escape(readable(log)), style="dim")
    sys.stdout.write(answer.decode(errors="replace") + "\n")
    if "FunctionError" in reply:
        fail(f"{function} failed ({reply['FunctionError']})", 2)


def _event(payload: str) -> bytes:
    """The bytes that `--payload` stands for, checked to be JSON."""
    try:
        if payload == "-":
            text = sys.stdin.read()
        elif payload.startswith("@"):
            text = Path(payload[1:]).read_text(encoding="utf-8")
        else:
            text = payload
        json.loads(text)
    except OSError as error:
        fail(f"cannot read the payload {payload[1:]}: {error.strerror}")
    except ValueError as error:
        fail(f"the payload is not JSON: {error}")
    return text.encode()
