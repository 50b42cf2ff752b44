"""A privileged process of ours, and the messages between it and the event loop: the agent, or a supervisor.

Messages are sent in their order, now or as soon as the process reads, and handed over as they come. What they mean is
`agent_client`'s.
"""

import asyncio
import collections
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mayfly.sandbox import interpreters, parcel
from mayfly.sandbox.agent import channel

_PROGRAM = (
    "import sys, importlib; sys.path.insert(0, sys.argv[1]); "
    "main = importlib.import_module(sys.argv[2]).main; sys.path.pop(0); "
    "main(int(sys.argv[3]), sys.argv[4], *sys.argv[5:])"
)
_END_S = 15.0
# What the agent does for every sandbox; it makes none without.
LAYERS = (
    "namespaces (mount, pid, network, ipc, uts, cgroup)",
    "read-only root file system",
    "unprivileged user",
    "no capabilities",
    "no_new_privs",
    "seccomp",
    "cgroup limits",
)


class Entry(NamedTuple):
    """A privileged program that speaks the agent's messages, and what it does for every sandbox."""

    module: str  # whose `main` is called, with a descriptor, a directory and the arguments
    arguments: tuple[str, ...]
    layers: tuple[str, ...]


AGENT = Entry("mayfly.sandbox.agent.main", (), LAYERS)


class AgentProcess:
    """One process, from before there is an event loop."""

    def __init__(self, directory: Path, entry: Entry) -> None:
        self.layers = entry.layers  # what is in force in every sandbox; the process may say otherwise
        self.dead = False
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            python = str(interpreters.current().path)
            source = str(parcel.source())
            arguments = [source, entry.module, str(theirs.fileno()), str(directory), *entry.arguments]
            self.child = subprocess.Popen(
                [python, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
                env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            )
        mine.setblocking(False)
        self._channel = mine
        self._outbox: collections.deque[tuple[dict[str, Any], list[int]]] = collections.deque()
        self._hear: Callable[[dict[str, Any], list[int]], None] = lambda message, descriptors: None
        self._lost: Callable[[], None] = lambda: None

    def listen(self, hear: Callable[[dict[str, Any], list[int]], None], lost: Callable[[], None]) -> None:
        """On the running loop: `hear` gets each message and its descriptors; `lost` is called when none will come."""
        self._hear, self._lost = hear, lost
        asyncio.get_running_loop().add_reader(self._channel, self._readable)

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Send, now or as soon as the agent reads; the descriptors are closed then. To a dead agent: nothing."""
        if self.dead:
            close_all(descriptors)
            return
        self._outbox.append((message, descriptors))
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._outbox:
            message, descriptors = self._outbox[0]
            try:
                channel.send(self._channel, message, descriptors)
            except BlockingIOError:
                loop.add_writer(self._channel, self._flush)
                return
            except ConnectionError:
                return  # reading will tell
            self._outbox.popleft()
            close_all(descriptors)
        loop.remove_writer(self._channel)

    def _readable(self) -> None:
        for _ in range(64):  # let others have their turn
            try:
                received = channel.receive(self._channel)
            except BlockingIOError:
                return
            except ConnectionError:
                received = None
            if received is None:
                self._lost()
                return
            self._hear(*received)

    def drop(self) -> None:
        """It is gone: what was not sent never will be."""
        self.dead = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._channel)
        loop.remove_writer(self._channel)
        self._channel.close()
        for _, descriptors in self._outbox:
            close_all(descriptors)
        self._outbox.clear()

    def reap(self) -> None:
        """Bury it, killed if it does not end by itself. Blocks."""
        try:
            self.child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def close_all(descriptors: list[int]) -> None:
    """Close each of them."""
    for descriptor in descriptors:
        os.close(descriptor)
