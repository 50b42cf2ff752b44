"""Which process becomes a server, and what it has in memory."""

import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from mayfly.app.options import ServerOptions
from mayfly.cli import handover

# What a server has loaded at the moment in which it says that it is ready.
LOADED = """
import sys
from mayfly.cli import entry, served
said = served.announce
def announce(*arguments):
    said(*arguments)
    print(*sys.modules, flush=True)
served.announce = announce
sys.argv[0] = "mayfly"
entry.main()
"""
# Of the command line alone, of what few functions need, or of what is done by other processes.
UNWANTED = {"typer", "rich", "pydantic", "samtranslator", "boto3", "wasmtime", "numpy"}


def up(data: Path, *options: str, program: tuple[str, ...] = ("-m", "mayfly")) -> "subprocess.Popen[str]":
    command = [sys.executable, *program, "up", "--data", str(data), "--port", "0", "--isolation", "process", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_ready_server_has_nothing_of_the_command_line_in_memory(tmp_path: Path) -> None:
    with up(tmp_path / "data", program=("-c", LOADED)) as server:
        assert server.stdout is not None
        try:
            assert " is ready at " in server.stdout.readline()
            loaded = {name.partition(".")[0] for name in server.stdout.readline().split()}
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
    assert "mayfly" in loaded
    assert loaded & UNWANTED == set()
    assert server.returncode == 0


def test_the_process_that_was_started_is_the_server_and_leaves_no_reader_behind(tmp_path: Path) -> None:
    with up(tmp_path / "data") as server:
        assert server.stdout is not None
        try:
            assert " is ready at " in server.stdout.readline()
            with pytest.raises(ProcessLookupError):
                os.kill(_reader(server.pid), 0)
        finally:
            server.send_signal(signal.SIGTERM)
            _, complaints = server.communicate(timeout=60)
    assert "stopped" in complaints
    assert "\x1b" not in complaints


def _reader(pid: int) -> int:
    """The child of a process that reads its command line; a number that nobody has where there is none."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"--options-to" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return 1 << 30


def test_options_arrive_as_they_were_read() -> None:
    options = ServerOptions(
        data=Path("~/.mayfly"),
        oci_runtimes=("mine=/usr/bin/runsc,--debug",),
        memory_mb=512,
        image_directories=(Path("/images"), Path("relative")),
        registry_auth=Path("/auth.json"),
        secret_access_key="a secret with \N{SNOWMAN}",
    )
    assert handover.unpacked(handover.packed(options)) == options
    assert handover.unpacked(handover.packed(ServerOptions(Path("/")))) == ServerOptions(Path("/"))


def test_a_path_in_options_is_a_path_again() -> None:
    options = handover.unpacked(handover.packed(replace(ServerOptions(Path("/a")), registry_auth=Path("/b"))))
    assert {field.name for field in fields(options) if isinstance(getattr(options, field.name), Path)} == {
        *("data", "registry_auth")
    }


def test_help_and_complaints_about_options_name_the_command(tmp_path: Path) -> None:
    for arguments, status in ((("--help",), 0), (("--no-such-option",), 2), (("--port", "many"), 2)):
        command = [sys.executable, "-m", "mayfly", "up", "--data", str(tmp_path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == status
        assert "Usage: mayfly up" in done.stdout + done.stderr
        assert "--options-to" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_reader_whose_server_was_ended_ends_without_a_word(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "mayfly", "up", "--data", str(tmp_path), f"--options-to={writing}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, pass_fds=(writing,))
    finally:
        os.close(writing)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
