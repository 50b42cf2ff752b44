"""The root of the command line: all commands, in the order in which a newcomer needs them.

A command's module is imported when the command runs, not before: the server alone takes half a second to import, and
`mayfly version`, `--help` and completion need none of it. The table below is therefore all that is known of a command
until then.
"""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from mayfly import __version__
from mayfly.errors import MayflyError

RUN, BUILD, LOOK = "Run the platform", "Applications", "Look inside"
CONTEXT = {"help_option_names": ["-h", "--help"]}


class Entry(NamedTuple):
    """A command before it is loaded."""

    module: str
    panel: str
    summary: str


COMMANDS = {
    "up": Entry("serving", RUN, "Start the platform."),
    "down": Entry("stopping", RUN, "Stop the platform that runs on a data directory."),
    "status": Entry("status", RUN, "Show what runs: the server, its functions and their instances."),
    "doctor": Entry("doctor", RUN, "Show what this machine can give, and what to install for the rest."),
    "runtime": Entry("runtime", RUN, "Install runtimes for functions, and list what this machine has."),
    "env": Entry("environment", RUN, "Print exports that point AWS tools at the platform: eval $(mayfly env)."),
    "init": Entry("starting", BUILD, "Begin an application: a template, code, and what to do next."),
    "deploy": Entry("deploying", BUILD, "Bring an application: package local code, create or update its stack."),
    "build": Entry(
        "building", BUILD, "Make an application's packages, with what they depend on, and show their sizes."
    ),
    "dev": Entry("dev", BUILD, "Work on an application: what is saved runs with the next call, logs are streamed."),
    "rollout": Entry(
        "rollout", BUILD, "Shift an alias's calls to a new version by steps; taken back if it does badly."
    ),
    "debug": Entry("debug", BUILD, "Attach a debugger to a function: debugpy for Python, the inspector of Node.js."),
    "diff": Entry("differing", BUILD, "Show what a deployment would change, before it does."),
    "stacks": Entry("stacks", BUILD, "List the applications that are deployed; show what one consists of."),
    "open": Entry("opening", BUILD, "Show where applications answer: function URLs and APIs; open them in a browser."),
    "export": Entry("exporting", BUILD, "Write what is deployed as a SAM template, with its code beside it."),
    "destroy": Entry("destroying", BUILD, "Remove an application: delete its stack and what belongs to it."),
    "image": Entry("image", BUILD, "Import container images for functions, list and remove them."),
    "sandbox": Entry("sandbox", BUILD, "Run any program isolated: run, exec, cp, snapshot, freeze, fork, ls, rm."),
    "webhook": Entry("webhook", BUILD, "Let third parties post events to a bus: GitHub, Stripe, Slack, any HMAC."),
    "invoke": Entry("invoking", BUILD, "Call a function and print its answer."),
    "tasks": Entry("tasks", LOOK, "Asynchronous invocations: submit many, watch, ls, show, stop, run again, share."),
    "durable": Entry("durable", LOOK, "Executions of durable functions: ls, show, stop, pause, resume, rm, answer."),
    "logs": Entry("logs", LOOK, "Print what a function wrote, and follow what it writes."),
    "function": Entry("function", LOOK, "Show how a function stands: isolation, instances, versions, templates."),
    "level": Entry("level", LOOK, "Show or change the level of isolation that the account requires."),
    "starts": Entry("starts", LOOK, "Show how instances of a function started, and what took how long."),
    "events": Entry("events", LOOK, "Sample events of triggers; tokens for CloudEvents, schemas of events on a bus."),
    "usage": Entry("usage", LOOK, "Show requests, GB-seconds and cost by function."),
    "simulate": Entry("simulate", LOOK, "Replay a trace of calls through keep-alive policies, or make one up."),
    "version": Entry("version", LOOK, "Print the version."),
}


FORMERLY = {"delete": "destroy"}  # names that commands had


class LazyGroup(TyperGroup):
    """A group whose commands are the table's; listing them loads none.

    The types of contexts and commands are those of typer's own copy of click, which it does not export.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(FORMERLY.get(cmd_name, cmd_name))
        if entry is None:
            return None
        return TyperCommand(cmd_name, help=entry.summary, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command {args[0]!r}{_meant(args[0])}")
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name is not None and command is not None else command, rest


def _meant(name: str) -> str:
    """Commands that are called almost so."""
    difflib = importlib.import_module("difflib")  # which nobody needs who types what there is
    alike = difflib.get_close_matches(name.lower(), COMMANDS, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(alike)}?" if alike else ""


def load(name: str) -> Any:
    """The command of that name, which is a key of the table, or was."""
    name = FORMERLY.get(name, name)
    module = importlib.import_module(f"mayfly.cli.{COMMANDS[name].module}")
    function: Callable[..., Any] | typer.Typer = getattr(module, name)
    if isinstance(function, typer.Typer):  # commands of its own
        group = typer.main.get_command(function)
        for command in getattr(group, "commands", {}).values():
            command.help = flowing(command.help)
        return group
    single = typer.Typer(rich_markup_mode="rich", context_settings=CONTEXT, add_completion=False)
    single.command(name, help=flowing(inspect.getdoc(function)))(function)
    return typer.main.get_command(single)


def flowing(text: str | None) -> str | None:
    """A docstring whose paragraphs are as wide as the terminal, not as the source."""
    if text is None:
        return None
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


app = typer.Typer(
    name="mayfly",
    cls=LazyGroup,
    help=(
        "A serverless platform on your own machine: functions and the backend services they live on.\n\n"
        "Start it with [bold]mayfly up[/], point AWS tools at it with [bold]eval $(mayfly env)[/], bring an "
        "application with [bold]mayfly deploy template.yaml[/]."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings=CONTEXT,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mayfly {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Entry point of the `mayfly` executable."""
    try:
        app(prog_name="mayfly")  # also in the child that reads for a server
    except MayflyError as error:  # what is found out while an answer is shown
        _end(str(error))
    except OSError as error:  # a disk that is full, a file that is another user's
        _end(f"{error.filename}: {error.strerror}" if error.filename is not None else str(error.strerror or error))


def _end(message: str) -> NoReturn:
    importlib.import_module("mayfly.cli.output").complain(message)
    sys.exit(1)
