"""How much of what an instance prints is kept."""

import asyncio
import fcntl
import os
import termios

import pytest

from mayfly.engine import output
from mayfly.engine.output import OutputPipe


async def until_empty(writing: int) -> None:
    """Return once what was written has been read by the loop."""
    while fcntl.ioctl(writing, termios.FIONREAD, bytes(4)) != bytes(4):  # noqa: ASYNC110 (the kernel tells nobody that a pipe is empty)
        await asyncio.sleep(0)


async def test_what_one_call_logs_is_bounded_and_the_next_one_logs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MOST_BYTES", 1 << 20)
    lines: list[str] = []
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    pipe = OutputPipe(asyncio.get_running_loop(), reading, lines.extend)
    pipe.resume()
    try:
        for _ in range(64):  # each as much as the pipe holds
            os.write(writing, b"x" * 65_535 + b"\n")
            await until_empty(writing)
        assert sum(map(len, lines)) <= (1 << 20) + 100
        assert lines[-1] == "[MAYFLY] 1 MB were logged; more of this call is not kept"
        pipe.drain()
        os.write(writing, b"of the next call\n")
        pipe.drain()
        assert lines[-1] == "of the next call"
    finally:
        pipe.close()
        os.close(writing)


async def test_who_floods_its_log_waits_and_is_read_on_when_its_call_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_REST_S", 3600.0)
    lines: list[str] = []
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    pipe = OutputPipe(asyncio.get_running_loop(), reading, lines.extend)
    pipe.resume()
    try:
        for _ in range(16):
            os.write(writing, b"x" * 65_535 + b"\n")
            await until_empty(writing)
        os.write(writing, b"of the same call\n")
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(lines) == 16
        pipe.drain()
        assert lines[16:] == ["of the same call"]
        os.write(writing, b"of the next call\n")
        await until_empty(writing)
        assert lines[17:] == ["of the next call"]
    finally:
        pipe.close()
        os.close(writing)


async def test_a_rest_is_over_when_somebody_else_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_REST_S", 3600.0)
    lines: list[str] = []
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    pipe = OutputPipe(asyncio.get_running_loop(), reading, lines.extend)
    pipe.resume()
    try:
        for _ in range(16):
            os.write(writing, b"x" * 65_535 + b"\n")
            await until_empty(writing)
        pipe.pause()
        pipe.resume()
        os.write(writing, b"more\n")
        await until_empty(writing)
        assert lines[16:] == ["more"]
    finally:
        pipe.close()
        os.close(writing)
