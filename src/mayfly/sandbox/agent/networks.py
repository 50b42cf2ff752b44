"""Sockets in the networks of instances. A socket belongs to the network in which it is made, whoever uses it later.

Called by `instances`. This process has one thread: while it is in another network, nothing else of it runs.
"""

from __future__ import annotations

import os
import socket

from mayfly.sandbox.agent import kernel, powers


class Networks:
    """Makes them, and remembers the way home."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def sockets(self, pidfd: int, count: int) -> list[socket.socket]:
        """TCP sockets in the network of the process that `pidfd` refers to. OSError."""
        powers.enter(pidfd, kernel.CLONE_NEWNET)
        made: list[socket.socket] = []
        try:
            for _ in range(count):
                made.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))  # noqa: PERF401
        except OSError:
            for one in made:
                one.close()
            raise
        finally:
            self._return()
        return made

    def _return(self) -> None:
        try:
            powers.enter(self._home, kernel.CLONE_NEWNET)
        except OSError as error:
            raise RuntimeError("the agent is lost in a sandbox's network") from error  # it must not go on there
