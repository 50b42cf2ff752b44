"""One instance that is forked from a shared template: its room, its process, and how both end.

    room ──► empty ──► told ──► forking ──► running ──► ending ──► gone

*Room*: the keeper makes its namespaces. *Empty*: they are ready. *Told*: the shared template has them, and stands in
the control group, so that a fork is all that is left to do. *Forking*: it was asked for a process. *Running*: the
process is in the room. *Ending*: its processes are being killed. The room's process is trusted and pid 1 of the
namespaces: when it ends, all in them end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import Any, NamedTuple

from mayfly.sandbox.agent import cgroups

ROOM, EMPTY, TOLD, FORKING, RUNNING, ENDING = STAGES = ("room", "empty", "told", "forking", "running", "ending")


class Request(NamedTuple):
    """An instance that the server asked for."""

    name: str
    ahead: bool  # nobody waits for it
    descriptors: list[int]  # control socket, output pipe


class Lodger:
    """State and descriptors; `nests` decides."""

    def __init__(self, number: int, group: cgroups.Group) -> None:
        self.number = number
        self.stage = ROOM
        self.group = group
        self.peak = group.open_peak()
        self.memory_event = group.watch_memory()
        self.freezer = group.open_freezer()  # until the server has it
        self.request: Request | None = None
        self.endpoint = -1
        self.namespaces: list[int] = []
        self.fork_socket: socket.socket | None = None
        self.room_pidfd = -1
        self.pid = 0
        self.pidfd = -1
        self.status: int | None = None  # of the process, once it is buried
        self.room_ended = False
        self.killed = False
        self.out_of_memory = False

    @property
    def name(self) -> str:
        return self.request.name if self.request is not None else ""

    @property
    def ended(self) -> bool:
        """Whether no process of it is left."""
        return (self.pidfd < 0 or self.status is not None) and (self.room_pidfd < 0 or self.room_ended)

    def kill(self) -> None:
        """End its processes, those of the room first: nothing is born in it any more."""
        for pidfd in (self.room_pidfd, self.pidfd):
            if pidfd >= 0:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        if not self.ended:
            self.group.kill()

    def exit_message(self) -> dict[str, Any]:
        """How it ended, as `channel.EXITED` tells it."""
        status = self.status if self.status is not None else signal.SIGKILL
        if os.WIFSIGNALED(status):
            reason, code = "signaled", os.WTERMSIG(status)
        else:
            reason, code = "exited", os.WEXITSTATUS(status)
        if self.killed and reason == "signaled":
            reason = "killed"
        elif self.out_of_memory or self.group.ran_out_of_memory():
            reason, code = "out-of-memory", signal.SIGKILL
        return {"reason": reason, "code": int(code), "peak": cgroups.read_peak(self.peak)}

    def close_descriptors(self) -> None:
        """Give back what is open; the group is the caller's."""
        if self.fork_socket is not None:
            self.fork_socket.close()
            self.fork_socket = None
        if self.request is not None:
            close_all(self.request.descriptors)
        rest = [self.peak, self.memory_event, self.endpoint, self.room_pidfd, self.pidfd]
        close_all([descriptor for descriptor in rest if descriptor is not None and descriptor >= 0])
        for several in (self.namespaces, self.freezer):
            close_all(several)


def close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
    descriptors.clear()


def doors(group: cgroups.Group) -> list[int]:
    """Descriptors of the files by which the writer enters a group: what is unprivileged can use them as well."""
    opened = []
    for entrance in group.entrances():
        if os.path.isdir(f"/proc/self/fd/{entrance}"):
            opened.append(os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=entrance))
            os.close(entrance)
        else:
            opened.append(entrance)
    return opened
