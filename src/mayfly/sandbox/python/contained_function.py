"""A runtime of functions as the first process of a container; see `contained`, which does without what this imports."""

from __future__ import annotations

import importlib
import os
import socket
import sys
from typing import NoReturn

from mayfly.sandbox.node import launch
from mayfly.sandbox.python import bootstrap, contained


def run() -> NoReturn:
    """Run a function in Python."""
    control = contained.take_control()
    bootstrap.forget_modules()
    bootstrap.open_output()
    bootstrap.serve(control)


def node() -> NoReturn:
    """Become a Node.js with the function that it is to run."""
    control = contained.take_control()
    if control.fileno() != launch.CONTROL:
        os.dup2(control.detach(), launch.CONTROL)
        control = socket.socket(fileno=launch.CONTROL)
    launch.with_function(control, launch.INSIDE)


def resident(path: list[str], module: str) -> NoReturn:
    """Run a function by what `module` of ours, found on `path`, brings in place of the managed Python runtime: see
    `agent.residents`."""
    sys.path += path
    made = importlib.import_module(module).RESIDENT()
    control = contained.take_control()
    bootstrap.open_output()
    made.serve(control, {})
    os._exit(1)  # it does not come back
