"""A server where something is against it: a full disk, a terminal that is gone, a directory of somebody else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from mayfly.app.directory import DataDirectory

STARTS_S = 60.0


def command(data: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "mayfly", *arguments, "--data", str(data)]


def up(data: Path, *options: str) -> list[str]:
    return command(data, "up", "--port", "0", "--isolation", "process", *options)


@contextmanager
def running(data: Path, words: list[str], **streams: int | IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """A server that is ready, and is killed if it does not end."""
    server = subprocess.Popen(words, **streams)  # type: ignore[call-overload]  # streams alone
    try:
        deadline = time.monotonic() + STARTS_S
        while DataDirectory(data).running() is None:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server is not ready"
            time.sleep(0.05)
        yield server
    finally:
        if server.poll() is None:
            server.kill()
        server.wait()


@contextmanager
def full_disk(place: Path) -> Iterator[Path]:
    """A directory on a disk of its own, on which nothing fits any more."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "full", str(place)], check=True)
    try:
        data = place / "data"
        data.mkdir(mode=0o700)
        with (place / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                pass
        yield data
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.root
@pytest.mark.parametrize("how", [(), ("--detach",)])
def test_a_disk_that_is_full_is_told_in_one_line(tmp_path: Path, how: tuple[str, ...]) -> None:
    with full_disk(tmp_path / "full") as data:
        done = subprocess.run(up(data, *how), capture_output=True, text=True, timeout=STARTS_S)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mayfly: cannot use {data} as data directory: ")
    assert "no space" in done.stderr.lower()
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("up", "--port", "0"), ("status",), ("down",), ("env",), ("usage",)])
def test_a_directory_that_may_not_be_used_is_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "lock").mkdir()
    done = subprocess.run(command(tmp_path, *arguments), capture_output=True, text=True, timeout=STARTS_S)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"mayfly: cannot use {tmp_path} as data directory: Is a directory ({tmp_path / 'lock'})\n"


def test_a_server_runs_and_ends_in_order_whose_standard_streams_are_closed(tmp_path: Path) -> None:
    words = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *up(tmp_path / "data")]
    with running(tmp_path / "data", words) as server:
        for number in (0, 1, 2):
            assert os.readlink(f"/proc/{server.pid}/fd/{number}") == os.devnull
        server.send_signal(signal.SIGTERM)
        assert server.wait(STARTS_S) == 0


def test_a_server_goes_on_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with running(tmp_path / "data", up(tmp_path / "data"), stdout=writing, stderr=writing) as server:
            server.send_signal(signal.SIGTERM)
            assert server.wait(STARTS_S) == 0
    finally:
        os.close(writing)


def test_a_terminal_that_closes_ends_a_server_in_order(tmp_path: Path) -> None:
    with (
        (tmp_path / "said").open("wb") as said,
        running(tmp_path / "data", up(tmp_path / "data"), stdout=said, stderr=said) as server,
    ):
        server.send_signal(signal.SIGHUP)
        assert server.wait(STARTS_S) == 0
    assert (tmp_path / "said").read_text().endswith("stopping\nstopped\n")


def test_a_server_that_is_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    words = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *up(tmp_path / "data")]
    with running(tmp_path / "data", words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        server.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(1.0)
        server.send_signal(signal.SIGTERM)
        assert server.wait(STARTS_S) == 0


def test_a_platform_that_is_gone_is_told_without_the_names_of_libraries(tmp_path: Path) -> None:
    keys = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S"}
    done = subprocess.run(
        command(tmp_path, "usage"), capture_output=True, text=True, timeout=STARTS_S, env={**os.environ, **keys}
    )
    assert (done.returncode, done.stderr) == (1, "mayfly: http://127.0.0.1:1 does not answer: Connection refused\n")


@pytest.mark.root
def test_a_user_namespace_without_a_second_user_has_a_platform_that_refuses_images_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    image = command(data, "image", "import", str(tmp_path / "image.tar"), "--name", "a:1")
    (tmp_path / "image.tar").write_bytes(bytes(1024))
    with running(data, ["unshare", "--user", "--map-root-user", *up(data)]) as server:
        done = subprocess.run(image, capture_output=True, text=True, timeout=STARTS_S)
        assert done.returncode == 1
        assert "images are unpacked by an unprivileged user, and this user namespace has none" in done.stderr
        server.send_signal(signal.SIGTERM)
        assert server.wait(STARTS_S) == 0
