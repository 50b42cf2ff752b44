"""Pipes between the server and what runs in a sandbox, read and written at the pace of the event loop."""

import asyncio
import os
from typing import Literal, NamedTuple

from mayfly.sandboxes.model import SandboxMissingError

CHUNK = 64 * 1024


class Part(NamedTuple):
    """Something that a process wrote."""

    stream: Literal["stdout", "stderr"]
    data: bytes


class Pipes:
    """The server's ends of a process's standard streams."""

    def __init__(self, stdin: int, stdout: int, stderr: int) -> None:
        self._stdin: int | None = stdin
        self._outputs: dict[str, int] = {"stdout": stdout, "stderr": stderr}

    @classmethod
    def open(cls) -> "tuple[Pipes, tuple[int, int, int]]":
        """And the other ends, for the process."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        for end in (ours_in, ours_out, ours_err):
            os.set_blocking(end, False)
        return cls(ours_in, ours_out, ours_err), (theirs_in, theirs_out, theirs_err)

    def take(self, name: Literal["stdout", "stderr"]) -> int:
        """An end to read from; `SandboxMissingError` when it was read to its end or is being read."""
        try:
            return self._outputs.pop(name)
        except KeyError:
            raise SandboxMissingError(f"the {name} of this process was read, or is being read") from None

    async def write(self, data: bytes) -> None:
        """BrokenPipeError when the other end is closed."""
        if self._stdin is None:
            raise BrokenPipeError
        await write(self._stdin, data)

    def close_input(self) -> None:
        if self._stdin is not None:
            asyncio.get_running_loop().remove_writer(self._stdin)
            os.close(self._stdin)
            self._stdin = None

    def close(self) -> None:
        """Idempotent."""
        self.close_input()
        while self._outputs:
            os.close(self._outputs.popitem()[1])


async def read(end: int, name: Literal["stdout", "stderr"], queue: "asyncio.Queue[Part | None]") -> None:
    """What comes out of a pipe, which is closed afterwards."""
    try:
        while data := await read_some(end):
            await queue.put(Part(name, data))
        await queue.put(None)
    finally:
        os.close(end)


async def read_some(end: int) -> bytes:
    """The next bytes of a pipe that does not block; none at its end."""
    while True:
        try:
            return os.read(end, CHUNK)
        except BlockingIOError:
            await _ready(end, writing=False)


async def write(end: int, data: bytes) -> None:
    """All of `data`, to a pipe that does not block; BrokenPipeError when nobody will read it."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(end, view) :]
        except BlockingIOError:
            await _ready(end, writing=True)


async def _ready(end: int, *, writing: bool) -> None:
    """Wait until there is something to read, or room to write."""
    loop = asyncio.get_running_loop()
    come: asyncio.Future[None] = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(end, _settle, come)
    try:
        await come
    finally:
        remove(end)


def _settle(come: "asyncio.Future[None]") -> None:
    if not come.done():
        come.set_result(None)
