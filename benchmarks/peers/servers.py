"""Servers that a user keeps running, a process tree a function, and that know neither instances nor scaling to zero."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import sources
from benchmarks.peers.exchange import first_reply, once
from benchmarks.peers.processes import process
from benchmarks.peers.subject import KINDS, Kind, Subject, Target
from benchmarks.platform import free_port


@dataclass(frozen=True)
class Launch:
    """How a server of one function is started on a port."""

    command: Callable[[Kind, int], list[str | Path]]
    kinds: tuple[Kind, ...] = KINDS
    variables: Mapping[str, str] | None = None


@contextmanager
def servers(launch: Launch, home: Path) -> Iterator[Subject]:
    """A server of hello, and more as they are asked for."""
    with ExitStack() as stack:
        subject = _Servers(launch, home, stack)
        first_reply(subject.target())
        yield subject


class _Servers:
    def __init__(self, launch: Launch, home: Path, stack: ExitStack) -> None:
        self._launch, self._home, self._stack = launch, home, stack
        self._port = free_port()
        self._start("hello", self._port, stack)

    def target(self) -> Target:
        return _target("hello", self._port)

    def cold(self, kind: Kind) -> float | None:
        if kind not in self._launch.kinds:
            return None
        port = free_port()
        with ExitStack() as stack:
            began = time.perf_counter()
            self._start(kind, port, stack)
            first_reply(_target(kind, port))
            return (time.perf_counter() - began) * 1000

    def add(self, kind: Kind, count: int) -> int:
        if kind not in self._launch.kinds:
            return 0
        for _ in range(count):
            port = free_port()
            self._start(kind, port, self._stack)
            first_reply(_target(kind, port))
            once(_target(kind, port))
        return count

    def _start(self, kind: Kind, port: int, stack: ExitStack) -> None:
        command = self._launch.command(kind, port)
        stack.enter_context(process(command, self._home / "server.log", self._launch.variables, self._home))


def _target(kind: Kind, port: int) -> Target:
    return Target(port, sources.get(port), sources.ANSWERS[kind].encode())
