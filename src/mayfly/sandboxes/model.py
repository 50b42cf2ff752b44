"""What a sandbox is asked for, what is known of one, and what may be wrong with a request. Values only."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from mayfly.errors import CallerError
from mayfly.policy import egress

MOST_LABEL = 32
MOST_IMPORTS = 100
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_LABEL = re.compile(r"[A-Za-z0-9_-]{0,32}")


class SandboxRefusedError(CallerError):
    """A request makes no sense, or asks for more than there is; the message says what."""


class SandboxMissingError(CallerError):
    """There is no such sandbox, process or snapshot."""


class SandboxEndedError(CallerError):
    """The sandbox has ended, and its processes with it; the message says how."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A sandbox to make, of an image, of a snapshot, or of the machine's own programs."""

    image: str | None = None  # a reference, as functions name images
    snapshot: str | None = None  # the id of one: its files, and whatever its sandbox was made of
    # A function of Python, named as in calls: its package is at /var/task, and `python` is its runtime's.
    function: str | None = None
    imports: tuple[str, ...] = ()  # modules of that package that every `python` has loaded already
    environment: dict[str, str] = {}  # of every process, unless it says otherwise
    memory_mb: int = 512
    ephemeral_mb: int = 512  # of /tmp
    cpus: float = 1.0
    processes: int = 1024
    level: str | None = None  # of isolation; None: the server's own
    egress: str = "none"  # what it may reach, in the words of `policy.egress`
    lifetime_s: float = 3600.0  # when it is ended, whatever it does
    label: str = ""  # for people

    def check(self, most_memory_mb: int) -> None:
        """`SandboxRefusedError` when it makes no sense."""
        if sum(basis is not None for basis in (self.image, self.snapshot, self.function)) > 1:
            raise SandboxRefusedError("a sandbox is made of an image, a snapshot or a function, and of one of them")
        if self.imports and self.function is None:
            raise SandboxRefusedError("imports are of a function's package; say which function")
        if len(self.imports) > MOST_IMPORTS or not all(map(_MODULE.fullmatch, self.imports)):
            raise SandboxRefusedError(f"imports are up to {MOST_IMPORTS} names of modules")
        bounds = (
            ("memory_mb", self.memory_mb, 32, most_memory_mb),
            ("ephemeral_mb", self.ephemeral_mb, 1, 10_240),
            ("cpus", self.cpus, 0.05, 64),
            ("processes", self.processes, 1, 4096),
            ("lifetime_s", self.lifetime_s, 1, 7 * 86_400),
        )
        for name, value, least, most in bounds:
            if not least <= value <= most:
                raise SandboxRefusedError(f"{name} is {value}; it may be {least} to {most}")
        try:
            egress.parse(self.egress)
        except egress.EgressError as error:
            raise SandboxRefusedError(str(error)) from error
        if _LABEL.fullmatch(self.label) is None:
            raise SandboxRefusedError(f"a label is up to {MOST_LABEL} letters, digits, - and _")
        check_environment(self.environment)


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A process to start in a sandbox."""

    argv: list[str]
    environment: dict[str, str] = {}  # over the sandbox's
    directory: str | None = None  # None: where the image says, or /tmp
    timeout_s: float | None = None  # when it is killed

    def check(self) -> None:
        """`SandboxRefusedError` when it makes no sense."""
        if not self.argv or not self.argv[0]:
            raise SandboxRefusedError("argv names no program")
        if any("\0" in text for text in self.argv):
            raise SandboxRefusedError("argv holds a NUL byte")
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise SandboxRefusedError("timeout_s is more than 0")
        check_environment(self.environment)


class Ending(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a process ended: one of the three is there."""

    code: int | None = None
    signal: int | None = None
    error: str | None = None  # it could not be started, or its sandbox ended first


class Lent(NamedTuple):
    """The package of a function of Python."""

    runtime: str  # as `SandboxSpec` has it
    code: Path
    level: str  # at which the function runs
    keep: Callable[[], contextlib.AbstractContextManager[object]]  # as long as one is entered, the package stays
    layers: tuple[Path, ...] = ()  # as `SandboxSpec` has them


class View(msgspec.Struct, frozen=True):
    """A sandbox at a moment."""

    id: str
    label: str
    state: str  # running, frozen, ended
    reason: str  # why it ended; empty while it lives
    made_of: str  # "image …", "function …" or "this machine", and " with snapshot …"
    level: str
    layers: tuple[str, ...]
    memory_mb: int
    peak_bytes: int
    processes: int  # that run
    created_at: float
    expires_at: float


class Snapshot(msgspec.Struct, frozen=True):
    """The files of a sandbox at a moment, and what it was made of."""

    id: str
    label: str
    wanted: Wanted  # to make one like it
    digest: str  # of the blob: a tar file of /tmp
    size: int
    created_at: float


def check_environment(given: dict[str, str]) -> None:
    """`SandboxRefusedError` when no process could have it."""
    for name, value in given.items():
        if not name or "=" in name or "\0" in name + value:
            raise SandboxRefusedError(f"{name!r} is no variable of an environment")
