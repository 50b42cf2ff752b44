"""Processes of peers: started in a session of their own, ended with everything that they started, bounded in time."""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks.platform import descendants, pss_mb

_PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 10.0


def adopt_orphans() -> None:
    """Have processes whose parent ends become children of this one, so that what a peer forgets can be ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


@contextmanager
def alone() -> Iterator[None]:
    """Refuse to run beside another run on this machine: they would spoil each other's figures, and share addresses."""
    with (Path(tempfile.gettempdir()) / "mayfly-peers.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("another run of this benchmark is under way on this machine") from None
        yield


@contextmanager
def at_most(seconds: float, what: str) -> Iterator[None]:
    """Raise `TimeoutError` here when what is within takes longer."""

    def late(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"{what} took more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def process(
    command: Sequence[str | Path],
    log: Path,
    variables: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    *,
    talks: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """A started command, what it says in `log`, or, where it `talks`, over text pipes; ended with all below it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        started = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else errors,
            stderr=errors,
            text=True,
            env={**environment(), **(variables or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        end(started)


def environment() -> dict[str, str]:
    """What a peer inherits: where programs are, and nothing that Mayfly's own environment says of Python."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return {name: os.environ[name] for name in kept if name in os.environ}


def end(started: subprocess.Popen[str]) -> None:
    """Ask a process to end, and then make it and all below it."""
    below = descendants(started.pid)
    started.terminate()
    try:
        started.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        below = descendants(started.pid)
        started.kill()
        started.wait()
    for stream in (started.stdin, started.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    _kill(below)


def end_all_but(kept: Callable[[], set[int]]) -> None:
    """End every process below this one that `kept` does not name: orphans that a peer left."""
    deadline = time.monotonic() + GRACE_S
    while left := _living(below_but(kept())):
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes that do not end: {left}")
        _kill(left)
        time.sleep(0.01)


def below_but(kept: set[int]) -> list[int]:
    """All processes below this one, less `kept`."""
    return [pid for pid in descendants(os.getpid()) if pid not in kept]


def memory_mb(pids: Sequence[int]) -> float:
    """The proportional set size of processes; what has ended meanwhile, or lost its memory, counts nothing."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError, RuntimeError):
            total += pss_mb(pid)
    return total


def wait_for_line(started: subprocess.Popen[str], text: str) -> str:
    """The next line of output that contains `text`."""
    assert started.stdout is not None
    for line in started.stdout:
        if text in line:
            return line
    raise RuntimeError(f"process {started.pid} ended without saying {text!r}")


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _living(pids: Sequence[int]) -> list[int]:
    """Those that are not zombies of somebody else."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found
