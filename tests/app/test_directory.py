"""Who may serve a data directory."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mayfly.app.directory import DataDirectory, DirectoryBusyError, ServerInfo
from mayfly.errors import PlatformError

HOLD = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""
SERVER = ServerInfo(
    pid=os.getpid(),
    url="http://127.0.0.1:1",
    listening="127.0.0.1:1",
    region="us-east-1",
    account="000000000000",
    isolation="process",
    version="0",
    started_at=0.0,
)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path)
    directory.make()
    return directory


def held(path: Path) -> "subprocess.Popen[str]":
    """A process that holds the lock at `path` until it is told to end."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def ended(holder: "subprocess.Popen[str]") -> int:
    with holder:
        holder.kill()
    return holder.pid


def test_a_directory_has_one_server_until_that_releases_it(directory: DataDirectory, tmp_path: Path) -> None:
    directory.acquire()
    directory.announce(SERVER)
    with pytest.raises(DirectoryBusyError, match=f"process {os.getpid()}"):
        DataDirectory(tmp_path).acquire()
    directory.release()
    other = DataDirectory(tmp_path)
    other.acquire()
    other.release()


def test_what_a_dead_server_left_holding_the_lock_is_waited_for(
    directory: DataDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its children let go of the lock a moment after it: they had been forked and had not become what they were for."""
    directory.acquire()
    directory.release()
    dead = ended(held(tmp_path / "lock"))
    directory.announce(replace(SERVER, pid=dead))
    holder = held(tmp_path / "lock")
    monkeypatch.setattr("mayfly.app.directory.time.sleep", lambda seconds: ended(holder))
    directory.acquire()
    directory.release()


def test_a_lock_that_nobody_lets_go_of_is_refused(
    directory: DataDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.app.directory.LETTING_GO_S", 0.1)
    directory.acquire()
    directory.release()
    holder = held(tmp_path / "lock")
    with pytest.raises(DirectoryBusyError):
        directory.acquire()
    ended(holder)
    directory.acquire()
    directory.release()


def test_what_is_in_a_directory_that_all_may_read_is_not_for_all(tmp_path: Path) -> None:
    for name in ("layers", "images", "blobs"):
        (tmp_path / name).mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    directory = DataDirectory(tmp_path)
    directory.make()
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"account": "000000000000"}'])
def test_a_directory_that_says_nothing_of_its_account_is_refused_in_words(directory: DataDirectory, text: str) -> None:
    (directory.root / "home.json").write_text(text)
    with pytest.raises(PlatformError, match=r"home\.json does not say of which account and region"):
        directory.settle("000000000000", "us-east-1")
