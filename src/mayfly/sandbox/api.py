"""A sandbox as the engine sees it: one isolated process tree with a control socket and an output pipe.

`agent` (namespaces, the default on Linux) and `process` (development only) implement `SandboxFactory`; both pass the
contract suite in `tests/sandbox`. A sandbox is started with a managed runtime already in it, or with an executable;
the frames of `sandbox.frames` travel over its control socket.

Contract. `start` returns a sandbox that runs, or raises and leaves nothing behind. `kill` and `discard` may be called
at any time, any number of times, in any order; `exited` resolves exactly once, whoever ended the sandbox, and all
later calls answer the same. When it has resolved, no process of the sandbox is alive; when `discard` has returned,
its mounts, cgroups, descriptors and scratch space are gone too. Death of the factory's process ends every sandbox.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from mayfly.errors import PlatformError


class SandboxUnavailableError(PlatformError):
    """This machine, or this user, cannot give the level that was asked for. The message names what is missing."""


class SandboxStartError(PlatformError):
    """The sandbox could not be made this time; the message says at which step and why."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python found on this machine."""

    version: tuple[int, int, int]
    path: Path  # the real executable, no shim, no virtual environment
    prefix: Path  # its installation: standard library included


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What to start. Host paths are read-only inside."""

    runtime: str  # which template: "python3.11"
    code: Path  # becomes /var/task
    layers: tuple[Path, ...] = ()  # merged, in order, under /opt
    memory_mb: int = 128
    ephemeral_mb: int = 512  # size of /tmp
    processes: int = 1024
    open_files: int = 1024
    cpus: float = 1.0
    label: str = ""  # for people: shows in process titles; [A-Za-z0-9_-]{0,32}


@dataclass(frozen=True, slots=True)
class Exit:
    """How a sandbox ended."""

    reason: Literal["exited", "signaled", "out-of-memory", "killed"]  # "killed": by `kill` or `discard`
    code: int  # exit status, or the signal's number
    peak_memory_bytes: int


class Sandbox(Protocol):
    """One running sandbox."""

    @property
    def id(self) -> str: ...

    @property
    def control(self) -> socket.socket:
        """The server's end of the framed stream; non-blocking. The caller owns it from `start` on."""

    @property
    def output(self) -> int:
        """Read end of the pipe that is the sandbox's stdout and stderr; non-blocking. The caller owns it."""

    @property
    def endpoint(self) -> socket.socket | None:
        """A listening socket at 127.0.0.1:4566 *inside* the sandbox; None where it shares the host's network."""

    async def exited(self) -> Exit:
        """Wait for the end."""

    def peak_memory(self) -> int:
        """The most memory used so far, in bytes. Asked after every call: at most one small read, no round trip."""

    def kill(self) -> None:
        """End every process of the sandbox now."""

    async def discard(self) -> Exit:
        """`kill`, wait, and give back everything it used."""


class SandboxFactory(Protocol):
    """Makes sandboxes at one level of isolation."""

    @property
    def level(self) -> str:
        """The level's name: "namespace" or "process"."""

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        """Start the template of a runtime, so that `start` is fast. Idempotent; `start` needs it done."""

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """A running sandbox whose runtime waits for its first frame; `SandboxStartError`."""

    async def close(self) -> None:
        """Discard every sandbox and template."""
