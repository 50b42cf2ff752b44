"""The duty of pid 1: bury processes whose parents died, without taking from the function what it waits for itself.

A child that the function started is its own to wait for (`subprocess`, `multiprocessing`, `os.fork`); any other dead
child of this process was adopted when its parent died. To tell the two apart, the ways in which Python starts
processes are noted. What native code starts by itself, and does not wait for, counts as adopted.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

try:
    import _posixsubprocess
except ImportError:  # not CPython on POSIX; then there is nothing to watch
    _posixsubprocess = None  # type: ignore[assignment]


class _Own:
    """Process ids that the function started and may wait for."""

    ids: set[int]


def _noting(start: Callable[..., Any], own: set[int]) -> Callable[..., Any]:
    def started(*arguments: Any, **options: Any) -> Any:
        result = start(*arguments, **options)
        pid = result[0] if isinstance(result, tuple) else result
        if pid > 0:
            own.add(pid)
        return result

    return started


def watch() -> None:
    """Note from now on which processes the function starts; only as pid 1, which alone adopts. Idempotent."""
    if os.getpid() != 1 or hasattr(_Own, "ids"):
        return
    own: set[int] = set()
    _Own.ids = own
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(os, name, _noting(getattr(os, name), own))
    for module, name in ((_posixsubprocess, "fork_exec"), (subprocess, "_fork_exec")):
        if hasattr(module, name):
            setattr(module, name, _noting(getattr(module, name), own))


class Adopted:
    """Buries them, but not after every call of many: asking costs as much as a small call does.

    A call that starts processes takes longer than `LONG_S`.
    """

    EVERY_S = 0.05
    LONG_S = 0.001

    def __init__(self) -> None:
        self._next_at = 0.0

    def reap_now_and_then(self, began_at: float) -> None:
        """After calls that began at `began_at`, in monotonic seconds."""
        now = time.monotonic()
        if now >= self._next_at or now - began_at > self.LONG_S:
            self._next_at = now + self.EVERY_S
            reap_adopted()


def reap_adopted() -> None:
    """Bury the dead among the adopted; does not block."""
    own: set[int] | None = getattr(_Own, "ids", None)
    if own is None:
        return
    children = _children()
    if children:
        own.intersection_update(children)  # numbers are used again
    for pid in children:
        if pid not in own:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _children() -> list[int]:
    """The children of this process, dead ones included."""
    try:
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return []  # the usual case, for the price of one call: nobody is dead
        with open("/proc/self/task/1/children") as file:
            return [int(pid) for pid in file.read().split()]
    except (ChildProcessError, OSError):
        return []
