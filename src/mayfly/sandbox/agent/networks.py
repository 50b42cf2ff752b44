"""Sockets in the networks of instances. A socket belongs to the network in which it is made, whoever uses it later.

Called by `instances`. This process has one thread: while it is in another network, nothing else of it runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Sequence

from mayfly.sandbox.agent import kernel, powers

_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_BACKLOG = 64


class Networks:
    """Makes them, and remembers the way home."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def sockets(self, pidfd: int, count: int) -> list[socket.socket]:
        """TCP sockets in the network of the process that `pidfd` refers to. OSError."""
        with self._within(pidfd) as made:
            made += (_unused(socket.SOCK_STREAM) for _ in range(count))
        return made

    def listeners(self, pidfd: int, places: Sequence[tuple[str, str, int]]) -> list[socket.socket]:
        """Sockets in that network that hear what is sent to each of `places`: "tcp" or "udp", an address and a port.

        An address that is not of the loopback network becomes one of the loopback interface there, so that what is
        sent to it goes nowhere else. OSError.
        """
        with self._within(pidfd) as made:
            for kind, address, port in places:
                made.append(_unused(socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM))
                if not address.startswith("127."):
                    _adopt(made[-1], address)
                # Without it, a port is taken for a minute by connections that were closed.
                made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == "tcp"))
                made[-1].bind((address, port))
                if kind == "tcp":
                    made[-1].listen(_BACKLOG)
        return made

    @contextlib.contextmanager
    def _within(self, pidfd: int) -> Iterator[list[socket.socket]]:
        """In the network of a process, with a list of sockets that are closed again when something fails."""
        powers.enter(pidfd, kernel.CLONE_NEWNET)
        made: list[socket.socket] = []
        try:
            yield made
        except OSError:
            for one in made:
                one.close()
            raise
        finally:
            self._return()

    def _return(self) -> None:
        try:
            powers.enter(self._home, kernel.CLONE_NEWNET)
        except OSError as error:
            raise RuntimeError("the agent is lost in a sandbox's network") from error  # it must not go on there


def _unused(kind: int) -> socket.socket:
    return socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)


def _adopt(one: socket.socket, address: str) -> None:
    """Give the loopback interface of a socket's network another address, and no more than that address."""
    number = socket.inet_aton(address)
    alias = f"lo:{number.hex()}".encode()
    for request, value in ((_SIOCSIFADDR, number), (_SIOCSIFNETMASK, b"\xff" * 4)):
        fcntl.ioctl(one, request, struct.pack("16sHH4s8x", alias, socket.AF_INET, 0, value))
