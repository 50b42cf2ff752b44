"""The first process of a container: the managed runtime, or a launcher, whose control socket is its standard input.

OCI runtimes hand on the standard streams whatever they are, and most of them nothing else. The `oci` package says how
this is started.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import socket
from typing import NoReturn

from mayfly.sandbox.python import bootstrap, launcher

_PR_SET_DUMPABLE = 4


def runtime() -> NoReturn:
    """Run a function."""
    control = _control()
    bootstrap.forget_modules()
    bootstrap.open_output()
    bootstrap.serve(control)


def resident(module: str) -> NoReturn:
    """Run a function by what `module` of ours brings in place of the managed Python runtime: see `agent.residents`."""
    made = importlib.import_module(module).RESIDENT()
    control = _control()
    bootstrap.open_output()
    made.serve(control, {})
    os._exit(1)  # it does not come back


def launch() -> NoReturn:
    """Start programs. Being of this process's user, they must not look into it."""
    control = _control()
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    launcher.serve(control)


def _control() -> socket.socket:
    """The socket, under another number and closed in programs; standard input is empty from here on."""
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.umask(0o022)
    return control
