"""What a shared template does ahead of its instances, and what is left for each of them to do.

A *package template* imports the distributions that the function's init imported, and nothing of the function's own. A
*function template* runs all of init, and the function's hooks. Both refuse when an instance could tell: when it would
share something with its siblings, or miss something that init leaves behind outside of memory.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Optional

from mayfly.sandbox.python import (
    distributions,
    failures,
    handler,
    hazards,
    hooks,
    imports,
    logs,
    preload,
    restore,
    search,
)
from mayfly.sandbox.python.descriptors import Held
from mayfly.sandbox.python.generators import Generators

_TEMPORARY = ("/tmp", "/dev/shm")  # noqa: S108 (the sandbox's own)
_MOST_PRINTED = 64 << 10
SMALL_MODULE = "colorsys"  # of the standard library, in Python
_SMALL_FILE = os.path.join(os.path.dirname(os.__file__), f"{SMALL_MODULE}.py")


class RefusedError(Exception):
    """This process cannot be a template; the reasons are sentences."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.printed = ""  # by init


class InitFailedError(Exception):
    """The function's own init, or one of its hooks, raised: no instance can start. Carries the error object."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error.get("errorMessage")))
        self.error = error
        self.printed = ""  # by init, the error included


class Ready:
    """The state of a template that instances are forked from."""

    def __init__(self, current: logs.Current, generators: Generators) -> None:
        self.current = current
        self.function: Optional[handler.Handler] = None  # noqa: UP045 (read at run time on Python 3.9)
        self.modules = 0
        self.rehearses = True  # whether a start can be rehearsed; see `rehearsal`
        self.logged = ""  # what init printed, which instances do not
        self._generators = generators
        self._changed: dict[str, Optional[str]] = {}  # noqa: UP045
        self._printed = ""
        self._held = Held()
        self._fresh = False  # the generators of this very process have seeds of their own
        self._directory = ""
        self.credentials = restore.Credentials()
        self.record: Optional[imports.Record] = None  # noqa: UP045 (read at run time on Python 3.9)

    def listen(self) -> None:
        """In a template whose forks have the function's own module to import: begin to record that."""
        if self.function is None:
            self.record = imports.Record()
            self.record.begin()

    @property
    def inherited(self) -> frozenset[int]:
        """Descriptors that instances keep."""
        return self._held.numbers

    def fill(self, changed: dict[str, str | None], printed: str, held: Held, directory: str) -> None:
        """What preparing left behind: variables it changed, what it printed, what it has open, where it is."""
        self._changed, self._printed, self._held, self._directory = changed, printed, held, directory

    def warm(self) -> None:
        """Touch, in a spare that has time, what `restore` and the import of the function will write to."""
        importlib.invalidate_caches()
        with contextlib.suppress(ImportError):
            importlib.import_module("_no_such_module")
        with contextlib.suppress(ImportError, OSError):
            # Past `sys.modules`, and whatever packages put into the way of an import.
            importlib.machinery.SourceFileLoader(SMALL_MODULE, _SMALL_FILE).get_code(SMALL_MODULE)
        self._generators.reseed()

    def understudy(self) -> Ready:
        """One whose `restore` brings back variables and draws new random numbers, and leaves no trace but these."""
        other = Ready(logs.Current(), self._generators)
        other.fill(self._changed, "", Held(), "")
        return other

    def freshen(self) -> None:
        """In a fork that has time and will be one instance, or in a template for its next fork alone: draw what
        `restore` would."""
        if not self._fresh:
            self._generators.reseed()
            self._fresh = True

    def renew(self) -> None:
        """In a fork of an instance: draw its own."""
        self._generators.reseed()

    def forked(self) -> None:
        """In a template: what was drawn is the fork's."""
        self._fresh = False

    def restore(self, environment: Mapping[str, str]) -> None:
        """In an instance, before anything of the function runs in it."""
        os.environ.clear()
        os.environ.update(environment)
        for name, value in self._changed.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if not self._fresh:
            self._generators.reseed()
        restore.renew_identity()
        self.credentials.renew(environment)
        self._held.renew()
        if self._directory:
            os.chdir(self._directory)
        if self._printed:
            sys.stdout.write(self._printed)


def prepare(asked: Mapping[str, Any], kept: frozenset[int]) -> Ready:
    """Carry out a PREPARE frame; `RefusedError`, `InitFailedError`."""
    environment: dict[str, str] = asked["environment"]
    os.environ.clear()
    os.environ.update(environment)
    if "TZ" in environment:
        time.tzset()
    search.set_up(asked["task_root"], search.INSIDE, search.added(environment, asked["task_root"]))
    preload.fit(environment)
    current = logs.Current()
    logs.set_up(environment, current)
    handler_name: str | None = asked.get("handler")
    before = hazards.look()
    with _Output() as output, Generators() as generators:
        ready = Ready(current, generators)
        loaded = len(sys.modules)
        if handler_name is None:
            _import_packages(asked["modules"])
        else:
            ready.function = _init(handler_name, output)
        printed = output.text()
    ready.modules = len(sys.modules) - loaded
    reasons, held = hazards.find(before, kept | {0, 1, 2}, _TEMPORARY, sockets_die=handler_name is not None)
    reasons += generators.doubts()
    if handler_name is None:
        reasons += generators.drawn()
    if len(printed) > _MOST_PRINTED:
        reasons.append(f"more than {_MOST_PRINTED >> 10} KiB were printed")
    if handler_name is not None:
        ready.logged, printed = printed[:_MOST_PRINTED], ""  # as with a snapshot: what init printed, it printed once
    if reasons:
        refused = RefusedError(reasons)
        refused.printed = ready.logged
        raise refused
    if handler_name is not None:
        ready.credentials.find(environment)
    directory = os.getcwd()
    ready.fill(_difference(environment), printed, held, "" if directory == asked["task_root"] else directory)
    return ready


def _import_packages(modules: list[str]) -> None:
    """Import what belongs to distributions, and what is of the runtime or the standard library."""
    own = _own_places()
    installed = distributions.names_in(own)
    brought = {name for directory in own for name in search.top_level(directory)} - installed
    wanted = [name for name in modules if name.partition(".")[0] not in brought]
    if not any(name.partition(".")[0] in installed for name in wanted):
        raise RefusedError(["init imports no installed distribution"])
    for name in wanted:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as missing:
            if missing.name != name:
                raise RefusedError([f"{name} cannot be imported ahead: {missing}"]) from missing
        except BaseException as error:  # packages may raise anything, SystemExit included
            raise RefusedError([f"{name} cannot be imported ahead: {type(error).__name__}: {error}"]) from error
    strangers = [name for name, top in imports.loaded_from(own).items() if top not in installed]
    if strangers:
        raise RefusedError([f"packages import the function's own module {min(strangers)}"])


def _own_places() -> tuple[str, ...]:
    """The directories on the path that the function and its layers bring."""
    here = os.getcwd()
    return tuple(path for path in sys.path if path == here or path.startswith((f"{here}/", "/opt")))


def _init(name: str, output: _Output) -> handler.Handler:
    try:
        function = handler.find(name)
        hooks.run_before_snapshot()
    except BaseException as error:  # user code may raise anything; no instance would get further, SystemExit included
        failed = InitFailedError(failures.describe(error, ""))
        failures.report(failed.error)
        failed.printed = output.text()[:_MOST_PRINTED]
        raise failed from error
    return function


def _difference(given: Mapping[str, str]) -> dict[str, str | None]:
    """Variables that were changed; None: taken away."""
    now = dict(os.environ)
    changed: dict[str, str | None] = {name: value for name, value in now.items() if given.get(name) != value}
    changed.update({name: None for name in given if name not in now})
    return changed


class _Output:
    """Keeps what is printed, by native code too, so that it is part of every instance's log."""

    def __enter__(self) -> _Output:
        self._file = os.memfd_create("printed", os.MFD_CLOEXEC)
        for descriptor in (1, 2):
            os.dup2(self._file, descriptor)
        return self

    def text(self) -> str:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return os.pread(self._file, _MOST_PRINTED + 1, 0).decode("utf-8", "replace")

    def __exit__(self, *_: object) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        for descriptor in (nowhere, self._file):
            os.close(descriptor)
