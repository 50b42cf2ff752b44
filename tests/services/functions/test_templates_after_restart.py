"""Templates with packages after the server was killed: a burst waits for one, instead of importing in each instance."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mayfly.app.directory import DataDirectory
from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess, start_platform
from tests.services.functions.test_templates_over_the_wire import create, run, template

pytestmark = pytest.mark.root

BURST = 6
IMPORTS = "time.sleep(0.3)\n"


@contextmanager
def serving(data: Path, ends_by: signal.Signals) -> Iterator[PlatformProcess]:
    """A server on `data`, which ends by a signal."""
    if os.geteuid() != 0:
        pytest.skip("only namespaces have templates")
    server, platform = start_platform(data)
    try:
        yield platform
    finally:
        server.send_signal(ends_by)
        end(server)


def end(server: "subprocess.Popen[bytes]") -> None:
    try:
        server.wait(60)
    finally:
        server.kill()
        server.wait()


def wait_until_stored(data: Path) -> None:
    """The server tells nobody when what it learnt is on file."""
    deadline = time.monotonic() + 60
    with closing(sqlite3.connect(DataDirectory(data).database)) as database:
        while not database.execute("SELECT 1 FROM engine_templates").fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def started(platform: PlatformProcess, name: str) -> list[str]:
    """The paths of the starts since the server started, as `mayfly starts` shows them."""
    done = mayfly("starts", name, "--json", data=platform.data)
    assert done.returncode == 0, done.stderr
    return [start["path"] for start in json.loads(done.stdout)["starts"]]


def burst(platform: PlatformProcess, name: str) -> list[Any]:
    client = platform.client("lambda", read_timeout=60, max_pool_connections=BURST)
    with ThreadPoolExecutor(BURST) as callers:
        return list(callers.map(lambda _: run(client, name, "$LATEST"), range(BURST)))


def test_a_burst_after_the_server_was_killed_starts_from_one_template(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, signal.SIGKILL) as platform:
        name = create(platform, package=IMPORTS)
        assert run(platform.client("lambda"), name, "$LATEST") == "on-demand"
        assert started(platform, name) == ["interpreter"]
        assert template(platform, name, "$LATEST")["state"] == "ready"
        wait_until_stored(data)
    with serving(data, signal.SIGTERM) as platform:
        assert burst(platform, name) == ["on-demand"] * BURST
        paths = started(platform, name)
        assert paths.count("interpreter") == 1, "the one that had the template made"
        assert paths.count("packages") > 1
        assert set(paths) <= {"interpreter", "packages", "spare"}
