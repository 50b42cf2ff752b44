"""What lives in a template and serves in its clones: the managed Python runtime, or what a module of ours brings."""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, Optional, Protocol

from mayfly.sandbox.agent import isolate
from mayfly.sandbox.python import bootstrap, preload, rehearsal


class Resident(Protocol):
    """Made before the template leaves the host's file system."""

    def load(self, runtime: str) -> list[str]:
        """Once, within the file system of functions: load what clones have in common. `runtime` is the directory of
        packages; what could not be loaded of them."""

    def rehearse(self, directory: str) -> None:
        """In the template, many times: what clones do, without effect. `directory` is empty."""

    def warm(self, directory: str) -> None:
        """In a clone that has time: the same."""

    def serve(self, control: socket.socket, request: Mapping[str, Any]) -> NoReturn:
        """In a clone: speak to the server until the end. `request` is what the agent was asked for."""


class Python:
    """The managed Python runtime."""

    def load(self, runtime: str) -> list[str]:
        preload.load_all(runtime)
        return preload.missing()

    def rehearse(self, directory: str) -> None:
        rehearsal.rehearse(directory)

    def warm(self, directory: str) -> None:
        rehearsal.warm(directory)

    def serve(self, control: socket.socket, request: Mapping[str, Any]) -> NoReturn:
        waits = isolate.TASK_ROOT if request["ahead"] and not request["program"] else ""
        bootstrap.serve(control, waits=waits)


def of(described: Optional[Mapping[str, Any]]) -> Resident:  # noqa: UP045 (evaluated on Python 3.9 too)
    """`described`: None for Python; else `module`, whose `RESIDENT` makes one, and `path`, where that and all that it
    imports is found."""
    if described is None:
        return Python()
    before = sys.path[:]
    sys.path += described["path"]
    try:
        resident: Resident = importlib.import_module(described["module"]).RESIDENT()
    finally:
        sys.path[:] = before
    return resident
