"""What stands between one function and everything else, for its page: the layers in force, with their figures.

What a level is made of on this machine is in force in every instance, or there is none; see
docs/discussion/isolation.md.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mayfly.policy import processors
from mayfly.sandbox.wasm import artifacts, limits
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
    """Says what is in force on this machine."""

    def __init__(self, allowed: FunctionLimits, made_of: Callable[[str], Sequence[str]]) -> None:
        """`made_of`: what each level is made of here, as its factory says."""
        self._limits = allowed
        self._made_of = made_of

    def of(self, level: str, sizes: Sizes, runtime: str) -> list[dict[str, Any]]:
        """Layers by name and what each holds back."""
        return [*self._around_wasm(sizes, runtime), *self._of_process(level, sizes)]

    def _around_wasm(self, sizes: Sizes, runtime: str) -> list[dict[str, Any]]:
        """WebAssembly stands between code and its own process, whatever is around that."""
        if runtime != artifacts.NAME:
            return []
        room = f"up to {limits.instance_bytes(sizes.memory_mb, 1) >> 20} MB of memory"
        detail = f"an instance a request, {room}, no files, no network, no system calls"
        return [{"layer": "WebAssembly", "detail": detail}]

    def _of_process(self, level: str, sizes: Sizes) -> list[dict[str, Any]]:
        if level == "process":
            nothing = f"code runs as user id {os.geteuid()}, sees its files and its network, has no limits"
            return [{"layer": "none", "detail": nothing}]
        words = self._made_of(level)
        if level != "namespace":
            return [{"layer": f"{level} {number}", "detail": one} for number, one in enumerate(words, 1)]
        return [{"layer": name, "detail": detail} for name, detail in self._of_namespaces(words, sizes)]

    def _of_namespaces(self, words: Sequence[str], sizes: Sizes) -> list[tuple[str, str]]:
        allowed = self._limits
        user_namespace = ", user" if "user namespace of its own" in words else ""
        user = next((one for one in words if one.startswith("unprivileged user")), "unprivileged user")
        groups = next((one.partition(":")[0] for one in words if one.startswith("control group")), "")
        own = processors.share(sizes.memory_mb, least=allowed.least_cpus)
        limits = f"{sizes.memory_mb} MB of memory, {_processors(own)}, {allowed.processes} processes"
        return [
            ("namespaces", f"mount, pid, network, ipc, uts, cgroup{user_namespace}"),
            (
                "files",
                f"read-only root, masked /proc, no /sys; own /tmp of {sizes.ephemeral_mb} MB and /dev/shm",
            ),
            ("user", f"an {user}, no capabilities, no_new_privs, no set-uid"),
            ("system calls", "those that are listed, by seccomp"),
            ("control group", f"{groups.partition(', ')[2]}: {limits}" if groups else "none: each process by itself"),
            ("limits", f"{allowed.open_files} open files, no core dumps, locked memory, queues and signals"),
        ]


def _processors(own: float) -> str:
    """The share; what has less than one has one where it keeps nobody waiting."""
    shown = f"{own:.2g} CPU{'' if own == 1 else 's'}"
    return shown if own >= processors.AT_START else f"{shown} (1 for init and short calls)"
