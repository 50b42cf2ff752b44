"""`mayfly down`: the end of a server."""

import os
import signal
import time
from typing import Annotated

import typer

from mayfly.app.directory import DataDirectory
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
    os.kill(info.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while directory.running() is not None:
        if time.monotonic() > deadline:
            fail(
                f"process {info.pid} still finishes its work after {timeout:.0f} s; run `mayfly down` again to hurry it"
            )
        time.sleep(POLL_S)
    complaints.print(f"stopped Mayfly at {info.url}")
