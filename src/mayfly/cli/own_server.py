"""A server for a command that needs one: the one that runs, or one that is started for as long as the command does."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mayfly.app.directory import DataDirectory
from mayfly.cli.connection import Connection, NoServerError, connect
from mayfly.cli.output import complaints, escape
from mayfly.errors import PlatformError

PORT = 4566
_START_S, _STOP_S, _POLL_S = 60.0, 60.0, 0.02


class NotStartedError(PlatformError):
    """A server could not be started; the message is its own."""


@contextlib.contextmanager
def reached(data: Path, *, temporary: bool) -> Iterator[tuple[Connection, bool]]:
    """The server that runs on `data`, or the one that the environment names; else one that ends with this context, on
    `data`, or on a directory that goes with it where `temporary`. And whether what is deployed there stays."""
    try:
        connection = connect(data)
    except NoServerError:
        pass
    else:
        yield connection, True
        return
    with contextlib.ExitStack() as cleanup:
        if temporary:
            data = Path(tempfile.mkdtemp(prefix="mayfly-"))
            cleanup.callback(shutil.rmtree, data, ignore_errors=True)
        cleanup.enter_context(_started(data))
        connection = connect(data)
        where = "a directory that goes with it" if temporary else escape(str(data))
        complaints.print(f"started Mayfly at [bold]{escape(connection.url)}[/] on {where}")
        yield connection, not temporary


@contextlib.contextmanager
def _started(data: Path) -> Iterator[None]:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_path = data / "server.log"
    command = [sys.executable, "-m", "mayfly", "up", "--data", str(data), "--port", str(_port())]
    with log_path.open("ab") as log:
        begin = log.tell()
        # A session of its own: Ctrl-C is for who asked for the server, and ends it in order.
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        directory, deadline = DataDirectory(data), time.monotonic() + _START_S
        while (info := directory.running()) is None or info.pid != server.pid:
            if server.poll() is not None or time.monotonic() > deadline:
                said = log_path.read_bytes()[begin:].decode(errors="replace").strip()
                raise NotStartedError(said.removeprefix("mayfly: ") or "the server did not start")
            time.sleep(_POLL_S)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _port() -> int:
    """The usual one; where somebody has that, any (0)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((os.environ.get("MAYFLY_HOST", "127.0.0.1"), PORT))
        except OSError:
            return 0
    return PORT
