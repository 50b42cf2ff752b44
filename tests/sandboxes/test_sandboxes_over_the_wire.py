"""`mayfly sandbox` and the pages behind it, against a running platform."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.connection import Connection
from mayfly.errors import PlatformError
from tests.conftest import PlatformProcess

PAGE = "/_mayfly/sandboxes"


class Shell:
    """`mayfly sandbox …`, as a user types it."""

    def __init__(self, platform: PlatformProcess) -> None:
        self._data = str(platform.data)
        self.made: list[str] = []

    def __call__(self, *words: str, stdin: bytes = b"", status: int = 0) -> str:
        """What it prints; its complaints behind it."""
        command = [sys.executable, "-m", "mayfly", "sandbox", words[0], "--data", self._data, *words[1:]]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return (done.stdout + done.stderr).decode()

    def box(self, *options: str) -> str:
        """A sandbox that does nothing; removed after the test."""
        made = self("run", "--detach", *options, "--", "sleep", "600").split()[0]
        self.made.append(made)
        return made

    def clean(self) -> None:
        if self.made:
            self("rm", *self.made)


@pytest.fixture
def shell(platform: PlatformProcess) -> Iterator[Shell]:
    made = Shell(platform)
    yield made
    made.clean()


@pytest.fixture
def connection(platform: PlatformProcess) -> Connection:
    key = platform.access_key_id, platform.secret_access_key
    return Connection(platform.url, platform.region, platform.account, *key)


def test_a_programs_output_input_and_status_are_its_own(shell: Shell) -> None:
    script = "read line; echo out $line; echo err >&2; exit 7"
    assert shell("run", "-i", "--", "sh", "-c", script, stdin=b"hello\n", status=7) == "out hello\nerr\n"
    assert shell("run", "--", "sh", "-c", "kill -9 $$", status=137) == ""
    assert "No such file" in shell("run", "--", "no-such-program", status=1)
    assert shell("run", "--env", "A=b c", "--", "sh", "-c", "echo $A; pwd") == "b c\n/tmp\n"


def test_large_streams_go_through_at_their_readers_pace(shell: Shell) -> None:
    data = bytes(range(256)) * 8000
    done = shell("run", "-i", "--", "sh", "-c", "cat | wc -c; head -c 3000000 /dev/zero | tr '\\0' x", stdin=data)
    assert done.startswith(f"{len(data)}\n")
    assert len(done) == len(f"{len(data)}\n") + 3_000_000


def test_a_sandbox_is_left_alone_by_others_and_ends_with_its_limits(shell: Shell) -> None:
    assert "ran out of memory" in shell(
        "run", "--memory", "64", "--", "python3", "-c", "x = bytearray(300 << 20)", status=1
    )
    shell("run", "--timeout", "0.3", "--", "sleep", "60", status=137)
    assert "uid=0" not in shell("run", "--", "id")
    assert "4566" not in shell("run", "--", "cat", "/proc/net/tcp")


def test_files_go_in_and_out(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("print(open('data').read())")
    (tmp_path / "code" / "data").write_text("from a file")
    assert shell("run", "--code", str(tmp_path / "code"), "--", "python3", "app.py") == "from a file\n"
    box = shell.box()
    shell("cp", str(tmp_path / "code"), f"{box}:/tmp/copy")
    shell("exec", box, "--", "sh", "-c", "seq 50000 > /tmp/copy/more")
    shell("cp", f"{box}:/tmp/copy", str(tmp_path / "back"))
    assert (tmp_path / "back" / "more").read_text().splitlines()[-1] == "50000"
    shell("cp", f"{box}:/tmp/copy/data", str(tmp_path))
    assert (tmp_path / "data").read_text() == "from a file"
    assert "No such file" in shell("cp", f"{box}:/tmp/missing", str(tmp_path), status=1)
    assert "Read-only file system" in shell("cp", str(tmp_path / "data"), f"{box}:/etc/data", status=1)


def test_a_snapshot_and_a_fork_have_the_files_and_not_the_processes(shell: Shell) -> None:
    box = shell.box()
    shell("exec", box, "--", "sh", "-c", "mkdir /tmp/d; echo kept > /tmp/d/f; sleep 600 & true")
    snapshot = shell("snapshot", box, "--label", "mine").strip()
    shell("exec", box, "--", "rm", "/tmp/d/f")
    fork = shell("fork", box).strip()
    shell.made.append(fork)
    assert "No such file" in shell("exec", fork, "--", "cat", "/tmp/d/f", status=1)
    assert shell("run", "--snapshot", snapshot, "--", "cat", "/tmp/d/f") == "kept\n"
    assert "sleep" not in shell("run", "--snapshot", snapshot, "--", "sh", "-c", "cat /proc/[0-9]*/comm")
    assert "mine" in shell("ls", "--snapshots")
    shell("rm", snapshot)
    assert "there is no snapshot" in shell("run", "--snapshot", snapshot, "--", "true", status=1)


def test_a_frozen_sandbox_waits(shell: Shell) -> None:
    box = shell.box()
    shell("freeze", box)
    shown = json.loads(shell("ls", "--json"))
    assert [one["state"] for one in shown if one["id"] == box] == ["frozen"]
    assert "thaw it first" in shell("exec", box, "--", "true", status=1)
    shell("thaw", box)
    shell("exec", box, "--", "true")


def test_what_makes_no_sense_is_refused_in_words(connection: Connection) -> None:
    def refused(method: str, path: str, value: Any = None) -> str:
        body = json.dumps(value).encode() if value is not None else b""
        with pytest.raises(PlatformError) as error, connection.open(method, f"{PAGE}{path}", body):
            pass
        return str(error.value)

    assert "memory_mb is 1" in refused("POST", "", {"memory_mb": 1})
    assert "unknown field" in refused("POST", "", {"memory": 512}).lower()
    assert "of one of them" in refused("POST", "", {"image": "a", "snapshot": "b"})
    assert "there is no sandbox sbx-x" in refused("GET", "/sbx-x")
    assert "there is no sandbox sbx-x" in refused("POST", "/sbx-x/processes", {"argv": ["a"]})
    assert "level" in refused("POST", "", {"level": "no-such-level"})
    assert "there is no PATCH" in refused("PATCH", "/sbx-x/else")


def test_nobody_without_the_root_key_is_let_in(platform: PlatformProcess, connection: Connection) -> None:
    stranger = Connection(connection.url, connection.region, connection.account, "AKIAIOSFODNN7EXAMPLE", "wrong")
    with pytest.raises(PlatformError, match="Access denied"), stranger.open("GET", PAGE):
        pass


def test_what_ended_gives_everything_back(shell: Shell, connection: Connection) -> None:
    box = shell.box()
    with connection.open("GET", f"{PAGE}/{box}") as reply:
        assert json.load(reply)["state"] == "running"
    shell("rm", box)
    shell.made.remove(box)
    assert box not in shell("ls")


def test_it_reaches_what_it_was_allowed_and_nothing_else(shell: Shell, platform: PlatformProcess) -> None:
    port = platform.url.rpartition(":")[2]
    ask = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/_mayfly/health', timeout=20).status)"
    assert "refused" in shell("run", "--", "python3", "-c", ask, status=1)
    assert "destinations such as" in shell("run", "--egress", "", "--", "true", status=1)
