"""Fixtures for everybody: time that stands still, a real store on a temporary directory, a whole running platform."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import settings

from mayfly.app.directory import DataDirectory
from mayfly.app.local import read_root_key
from mayfly.app.vault import FileVault
from mayfly.clock import ManualClock
from mayfly.store.sqlite import SqliteStore

# No deadlines: machines that run tests are shared. In continuous integration the examples are the same every time, so
# that a failure is of the change that it came with; elsewhere they vary, are more, and find what is new.
settings.register_profile(
    "mayfly", deadline=None, derandomize="CI" in os.environ, max_examples=50 if "CI" in os.environ else 100
)
settings.load_profile("mayfly")

# Who runs tests in the background of a shell, or under nohup, has them ignore these, and what tests start would, too.
for _ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_ignored) is signal.SIG_IGN:
        signal.signal(_ignored, signal.default_int_handler if _ignored is signal.SIGINT else signal.SIG_DFL)

# What `make test` installs for functions; see the Makefile.
RUNTIMES = Path(__file__).parents[1] / ".cache" / "platform" / "runtimes"

OpenStore = Callable[..., Awaitable[SqliteStore]]


class FixedVault(FileVault):
    """The real one, with a key in no file."""

    def __init__(self) -> None:
        super().__init__(Path("fixed"))

    def _key(self, *, make: bool) -> bytes:
        return b"k" * 32


VAULT = FixedVault()  # for tests to which it does not matter where the key is


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def open_store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[OpenStore]:
    """`await open_store("mayfly.services.tables", …)`: the store of this test, closed when it ends."""
    opened: list[SqliteStore] = []

    async def open_(*packages: str) -> SqliteStore:
        opened.append(await SqliteStore.open(tmp_path / "mayfly.db", packages, clock))
        return opened[-1]

    yield open_
    for store in opened:
        await store.close()


@dataclass(frozen=True)
class PlatformProcess:
    """A server started as a user starts it, and the way to it."""

    url: str
    pid: int
    data: Path
    region: str
    account: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client of `service`; `config` are botocore `Config` options."""
        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(**{"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, **config}),
        )


def start_platform(
    data: Path, *options: str, program: Sequence[str] = ("-m", "mayfly")
) -> "tuple[subprocess.Popen[bytes], PlatformProcess]":
    """Run `mayfly up --detach`-like in a process that the caller ends; returns when it answers. `program`: what Python
    runs instead."""
    isolation = "namespace" if os.geteuid() == 0 and sys.platform == "linux" else "process"
    if RUNTIMES.is_dir() and not data.exists():
        data.mkdir(mode=0o700)
        (data / "runtimes").symlink_to(RUNTIMES)
    command = [sys.executable, *program, "up", "--data", str(data), "--port", "0", "--isolation", isolation]
    with (data.parent / f"{data.name}.log").open("ab") as log:
        server = subprocess.Popen([*command, *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    directory = DataDirectory(data)
    deadline = time.monotonic() + 60
    while True:
        info = directory.running() if data.exists() else None
        if info is not None and info.pid == server.pid:
            break
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            server.wait()
            raise RuntimeError(f"the server did not start:\n{(data.parent / f'{data.name}.log').read_text()}")
        time.sleep(0.02)
    key = read_root_key(data)
    assert key is not None
    return server, PlatformProcess(
        info.url, server.pid, data, info.region, info.account, key.access_key_id, key.secret_access_key
    )


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    """One real server for all tests of a run (of a worker): they name their resources so that they do not meet."""
    server, running = start_platform(tmp_path_factory.mktemp("platform") / "data")
    yield running
    server.terminate()
    assert server.wait(60) == 0, "the server did not end cleanly"


@pytest.fixture
def client(platform: PlatformProcess) -> Callable[..., Any]:
    """`client("s3")`: a boto3 client of the running platform."""
    return platform.client
