"""Node.js as an ordinary process, without a sandbox: how the `process` level starts it."""

from __future__ import annotations

import os
import signal
import socket
from typing import NoReturn

from mayfly.sandbox.node import launch


def main(descriptor: int, lifeline: int, node: str, bootstrap: list[str]) -> NoReturn:
    """Become the Node.js that speaks over `descriptor`.

    `lifeline` is the read end of a pipe that the server holds open: when it closes, the server is dead, and the whole
    process group goes, whatever the function is doing. A child watches it.
    """
    if os.fork() == 0:
        os.close(descriptor)
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)
    os.close(lifeline)
    os.umask(0o022)
    if descriptor != launch.CONTROL:
        os.dup2(descriptor, launch.CONTROL)
        os.close(descriptor)
    launch.with_function(socket.socket(fileno=launch.CONTROL), launch.Program(node, tuple(bootstrap)))
