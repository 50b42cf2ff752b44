"""OCI runtimes: which program gives which level, how it is called, and what it puts between a function and the machine.

Standard library only: the server and the supervisor use it. Pure but for `locate`, which looks for programs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from mayfly.sandbox.api import SandboxUnavailableError

CONTAINER, GVISOR = "container", "gvisor"
KNOWN = (GVISOR, CONTAINER)  # what every installation knows; others are configured
_PACKAGES = {
    "crun": "crun (Debian and Fedora: crun)",
    "runsc": "runsc (Debian: runsc, or gVisor's own apt repository)",
}
# Of gVisor's platforms, the fastest first; which of them a machine can give is found out by trying.
PLATFORMS = ("systrap", "ptrace")
_MEMORY_OF_GVISOR_MB = 64  # of its kernel and file server, beside the function's own
_THREADS_OF_GVISOR = 256
# A runtime runs in a user namespace with these ids, both of them unprivileged outside.
RUNTIME_ID, FUNCTION_ID = 0, 1051
_SHARED = (
    "mount, pid, ipc and uts namespaces",
    "network namespace with loopback only",
    "user namespace with two unprivileged ids",
    "read-only file system",
    "no capabilities",
    "no new privileges",
    "control groups: memory, cpu, processes",
)


class Runtime(NamedTuple):
    """One runtime, as it is called for one level."""

    level: str
    program: str  # its path
    options: tuple[str, ...] = ()  # before the subcommand
    family: str = "other"  # "crun", "runc", "runsc", "other"
    privileged: bool = False  # it runs as the host's root, for want of another way

    @property
    def has_own_kernel(self) -> bool:
        """Whether a function's system calls are answered by the runtime, and not by the machine's kernel."""
        return self.family == "runsc"

    @property
    def memory_mb(self) -> int:
        """What it needs for itself for as long as a container runs."""
        return _MEMORY_OF_GVISOR_MB if self.has_own_kernel else 0

    @property
    def threads(self) -> int:
        return _THREADS_OF_GVISOR if self.has_own_kernel else 0

    @property
    def layers(self) -> tuple[str, ...]:
        """What is in force, for people; the outermost last."""
        shared = tuple(one for one in _SHARED if not (self.privileged and one.startswith("user")))
        if self.has_own_kernel:
            platform = next((part.partition("=")[2] for part in self.options if part.startswith("--platform=")), "")
            return (f"gVisor's kernel in user space ({platform or 'its own choice of platform'})", *shared)
        return (f"container by {Path(self.program).name}", "system call filter (seccomp)", *shared)


def family_of(program: str) -> str:
    """What kind of runtime a program is, by its name."""
    name = Path(program).name
    return name if name in {"crun", "runc", "runsc"} else "other"


def made(level: str, program: str, options: tuple[str, ...] = ()) -> Runtime:
    """A runtime with the options that its kind needs here: the limits are the platform's own control group around it,
    so it is told to leave groups alone."""
    family = family_of(program)
    needed = {
        "crun": ("--cgroup-manager=disabled",),
        "runsc": ("--network=host", "--ignore-cgroups"),
    }.get(family, ())
    return Runtime(level, program, (*needed, *options), family)


def locate(level: str, path: str) -> Runtime:
    """The runtime of a level that every installation knows, on a search path like $PATH; `SandboxUnavailableError`."""
    for name in {CONTAINER: ("crun", "runc"), GVISOR: ("runsc",)}[level]:
        found = shutil.which(name, path=path)
        if found is not None:
            return made(level, os.path.realpath(found) if name == os.path.basename(os.path.realpath(found)) else found)
    package = _PACKAGES["runsc" if level == GVISOR else "crun"]
    raise SandboxUnavailableError(f"the level {level!r} needs {package}, which is not installed")


def candidates(runtime: Runtime) -> tuple[Runtime, ...]:
    """The same runtime in each way in which it may work on this machine, the best first. One that is not known here
    may need more than a user namespace gives."""
    if runtime.family == "other":
        return (runtime, runtime._replace(privileged=True))
    if not runtime.has_own_kernel or any(option.startswith("--platform") for option in runtime.options):
        return (runtime,)
    return tuple(runtime._replace(options=(f"--platform={platform}", *runtime.options)) for platform in PLATFORMS)
