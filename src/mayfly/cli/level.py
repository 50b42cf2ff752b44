"""`mayfly level`: what the account requires of the isolation of its functions."""

from typing import Annotated
from urllib.parse import quote

import typer

from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import console, escape, failures_in_one_line, print_json

PAGE = "/_mayfly/level"
NO_LEVEL = "none"


def level(
    required: Annotated[
        str | None,
        typer.Argument(help="The weakest level that will do from now on, such as gvisor; [bold]none[/]: any will."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show, or change, the level of isolation that the account requires of all its functions.

    A function asks for a level of its own by the tag mayfly:level.
    """
    with failures_in_one_line():
        server = connect(data)
        if required is None:
            view = server.get(PAGE)
        elif required == NO_LEVEL:
            view = server.send("DELETE", PAGE)
        else:
            view = server.send("PUT", f"{PAGE}?required={quote(required, safe='')}")
    if json_output:
        print_json(view)
        return
    for who in ("platform", "account"):
        console.print(f"[bold]{who.capitalize():<10}[/] {escape(view[who] or 'requires none')}")
