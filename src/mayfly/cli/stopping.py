"""`mayfly down`: the end of a server."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer

from mayfly.app.directory import DataDirectory, lives
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption
from mayfly.cli.output import complaints, fail

POLL_S = 0.05


def down(
    data: DataOption = DEFAULT_DATA,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for running functions to finish.")] = 60.0,
) -> None:
    """Stop the platform that runs on a data directory."""
    directory = DataDirectory(data)
    info = directory.running()
    if info is None:
        complaints.print(f"no Mayfly runs on {directory.root}")
        return
    gone = _watched(info.pid)
    try:
        os.kill(info.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended meanwhile
    except PermissionError:
        fail(f"the Mayfly at {info.url} is another user's: its process {info.pid} cannot be ended")
    deadline = time.monotonic() + timeout
    while directory.running() is not None or not gone():
        if time.monotonic() > deadline:
            fail(
                f"process {info.pid} still finishes its work after {timeout:.0f} s; run `mayfly down` again to hurry it"
            )
        time.sleep(POLL_S)
    complaints.print(f"stopped Mayfly at {info.url}")


def _watched(pid: int) -> Callable[[], bool]:
    """Whether a process has ended, also one whose parent has not asked for its end yet."""
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return lambda: True
        except OSError:
            return lambda: not lives(pid)  # a kernel without them
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return lambda: bool(poll.poll(0))
    return lambda: not lives(pid)
