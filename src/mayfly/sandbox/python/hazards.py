"""What a process has that instances forked from it must not share; each hazard is a sentence that names it.

A fork copies memory. It does not copy threads, and it shares everything that the kernel keeps: sockets, pipes, open
files with their offsets, shared memory. A process that has any of these cannot be a template. Two are made harmless
instead: threads that end by themselves around a fork and come back on demand (the pools of OpenBLAS, behind NumPy and
SciPy), and files open for reading, which every instance opens anew.
"""

from __future__ import annotations

import os
import stat
import threading
import warnings

# What may be open: the standard streams and what the template's own code keeps (`kept`).
_HARMLESS_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9)}  # null, zero, full, random, urandom
_MOST_NAMED = 5


def find(kept: frozenset[int], temporary: tuple[str, ...], sockets_die: bool) -> tuple[list[str], list[int], list[int]]:
    """Why this process cannot be shared; files open for reading; sockets, which are a hazard unless `sockets_die`."""
    reasons = [*_children(), *_threads(), *_shared_memory(), *_files_in(temporary)]
    reading: list[int] = []
    sockets: list[int] = []
    for descriptor in _descriptors():
        if descriptor in kept:
            continue
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue  # it was the listing's own
        if stat.S_ISSOCK(mode) and sockets_die:
            sockets.append(descriptor)
        elif reason := _hazard(descriptor, mode):
            reasons.append(reason)
        elif stat.S_ISREG(mode):
            reading.append(descriptor)
    return reasons, reading, sockets


def _descriptors() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc/self/fd"))


def _hazard(descriptor: int, mode: int) -> str:
    """Why a descriptor cannot be shared; empty when it can."""
    target = os.readlink(f"/proc/self/fd/{descriptor}")
    if stat.S_ISSOCK(mode):
        return f"a socket is open (descriptor {descriptor})"
    if stat.S_ISFIFO(mode):
        return f"a pipe is open (descriptor {descriptor})"
    if target.startswith("anon_inode:"):
        return f"{target[11:].strip('[]')} is open (descriptor {descriptor})"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        device = os.fstat(descriptor).st_rdev
        if (os.major(device), os.minor(device)) in _HARMLESS_DEVICES:
            return ""
        what = "a CUDA device" if target.startswith("/dev/nvidia") else "a device"
        return f"{what} is open: {target}"
    if stat.S_ISREG(mode) and not target.startswith("/"):
        return f"a namespace is open: {target}"
    if stat.S_ISREG(mode) and _access(descriptor) != os.O_RDONLY:
        return f"a file is open for writing: {target}"
    return ""


def _access(descriptor: int) -> int:
    with open(f"/proc/self/fdinfo/{descriptor}") as file:
        for line in file:
            if line.startswith("flags:"):
                return int(line.split()[1], 8) & os.O_ACCMODE
    return os.O_RDWR


def _children() -> list[str]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    return ["it has child processes"]


def _threads() -> list[str]:
    """Fork once for nothing: libraries that know about forks end their threads for it. The others are a hazard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns about exactly what is being tried here
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    left = [int(name) for name in os.listdir("/proc/self/task") if int(name) != threading.main_thread().native_id]
    left = [number for number in left if number != os.getpid()]
    if not left:
        return []
    known = {thread.native_id: thread.name for thread in threading.enumerate()}
    names = sorted({known.get(number) or _name_of(number) for number in left})[:_MOST_NAMED]
    return [f"{len(left)} threads are alive: {', '.join(names)}" if len(left) > 1 else f"a thread is alive: {names[0]}"]


def _name_of(number: int) -> str:
    try:
        with open(f"/proc/self/task/{number}/comm") as file:
            return f"{file.read().strip()} (of native code)"
    except OSError:
        return "one that just ended"


def _shared_memory() -> list[str]:
    reasons = []
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split(None, 5)
            if fields[1][1] == "w" and fields[1][3] == "s":
                reasons.append(f"memory is shared for writing: {fields[5].strip() if len(fields) > 5 else 'anonymous'}")
    return reasons[:_MOST_NAMED]


def _files_in(directories: tuple[str, ...]) -> list[str]:
    """What was written to places that an instance finds empty: whoever wrote it remembers that it is there."""
    reasons = []
    for directory in directories:
        names = sorted(os.listdir(directory))[:_MOST_NAMED]
        if names:
            reasons.append(f"files were written to {directory}: {', '.join(names)}")
    return reasons
