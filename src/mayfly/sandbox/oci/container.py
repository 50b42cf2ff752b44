"""What a supervisor holds of one container. `containers` acquires it, and gives it back."""

from __future__ import annotations

import socket

from mayfly.sandbox.agent import cgroups
from mayfly.sandbox.oci import endings


class Container:
    """One container's resources; every attribute is given back when it ends."""

    def __init__(self, name: str, uid: int, group: cgroups.Group, memory_bytes: int, place: str) -> None:
        self.name = name
        self.uid = uid
        self.group = group
        self.memory_bytes = memory_bytes
        self.place = place
        self.peak = group.open_peak()
        self.memory_event = group.watch_memory()
        self.channel: socket.socket | None = None  # to the fork, until that is the runtime
        self.runtime_pid = 0  # of the fork, and of the runtime until it has started the container
        self.pid = 0  # of the container's first process, as this process knows it
        self.pidfd = -1
        self.endpoint: list[int] = []
        # Where the runtime hands over the listener of its filter: a socket that waits, then the connection.
        self.ears: socket.socket | None = None
        self.listener = -1
        self.started = False
        self.error = ""
        self.killed = False
        self.out_of_memory = False
        self.exit: endings.Ending | None = None
        self.peak_bytes = 0
