"""Sandboxes whose runtime is the test itself: no process, every frame sent when the test says so."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence

from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit, Interpreter, Origin, Place, SandboxSpec
from mayfly.sandbox.without_templates import WithoutTemplates


class Scripted:
    """One sandbox, and the runtime in it."""

    origin: Origin = "process"
    endpoint: socket.socket | None = None

    def __init__(self, number: int) -> None:
        self.id = f"puppet-{number}"
        self.control, self._peer = socket.socketpair()
        self.output, self._printing = os.pipe()
        self.control.setblocking(False)
        self._peer.setblocking(False)
        os.set_blocking(self.output, False)
        self._decoder = frames.Decoder()
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.calls: dict[int, str] = {}  # request ids by number, of what was not answered
        self.seen: list[str] = []  # all request ids, in the order of their coming
        self.ahead: list[str] = []  # those that were sent behind another call
        self.allowed: list[float] = []  # processors, as it was told
        self.loading = True
        self._early: list[frames.Frame] = []
        self.continued = 0  # how often, since its init, it was told that its pipe is empty

    # The sandbox.

    @property
    def runtime_api(self) -> socket.socket | None:
        return None

    @property
    def layers(self) -> tuple[str, ...]:
        return ()

    async def dial(self) -> socket.socket:
        raise ConnectionError("there is no network")

    async def listen(self, places: Sequence[Place]) -> list[socket.socket]:
        raise ConnectionError("there is no network")

    async def exited(self) -> Exit:
        return await asyncio.shield(self._exit)

    def peak_memory(self) -> int:
        return 1 << 20

    def peak_file(self) -> int | None:
        return None

    def freeze(self) -> bool:
        return False

    def thaw(self) -> None:
        return None

    def limit_cpus(self, cpus: float) -> None:
        self.allowed.append(cpus)

    def kill(self) -> None:
        self._end(Exit("killed", 9, 1 << 20))

    async def discard(self) -> Exit:
        self.kill()
        return await self.exited()

    # The runtime.

    @property
    def alive(self) -> bool:
        return not self._exit.done()

    def look(self) -> None:
        """Read what has come."""
        with contextlib.suppress(BlockingIOError):
            while self.alive and (data := self._peer.recv(1 << 16)):
                for frame in self._decoder.feed(data):
                    if frame.kind == frames.INVOKE and self.loading:
                        self._early.append(frame)
                    elif frame.kind == frames.INVOKE:
                        self._hear(frame)
                        if frame.flags & frames.AHEAD:
                            self.ahead.append(self.calls[frame.number])
                    elif frame.kind == frames.CONTINUE and self.loading:
                        self._loaded()
                    else:
                        self.continued += frame.kind == frames.CONTINUE

    def _loaded(self) -> None:
        """What init printed was read: a call that came along with what to load begins."""
        self.loading, early, self._early = False, self._early, []
        for frame in early:
            self._hear(frame)

    def _hear(self, frame: frames.Frame) -> None:
        self.calls[frame.number] = frames.call_fields(frame.head)[0]
        self.seen.append(self.calls[frame.number])

    def ready(self, concurrency: int) -> None:
        self.look()
        if not self._early:
            self.loading = False
        self._say(frames.encode(frames.READY, {"init_ms": 1.0, "concurrency": concurrency}))

    def fail_init(self) -> None:
        self._say(frames.encode(frames.INIT_ERROR, None, b"{}"))

    def answer(self, number: int, flags: int = 0) -> None:
        self._say(frames.encode_result(number, self.calls.pop(number).encode(), flags))

    def write(self, text: bytes) -> None:
        """Into the pipe."""
        os.write(self._printing, text)

    def print(self, number: int, text: bytes) -> None:
        self._say(frames.encode(frames.OUTPUT, None, text, number))

    def die(self) -> None:
        self._end(Exit("exited", 1, 1 << 20))

    def _say(self, data: bytes) -> None:
        if self.alive:
            self._peer.send(data)

    def _end(self, how: Exit) -> None:
        if not self._exit.done():
            self._exit.set_result(how)
            self._peer.close()
            os.close(self._printing)


class ScriptedFactory(WithoutTemplates):
    level = "process"

    def __init__(self) -> None:
        self.puppets: list[Scripted] = []

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        return None

    async def start(self, spec: SandboxSpec) -> Scripted:
        self.puppets.append(Scripted(len(self.puppets) + 1))
        return self.puppets[-1]

    async def close(self) -> None:
        for puppet in self.puppets:
            puppet.kill()


async def settle(factory: ScriptedFactory) -> None:
    """Let everything that was said be heard, by both sides."""
    for _ in range(12):
        await asyncio.sleep(0)
        for puppet in factory.puppets:
            puppet.look()
