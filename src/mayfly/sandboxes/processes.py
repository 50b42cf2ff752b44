"""The processes of one sandbox: started over its control socket, each with three pipes of its own.

What a process writes waits in its pipes until somebody reads, and so does the process: nothing is kept here.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal

from mayfly.sandbox import frames
from mayfly.sandboxes.model import Ending, SandboxEndedError, SandboxMissingError
from mayfly.sandboxes.pipes import CHUNK, Part, Pipes, read

MOST_ENDED = 200  # processes that have ended and are remembered
LAST_WORDS_S = 0.2
_NOTHING = Part("stdout", b"")
_WINDOW_S = 5.0  # how long the launcher may take to answer


class Process:
    """One of them."""

    def __init__(self, number: int, pipes: Pipes) -> None:
        self.number = number
        self.started: asyncio.Future[Ending | None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.pipes = pipes
        self.timer: asyncio.TimerHandle | None = None

    async def output(self) -> AsyncGenerator[Part]:
        """What it writes, until both streams are closed; read by one at a time.

        What it left running may hold them open: once it has ended, they count as closed when nothing more comes.
        """
        queue: asyncio.Queue[Part | None] = asyncio.Queue(4)
        readers = [
            asyncio.create_task(read(self.pipes.take("stdout"), "stdout", queue)),
            asyncio.create_task(read(self.pipes.take("stderr"), "stderr", queue)),
        ]
        left = len(readers)
        try:
            while left:
                part = await self._next(queue)
                if part is _NOTHING:
                    return
                if part is None:
                    left -= 1
                else:
                    yield part
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def _next(self, queue: "asyncio.Queue[Part | None]") -> Part | None:
        """The next part; `_NOTHING` when it has ended and nothing comes."""
        getting = asyncio.ensure_future(queue.get())
        try:
            either: list[asyncio.Future[Any]] = [getting, self.ended]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                await asyncio.wait([getting], timeout=LAST_WORDS_S)
            return getting.result() if getting.done() else _NOTHING
        finally:
            getting.cancel()

    async def write(self, data: bytes) -> None:
        """To its standard input; BrokenPipeError when it has closed that."""
        await self.pipes.write(data)

    def end_input(self) -> None:
        self.pipes.close_input()


class Processes:
    """See the module. `open` takes the control socket over."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._decoder = frames.Decoder()
        self._numbers = 0
        self._all: dict[int, Process] = {}
        self._sending = asyncio.Lock()
        self._reading = asyncio.create_task(self._read(), name="control socket of a sandbox")
        self.over = asyncio.Event()  # the launcher is gone

    @property
    def running(self) -> int:
        return sum(not process.ended.done() for process in self._all.values())

    def get(self, number: int) -> Process:
        """`SandboxMissingError`."""
        if (process := self._all.get(number)) is None:
            raise SandboxMissingError(f"there is no process {number}")
        return process

    async def launch(
        self, argv: Sequence[str], environment: Mapping[str, str], directory: str, timeout_s: float | None = None
    ) -> Process:
        """A process that was started, or told of why it could not be."""
        meta = {"name": "", "argv": list(argv), "environment": dict(environment), "directory": directory}
        return await self._start(frames.LAUNCH, {**meta, "streams": True}, timeout_s)

    async def copy(self, direction: Literal["put", "get"], place: str) -> Process:
        """A process that copies a tree from its standard input, or to its standard output."""
        return await self._start(frames.COPY, {direction: place}, None)

    def kill(self, number: int, which: int = signal.SIGKILL) -> None:
        """Send a signal to one that runs. Nothing happens to one that has ended."""
        process = self.get(number)
        if not process.ended.done():
            task = self._loop.create_task(self._send(frames.SIGNAL, number, {"signal": which}, ()))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._end_all("the sandbox was removed")
        self._control.close()
        for process in self._all.values():
            process.pipes.close()

    async def _start(self, kind: int, meta: dict[str, Any], timeout_s: float | None) -> Process:
        if self.over.is_set():
            raise SandboxEndedError("the sandbox has ended")
        self._forget()
        self._numbers += 1
        pipes, ends = Pipes.open()
        process = self._all[self._numbers] = Process(self._numbers, pipes)
        try:
            await self._send(kind, process.number, meta, ends)
        finally:
            for end in ends:
                os.close(end)
        async with asyncio.timeout(_WINDOW_S):
            failed = await process.started
        if failed is not None:
            process.ended.set_result(failed)
        elif timeout_s is not None:
            process.timer = self._loop.call_later(timeout_s, self.kill, process.number)
        return process

    async def _send(self, kind: int, number: int, meta: dict[str, Any], descriptors: Sequence[int]) -> None:
        frame = frames.encode(kind, meta, b"", number)
        async with self._sending:
            if descriptors:
                while True:
                    try:
                        socket.send_fds(self._control, [frame[:1]], list(descriptors))
                        break
                    except BlockingIOError:
                        await asyncio.sleep(0.001)
                frame = frame[1:]
            await self._loop.sock_sendall(self._control, frame)

    async def _read(self) -> None:
        try:
            while data := await self._loop.sock_recv(self._control, CHUNK):
                for frame in self._decoder.feed(data):
                    self._hear(frame)
        except (OSError, frames.FrameError):
            pass
        finally:
            self.over.set()
            self._end_all("the sandbox has ended")

    def _hear(self, frame: frames.Frame) -> None:
        process = self._all.get(frame.number)
        if process is None:
            return
        if frame.kind == frames.LAUNCHED and not process.started.done():
            process.started.set_result(None)
        elif frame.kind == frames.LAUNCH_FAILED and not process.started.done():
            process.started.set_result(Ending(error=str(frame.meta["error"])))
        elif frame.kind == frames.ENDED and not process.ended.done():
            meta = frame.meta
            process.ended.set_result(Ending(code=meta.get("code"), signal=meta.get("signal")))
            if process.timer is not None:
                process.timer.cancel()

    def _end_all(self, why: str) -> None:
        for process in self._all.values():
            if not process.started.done():
                process.started.set_result(Ending(error=why))
            if not process.ended.done():
                process.ended.set_result(Ending(error=why))
            if process.timer is not None:
                process.timer.cancel()

    def _forget(self) -> None:
        """The oldest ones that have ended."""
        ended = [number for number, process in self._all.items() if process.ended.done()]
        for number in ended[: max(0, len(ended) - MOST_ENDED + 1)]:
            self._all.pop(number).pipes.close()


async def become_launcher(control: socket.socket, environment: Mapping[str, str]) -> None:
    """Have a Python that waits for its function start programs instead; OSError, `FrameError` when it does not."""
    loop, decoder = asyncio.get_running_loop(), frames.Decoder()
    meta = {"environment": dict(environment), "task_root": "/var/task"}
    await loop.sock_sendall(control, frames.encode(frames.LAUNCHER, meta))
    while data := await loop.sock_recv(control, CHUNK):
        for frame in decoder.feed(data):
            if frame.kind == frames.READY:
                return
            raise ConnectionError("it answered something else")
    raise ConnectionError("it ended")
