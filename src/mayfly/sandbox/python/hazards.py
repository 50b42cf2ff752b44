"""What a process has that instances forked from it must not share, or would miss; each hazard is a sentence.

A fork copies memory. It does not copy threads, timers, children and locks on memory, and it shares everything that the
kernel keeps. A process that has any of these cannot be a template. Some of it is made harmless instead: threads that
end by themselves around a fork and come back on demand (the pools of OpenBLAS, behind NumPy and SciPy), what is open
for reading (`descriptors`), random state (`generators`). docs/discussion/templates.md lists what cannot be noticed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from mayfly.sandbox.python.descriptors import Held, opened

_MOST_NAMED = 5
_PR_GET_CHILD_SUBREAPER = 37
# How long a thread that was joined may take to leave the kernel's list.
_THREAD_LINGERS_S = 0.1
_INTERVAL_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Before(NamedTuple):
    """The process before code of the user ran in it."""

    system_call_filters: str
    keys: frozenset[tuple[str, ...]]  # of System V's shared memory, semaphores and message queues


def look() -> Before:
    return Before(_status().get("Seccomp_filters", ""), _system_v())


def find(
    before: Before, kept: frozenset[int], temporary: tuple[str, ...], *, sockets_die: bool
) -> tuple[list[str], Held]:
    """Why this process cannot be shared, and what instances get of what is open; `kept` is the template's own.

    Sockets are a hazard unless `sockets_die`. `temporary` are directories that an instance finds empty.
    """
    held = Held()
    reasons: list[str] = []
    try:
        for look_for in (_processes, _threads, _timers, _memory, _interpreters, _standing):
            reasons += look_for()
        reasons += _since(before)
        for directory in temporary:
            reasons += _files_in(directory)
        reasons += filter(None, (held.take(number, sockets_die=sockets_die) for number in opened(kept)))
    except (OSError, ValueError, IndexError) as error:  # it made itself undumpable, for instance
        reasons.append(f"what it holds cannot be seen: {error}")
    return reasons, held


def _processes() -> Iterator[str]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        pass
    else:
        yield "it has child processes"
        return
    others = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    if others and os.getpid() != 1:  # in a nest, only what it started itself can be seen
        names = sorted({_read(f"/proc/{pid}/comm") or "one that just ended" for pid in others})[:_MOST_NAMED]
        yield f"processes were left behind: {', '.join(names)}"


def _threads() -> Iterator[str]:
    """Fork once for nothing: libraries that know about forks end their threads for it. The others are a hazard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns about exactly what is being tried here
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    patience = time.monotonic() + _THREAD_LINGERS_S
    while (left := _other_threads()) and not _known(left) and time.monotonic() < patience:
        time.sleep(0.001)
    if left:
        known = _known(left)
        names = sorted({known.get(number) or _native_name(number) for number in left})[:_MOST_NAMED]
        what = f"{len(left)} threads are alive" if len(left) > 1 else "a thread is alive"
        yield f"{what}: {', '.join(names)}"


def _other_threads() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/task") if int(name) != os.getpid()]


def _known(numbers: list[int]) -> dict[int, str]:
    """Names of those that Python knows."""
    return {one.native_id: one.name for one in threading.enumerate() if one.native_id in numbers}


def _native_name(number: int) -> str:
    name = _read(f"/proc/self/task/{number}/comm")
    return f"{name} (of native code)" if name else "one that just ended"


def _timers() -> Iterator[str]:
    if any(signal.getitimer(which)[0] for which in _INTERVAL_TIMERS) or _read("/proc/self/timers"):
        yield "a timer is set"


def _memory() -> Iterator[str]:
    """Mappings that forks share for writing, or do not get at all, and locked memory."""
    if _status().get("VmLck", "0").split()[0] != "0":
        yield "memory is locked"
    shared: dict[str, None] = {}
    missing: dict[str, None] = {}
    with open("/proc/self/smaps") as file:
        for is_shared, name, flags in _mappings(file):
            if is_shared and "mw" in flags:
                shared[name] = None
            if "dc" in flags and not name.startswith("[v"):  # those are the kernel's own
                missing[name] = None
    yield from (f"memory is shared for writing: {name}" for name in list(shared)[:_MOST_NAMED])
    yield from (f"memory is kept from forks: {name}" for name in list(missing)[:_MOST_NAMED])


def _mappings(lines: Iterator[str]) -> Iterator[tuple[bool, str, list[str]]]:
    """From `smaps`: whether it is shared, its name, and its flags, of each mapping."""
    is_shared, name = False, ""
    for line in lines:
        fields = line.split(None, 5)
        if not fields[0].endswith(":"):
            is_shared = fields[1][3] == "s"
            name = fields[5].strip() if len(fields) > 5 else "anonymous"
        elif fields[0] == "VmFlags:":
            yield is_shared, name, line.split()[1:]


def _interpreters() -> Iterator[str]:
    for name in ("_interpreters", "_xxsubinterpreters"):  # from Python 3.13 on, and before
        module: Any = sys.modules.get(name)
        if module is not None and len(module.list_all()) > 1:
            yield "there are other interpreters in the process"


def _standing() -> Iterator[str]:
    """What the kernel knows of a process and does not pass on to its forks."""
    answer = ctypes.c_int(0)
    libc = ctypes.CDLL(None)
    if libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0 and answer.value:
        yield "it adopts processes (PR_SET_CHILD_SUBREAPER)"
    if os.readlink("/proc/self/fd/0") != os.devnull:
        yield "the standard input was replaced"


def _since(before: Before) -> Iterator[str]:
    if _status().get("Seccomp_filters", "") != before.system_call_filters:
        yield "a filter of system calls was installed"
    for kind in sorted({one[0] for one in _system_v() - before.keys}):
        yield f"System V {kind} was made"


def _system_v() -> frozenset[tuple[str, ...]]:
    kinds = {"shm": "shared memory", "sem": "a set of semaphores", "msg": "a message queue"}
    found: set[tuple[str, ...]] = set()
    for name, kind in kinds.items():
        lines = _read(f"/proc/sysvipc/{name}").splitlines()[1:]
        found.update((kind, *line.split()[:2]) for line in lines)
    return frozenset(found)


def _files_in(directory: str) -> Iterator[str]:
    """What was written to a place that an instance finds empty: whoever wrote it remembers that it is there."""
    names = sorted(os.listdir(directory))[:_MOST_NAMED]
    if names:
        yield f"files were written to {directory}: {', '.join(names)}"


def _status() -> dict[str, str]:
    lines = [line.partition(":") for line in _read("/proc/self/status").splitlines()]
    return {name: text.strip() for name, _, text in lines}


def _read(path: str) -> str:
    """The text of a file of /proc; empty where there is none."""
    try:
        with open(path, errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
