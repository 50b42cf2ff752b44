"""The runtime as a process of its own, without a template: how the `process` level starts it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from typing import NoReturn

from mayfly.sandbox.python import bootstrap, search


def main(descriptor: int, lifeline: int, runtime: str, layers: list[str]) -> NoReturn:
    """Speak over `descriptor`; find packages in `runtime` and `layers`, the first one first.

    `lifeline` is the read end of a pipe that the server holds open: when it closes, the server is dead, and the whole
    process group goes, whatever the function is doing.
    """
    os.set_inheritable(lifeline, False)
    threading.Thread(target=_follow, args=(lifeline,), name="lifeline", daemon=True).start()
    bootstrap.forget_modules()
    bootstrap.open_output()
    sys.argv[:] = [""]
    os.umask(0o022)
    bootstrap.serve(socket.socket(fileno=descriptor), search.Places(tuple(layers), runtime))


def _follow(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)
