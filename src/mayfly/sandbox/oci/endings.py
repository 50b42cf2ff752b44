"""How a container ended, or why it never began, from what its runtime left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import NamedTuple

from mayfly.sandbox.oci import stage

_SHELLS_SIGNALS = 128
# By which a process dies that does not ask for it. A runtime with a kernel of its own reports them as a shell does.
_FATAL = frozenset(
    int(number)
    for number in (
        *(signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGHUP, signal.SIGILL, signal.SIGINT, signal.SIGKILL),
        *(
            signal.SIGPIPE,
            signal.SIGQUIT,
            signal.SIGSEGV,
            signal.SIGSYS,
            signal.SIGTERM,
            signal.SIGTRAP,
            signal.SIGALRM,
        ),
        *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGXFSZ),
    )
)
_MOST = 1 << 16


class Ending(NamedTuple):
    """See `api.Exit`."""

    reason: str
    code: int


def ending_of(status: int, *, own_kernel: bool) -> Ending:
    """From the status of `waitpid`. A runtime with a kernel of its own is a process that outlives the function, and
    exits with 128 + the number of a signal: a status that a function chose itself cannot be told from that."""
    if os.WIFSIGNALED(status):
        return Ending("signaled", os.WTERMSIG(status))
    code = os.WEXITSTATUS(status)
    if own_kernel and code - _SHELLS_SIGNALS in _FATAL:
        return Ending("signaled", code - _SHELLS_SIGNALS)
    return Ending("exited", code)


def process_of(place: str) -> int:
    """The process id that a runtime wrote; 0 where it did not."""
    with contextlib.suppress(OSError, ValueError), open(stage.process_file(place)) as file:
        return int(file.read())
    return 0


def complaint(place: str, status: int) -> str:
    """Why a runtime failed, in its own words where it left some."""
    text = ""
    with contextlib.suppress(OSError), open(stage.log_file(place), errors="replace") as file:
        text = file.read(_MOST)
    words = [said for said in (_said(line) for line in text.splitlines()) if said]
    how = f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
    return f"the OCI runtime failed ({how}): " + ("; ".join(dict.fromkeys(words)) or "it did not say why")


def _said(line: str) -> str:
    """The message of a line of a log, which is JSON or text."""
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict):
            return str(record.get("msg", ""))
    return line.strip()
