"""What stands between one function and everything else, for its page: the layers in force, with their figures.

A server runs at the level that it was started with or not at all, so what the level is made of is in force in every
instance; see docs/discussion/isolation.md.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mayfly.sandbox.agent import hierarchy
from mayfly.sandbox.wasm import artifacts, limits
from mayfly.services.functions.engine_targets import cpus
from mayfly.settings import FunctionLimits, Isolation


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one function asked for."""

    memory_mb: int
    ephemeral_mb: int


def level_of(runtime: str, level: Isolation) -> str:
    """The level of a function whose instances are sandboxes of `level`: what is next to its code."""
    return artifacts.NAME if runtime == artifacts.NAME else level


class Layers:
    """Says what is in force at one level on this machine."""

    def __init__(self, level: Isolation, allowed: FunctionLimits, runtime: Sequence[str] = ()) -> None:
        """`runtime`: what the level of an OCI runtime is made of."""
        self.level = level
        self._runtime = runtime
        self._limits = allowed
        self._groups = _groups_version() if level == "namespace" else None

    def of(self, sizes: Sizes, runtime: str) -> list[dict[str, Any]]:
        """Layers by name and what each holds back."""
        return [*self._around_wasm(sizes, runtime), *self._of_process(sizes)]

    def _around_wasm(self, sizes: Sizes, runtime: str) -> list[dict[str, Any]]:
        """WebAssembly stands between code and its own process, whatever is around that."""
        if runtime != artifacts.NAME:
            return []
        room = f"up to {limits.instance_bytes(sizes.memory_mb, 1) >> 20} MB of memory"
        detail = f"an instance a request, {room}, no files, no network, no system calls"
        return [{"layer": "WebAssembly", "detail": detail}]

    def _of_process(self, sizes: Sizes) -> list[dict[str, Any]]:
        if self.level == "process":
            nothing = f"code runs as user id {os.geteuid()}, sees its files and its network, has no limits"
            return [{"layer": "none", "detail": nothing}]
        if self._runtime:
            return [{"layer": f"{self.level} {number}", "detail": one} for number, one in enumerate(self._runtime, 1)]
        allowed = self._limits
        described = (
            ("namespaces", "mount, pid, network, ipc, uts, cgroup"),
            ("files", f"read-only root; /tmp of {sizes.ephemeral_mb} MB and /dev/shm of its own"),
            ("user", "an unprivileged user id, no capabilities, no_new_privs"),
            ("system calls", "filtered by seccomp"),
            (
                "control group",
                f"version {self._groups or 'unknown'}: {sizes.memory_mb} MB of memory, "
                f"{_processors(cpus(sizes.memory_mb))}, {allowed.processes} processes",
            ),
            ("limits", f"{allowed.open_files} open files, no core dumps"),
        )
        return [{"layer": name, "detail": detail} for name, detail in described]


def _processors(count: float) -> str:
    return f"{count:.2g} CPU{'' if count == 1 else 's'}"


def _groups_version() -> int | None:
    try:
        return hierarchy.read_layout().version
    except (OSError, hierarchy.NoControllersError):
        return None
