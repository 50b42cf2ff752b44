"""The first process of a container, whose control socket is its standard input: a launcher, or, by
`contained_function`, the managed runtime.

OCI runtimes hand on the standard streams whatever they are, and most of them nothing else. The `oci` package says how
this is started.
"""

from __future__ import annotations

import ctypes
import os
import socket
from typing import NoReturn

from mayfly.sandbox.python import launcher

_PR_SET_DUMPABLE = 4


def launch() -> NoReturn:
    """Start programs. Being of this process's user, they must not look into it."""
    control = take_control()
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    launcher.serve(control)


def take_control() -> socket.socket:
    """The socket, under another number and closed in programs; standard input is empty from here on."""
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.umask(0o022)
    return control
