"""`mayfly dev`: an application that changes while it runs. What is saved runs with the next call, not deployed."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from watchfiles import Change, watch

from mayfly.cli import deploying, intents, watching
from mayfly.cli.connection import RefusedError
from mayfly.cli.dev_screen import Screen, shown
from mayfly.cli.dev_stack import Application, FailedError, LocalFunction, find_template
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.logs import Tail
from mayfly.cli.options import (
    DEFAULT_TEMPLATE,
    ConfigFileOption,
    ConfigOption,
    DataOption,
    ParameterOption,
    StackNameOption,
)
from mayfly.cli.output import complaints, console, counted, failures_in_one_line
from mayfly.cli.own_server import reached
from mayfly.cli.samconfig import Choice
from mayfly.errors import MayflyError

# A save is seen when nothing more came for so long; more that comes keeps it waiting for so long at most.
STEP_MS, DEBOUNCE_MS = 5, 50
FIRST_LOOK_MS = 500
# How often logs are looked at while functions run, and when none has for a while.
LOGS_EVERY_S, SELDOM_S, BUSY_S = 0.2, 0.6, 20.0
_STALE = 409  # what runs is not what a change is one of


def dev(
    context: typer.Context,
    place: Annotated[
        Path, typer.Argument(metavar="TEMPLATE|DIRECTORY", help="SAM or CloudFormation template, or where it is.")
    ] = Path(),
    stack_name: StackNameOption = None,
    parameter: ParameterOption = None,
    config_file: ConfigFileOption = None,
    config_env: ConfigOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Work on an application: deploy it once, then have every change of its files run with the next call.

    Logs of all its functions are printed as they come, errors with the lines that they are of. A change of the template
    or of dependencies is deployed. Ctrl-C deploys the code as it is then, and ends.

    Where no platform runs, one is started, and ends with this: on a directory that goes with it, or on [bold]--data[/].
    """
    source = context.get_parameter_source("data")
    temporary = source is None or source.name == "DEFAULT"
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT, too: shells have background jobs ignore it
        signal.signal(number, _interrupt)
    with failures_in_one_line():
        choice = Choice(config_file, config_env)
        named = intents.template_of(None, choice, "build", "sync") if place == Path() else place
        template = find_template(place if named == DEFAULT_TEMPLATE else named)
        intent = intents.intended(template, choice, stack_name=stack_name, parameter=parameter, syncs=True)
        with reached(data, temporary=temporary) as (connection, stays):
            Session(Application(connection, intent), Screen(console), stays=stays).run()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


class Session:
    """From the first deployment to the last. `stays`: the server lives on after it."""

    def __init__(self, application: Application, screen: Screen, *, stays: bool) -> None:
        self._application = application
        self._screen = screen
        self._stays = stays
        self._stop = threading.Event()
        self._since_ms = int(time.time() * 1000)
        self._seen = 0.0  # when everything was looked at last
        self._left: dict[str, set[Path]] = {}  # by function: what could not be swapped yet
        self._tails: dict[str, Tail] = {}
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="swap")

    def run(self) -> None:
        """Until Ctrl-C. `MayflyError`, `ClientError` when there is nothing to begin with."""
        logs = threading.Thread(target=self._show_logs, name="logs", daemon=True)
        try:
            try:
                self._begin()
                logs.start()
                while True:
                    self._watch()
            except KeyboardInterrupt:
                self._end()
        finally:
            self._stop.set()
            self._pool.shutdown(wait=False)
            if logs.is_alive():
                logs.join(5)

    def _begin(self) -> None:
        application = self._application
        started = time.monotonic()
        self._seen = time.time()
        try:
            changed = application.deploy()
        except FailedError as error:
            for reason in error.reasons:
                complaints.print(f"  {reason}", style="red", markup=False)
            raise
        application.follow()
        how = f"is deployed in {time.monotonic() - started:.1f} s" if changed else "is up to date"
        complaints.print(f"[green]stack {application.name} {how}[/]")
        deploying.print_warnings(application.connection, application.name)
        self._introduce()

    def _introduce(self) -> None:
        """Show what there is to call."""
        application = self._application
        self._screen.know([function.label for function in application.functions])
        for function in application.functions:
            self._screen.say(function.label, f"{function.name}  {shown(function.root)}", "bold")
            for url in function.urls:
                self._screen.say("", f"  {url}")
            if function.fixed:
                self._screen.say("", f"  is deployed when it changes: {function.fixed}", "yellow")
        for key, value in application.outputs.items():
            self._screen.say("", f"{key}  {value}")
        roots = len({function.root for function in application.functions})
        self._screen.say("", f"watching {counted(roots, 'folder')} and {application.template.name}; Ctrl-C ends", "dim")

    def _watch(self) -> None:
        """Take in changes until there are other places to watch."""
        places = self._application.places
        roots = [place for place in places if place.is_dir()]
        watched = [*roots, *{place.parent for place in places if not place.is_dir()}]
        changes = watch(
            *watched,
            watch_filter=self._concerns,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=FIRST_LOOK_MS,
            yield_on_timeout=True,
            stop_event=self._stop,
        )
        missed: set[Path] | None = None
        for found in changes:
            if missed is None:  # it watches, so nothing is missed any more
                missed = self._missed()
                found = {*found, *((Change.modified, str(path)) for path in missed)}
            if found:
                self._changed({Path(path) for _, path in found})
            elif self._left:
                self._changed(set())
            if self._application.places != places:
                return

    def _missed(self) -> set[Path]:
        """Files that changed since the last deployment began, but before anything was watched."""
        return watching.changed_since(
            self._application.places, self._seen, lambda path: self._concerns(Change.added, str(path))
        )

    def _concerns(self, change: Change, path: str) -> bool:
        """Whether a change of a file is one at all, for `watch`."""
        where = Path(path)
        return not watching.transient(where) and self._application.minds(where)

    def _changed(self, paths: set[Path]) -> None:
        if any(self._application.decides(path) for path in paths):
            self._deploy(paths)
            return
        functions = self._application.functions
        own = {
            one.label: {path for path in paths if one.has(path)} | self._left.get(one.label, set()) for one in functions
        }
        asked = [(one, own[one.label]) for one in functions if own[one.label]]
        done = list(self._pool.map(lambda each: self._swap(*each), asked))
        if not all(done):
            self._deploy(paths)

    def _swap(self, function: LocalFunction, paths: set[Path]) -> bool:
        """Send what changed of one function; whether it did not take a deployment instead. What cannot be sent now is
        sent again a moment later."""
        assert function.swapper is not None, "one whose code cannot be swapped is deployed"
        started = time.monotonic()
        try:
            names = function.swapper.swap(paths)
        except (MayflyError, OSError) as error:
            if isinstance(error, RefusedError) and error.status == _STALE:
                self._left.pop(function.label, None)
                return False
            if self._left.setdefault(function.label, set()) != paths:
                self._screen.say(function.label, f"not swapped yet: {error}", "red")
            self._left[function.label] = paths
            return True
        self._left.pop(function.label, None)
        if names:
            took = (time.monotonic() - started) * 1000
            files = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            self._screen.say(function.label, f"{files} swapped in {took:.0f} ms", "green")
            for path in paths:
                self._check(function, path)
        return True

    def _check(self, function: LocalFunction, path: Path) -> None:
        """Say at once what an import would say."""
        if path.suffix != ".py" or not path.is_file():
            return
        try:
            compile(path.read_bytes(), str(path), "exec")
        except SyntaxError as error:
            name = path.relative_to(function.root).as_posix()
            text = f'[ERROR] SyntaxError: {error.msg}\rTraceback (most recent call last):\r  File "/var/task/{name}"'
            self._screen.error(function.label, function.root, f"{text}, line {error.lineno or 1}")
        except (OSError, ValueError):
            pass  # it is gone again, or no text; the function will tell

    def _deploy(self, paths: set[Path]) -> None:
        application = self._application
        self._screen.say("", f"{', '.join(sorted(shown(path) for path in paths))} changed: deploying", "yellow")
        self._left = {}
        with self._told():
            before = [(one.name, one.urls) for one in application.functions]
            self._seen = time.time()
            application.deploy()
            application.follow()
            if before != [(one.name, one.urls) for one in application.functions]:
                self._introduce()
            else:
                self._screen.say("", f"stack {application.name} is deployed", "green")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong is told, and no reason to end: the next change may mend it."""
        try:
            yield
        except FailedError as error:
            self._screen.say("", "\n".join([str(error), *error.reasons]), "red")
        except ClientError as error:
            self._screen.say("", str(error.response["Error"].get("Message", error)), "red")
        except (MayflyError, BotoCoreError, OSError) as error:
            self._screen.say("", str(error), "red")

    def _end(self) -> NoReturn:
        """Leave what was worked on deployed, where anything stays."""
        if self._stays and self._application.functions:
            self._screen.say("", "deploying the code as it is now; Ctrl-C leaves it", "dim")
            with self._told():
                self._application.settle()
                self._screen.say("", f"stack {self._application.name} is deployed", "green")
        raise typer.Exit(0)

    def _show_logs(self) -> None:
        """Print what functions write until `_stop`; in a thread."""
        client: Any = self._application.connection.client("logs")
        spoke = time.monotonic()
        while not self._stop.wait(LOGS_EVERY_S if time.monotonic() - spoke < BUSY_S else SELDOM_S):
            with contextlib.suppress(ClientError, BotoCoreError):  # the server is being started again, say
                for function in list(self._application.functions):
                    tail = self._tails.setdefault(function.group, Tail(client, function.group, self._since_ms))
                    for event in tail.fresh():
                        spoke = time.monotonic()
                        self._screen.event(function.label, function.root, event)
