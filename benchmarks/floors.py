"""Floors: the least that the operating system and the HTTP server under Mayfly cost, measured in the same run."""

import ctypes
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.platform import free_port

_NAMESPACES = 0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000  # mount, UTS, IPC, PID, network
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}

_LOADED = """
import sys; sys.path[:0] = sys.argv[1:3]
import pandas
from benchmarks.floors import fork_with_namespaces_ms
print(fork_with_namespaces_ms(30, float(sys.argv[3])))
"""


def fork_with_pandas_ms(packages: Path, pause_s: float = 0.0) -> float:
    """The same, from a process that has imported pandas out of `packages`. Needs root."""
    arguments = [sys.executable, "-c", _LOADED, str(packages), str(Path(__file__).parents[1]), str(pause_s)]
    return float(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def import_ms(packages: Path, rounds: int = 5) -> float:
    """Median time of a bare `python -c "import pandas"`."""
    samples = []
    for _ in range(rounds):
        began = time.perf_counter()
        program = f"import sys; sys.path.insert(0, {str(packages)!r}); import pandas"
        subprocess.run([sys.executable, "-c", program], check=True)
        samples.append((time.perf_counter() - began) * 1000)
    return statistics.median(samples)


def fork_with_namespaces_ms(rounds: int = 60, pause_s: float = 0.0) -> float:
    """Median time until a child, forked by one `clone()` with new namespaces, answers over a pipe. Needs root.

    `pause_s` before each: what was not touched for a while is no longer in the caches, which doubles the time here.
    """
    samples = []
    for _ in range(rounds):
        reading, writing = os.pipe()
        time.sleep(pause_s)
        began = time.perf_counter()
        pid = _clone_with_namespaces()
        if pid == 0:
            os.write(writing, b"x")
            os._exit(0)
        os.read(reading, 1)
        samples.append((time.perf_counter() - began) * 1000)
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)
    return statistics.median(samples)


_MODULE = "import os\n\ndef handler(event, context):\n    return 'hello'\n"


def waiting_fork_ms(rounds: int = 60, pause_s: float = 0.0) -> float:
    """Median time until a child that was forked ahead, and slept for `pause_s`, has run a small module and answered.
    Needs root."""
    samples = []
    for _ in range(rounds):
        asking, asked = os.pipe(), os.pipe()
        pid = _clone_with_namespaces()
        if pid == 0:
            os.read(asking[0], 1)
            exec(compile(_MODULE, "floor", "exec"), {"__name__": "floor"})
            os.write(asked[1], b"x")
            os._exit(0)
        time.sleep(pause_s)
        began = time.perf_counter()
        os.write(asking[1], b"x")
        os.read(asked[0], 1)
        samples.append((time.perf_counter() - began) * 1000)
        os.waitpid(pid, 0)
        for descriptor in (*asking, *asked):
            os.close(descriptor)
    return statistics.median(samples)


def _clone_with_namespaces() -> int:
    """0 in the child."""
    libc = ctypes.CDLL(None, use_errno=True)
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = libc.syscall(_SYS_CLONE[os.uname().machine], _NAMESPACES | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone with namespaces failed; run as root")
    return pid


@contextmanager
def forwarding(workers: int, depth: int) -> Iterator[tuple[int, int]]:
    """A bare gateway in front of workers, see `forwarding.py`: its port, and the gateway's process id."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.forwarding", str(port), str(workers), str(depth)]
    server = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    try:
        _wait_for(port)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")
