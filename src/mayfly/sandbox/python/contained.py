"""The first process of a container, whose control socket is its standard input: a launcher, or, by
`contained_function`, the managed runtime.

OCI runtimes hand on the standard streams whatever they are, and most of them nothing else. The `oci` package says how
this is started.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from typing import NoReturn

from mayfly.sandbox.python import launcher

_PR_SET_DUMPABLE = 4


def launch(runtime: str) -> NoReturn:
    """Start programs. Being of this process's user, they must not look into it. `runtime`: the call that runs the
    managed runtime of this file system, in another process."""
    control = take_control()
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    source = sys.argv[1]
    launcher.serve(control, lambda end: _execute(runtime, end, source))


def _execute(runtime: str, control: socket.socket, source: str) -> NoReturn:
    """A runtime takes its control socket from its standard input."""
    os.dup2(control.fileno(), 0)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from mayfly.sandbox.python import contained_function;"
        f" sys.path.pop(0); {runtime}"
    )
    os.execve(sys.executable, [sys.executable, "-I", "-S", "-X", "utf8", "-c", program, source], {})


def take_control() -> socket.socket:
    """The socket, under another number and closed in programs; standard input is empty from here on."""
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.umask(0o022)
    return control
