"""A program of its own that compiles one file of a package, shut in. Started by `services.functions.code.modules`.

What it reads is hostile, and so, for all we know, is what it writes: see `artifacts`. As root it has the package for
its root directory, no network, no user's rights, and may start nothing; a server that is not root can take away less:
the limits hold, files and network stay.

The current directory is the package. Arguments: the file's path in it, the number of a descriptor for machine code.
Output: the verdict, as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
from typing import BinaryIO

import wasmtime

from mayfly.sandbox.wasm import engine, inspection
from mayfly.sandbox.wasm.artifacts import Verdict

NOBODY = 65534
MOST_MODULE = 128 << 20  # bytes of a file
MOST_CODE = 512 << 20  # bytes of machine code
MEMORY = 4 << 30
CPU_S = 300
_EMPTY = b"\0asm\1\0\0\0"
_NO_NEW_PRIVILEGES = 38
_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x40000000  # mounts, host name, IPC, network


def main(path: str, descriptor: int) -> None:
    """Never raises because of what the file holds."""
    confine()
    # The threads that compile are made before the right to make any goes; they inherit what is confined so far.
    machine = engine.make(parallel=True)
    inspection.verdict(machine, _EMPTY)
    shut_in()
    try:
        with open(path, "rb") as file:  # links of packages stay in them
            found, code = _compiled(machine, file)
    except OSError as error:
        found, code = Verdict(error=_unreadable(error)), b""
    with open(descriptor, "wb") as out:
        out.write(code)
    sys.stdout.buffer.write(found.encoded())
    sys.stdout.buffer.flush()
    os._exit(0)  # wasmtime's threads are not waited for


def _compiled(machine: wasmtime.Engine, file: BinaryIO) -> tuple[Verdict, bytes]:
    data = file.read(MOST_MODULE + 1)
    if len(data) > MOST_MODULE:
        return Verdict(error=f"is larger than {MOST_MODULE >> 20} MiB"), b""
    found, code = inspection.verdict(machine, data)
    if len(code) > MOST_CODE:
        return Verdict(error=f"becomes more than {MOST_CODE >> 20} MiB of machine code"), b""
    return found, code


def _unreadable(error: OSError) -> str:
    return "is not in the package" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"


def confine() -> None:
    """What concerns a thread and those that it makes."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when the machine runs out of memory, this goes first
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        libc.unshare(_NEW_NAMESPACES)  # in a container that may not, the rest holds
        os.chroot(".")
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def shut_in() -> None:
    """What concerns the process: ids, which the C library changes for all threads, and limits."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_CODE, MOST_CODE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
