"""Sandboxes without processes: their runtime is a few lines in the test's own loop, which does what the test says.

So an engine with hundreds of instances runs as fast as its own code, and in an order that the test decides.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence

from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit, Interpreter, Origin, Place, SandboxSpec
from mayfly.sandbox.without_templates import WithoutTemplates

_KILLED = Exit("killed", 9, 0)


class Puppet:
    """One sandbox. Its runtime is ready at once unless `Puppets.holds_init`; `Puppets.answer` ends its call."""

    origin: Origin = "process"

    def __init__(self, number: int, spec: SandboxSpec, owner: "Puppets") -> None:
        self.id = f"puppet-{number}"
        self.label = spec.label
        self.control, self.theirs = socket.socketpair()
        self.control.setblocking(False)
        self.theirs.setblocking(False)
        self.output, self._write = os.pipe()
        os.set_blocking(self.output, False)
        self.endpoint: socket.socket | None = None
        self._owner = owner
        self.taken = 0  # bytes of chunks, as it was told
        self._decoder = frames.Decoder()
        self._early: list[frames.Frame] = []  # that came with what to load, and wait until all is read that it printed
        self._may_begin = False
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[Exit] = self._loop.create_future()
        self._loop.add_reader(self.theirs, self._readable)

    def _readable(self) -> None:
        data = self.theirs.recv(1 << 20)
        if not data:
            self.kill()
        for frame in self._decoder.feed(data):
            if frame.kind == frames.INIT:
                self._owner.initializes(self)
            elif frame.kind == frames.INVOKE and frame.flags & frames.AHEAD and not self._may_begin:
                self._early.append(frame)
            elif frame.kind == frames.INVOKE:
                self._begin(frame)
            elif frame.kind == frames.CONTINUE:
                self._may_begin = True
                while self._early:
                    self._begin(self._early.pop(0))
            elif frame.kind == frames.MORE:
                self.taken += frame.meta["bytes"]

    def _begin(self, call: frames.Frame) -> None:
        request = frames.call_fields(call.head)[0]
        self._owner.calls[request] = self, call.number
        self._owner.on_call(request)

    def say(self, frame: bytes) -> None:
        if not self._exit.done():
            self.theirs.send(frame)

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
        return 0

    def peak_file(self) -> int | None:
        return None

    def limit_cpus(self, cpus: float) -> None:
        """Nothing limits it."""

    def kill(self) -> None:
        if not self._exit.done():
            self._loop.remove_reader(self.theirs)
            self.theirs.close()
            os.close(self._write)
            self._exit.set_result(_KILLED)

    def freeze(self) -> bool:
        return False

    def thaw(self) -> None: ...

    async def discard(self) -> Exit:
        self.kill()
        return await self.exited()


class Puppets(WithoutTemplates):
    """The factory. `on_call` is told of each call that a runtime got."""

    level = "process"

    def __init__(self) -> None:
        self.made: list[Puppet] = []
        self.calls: dict[str, tuple[Puppet, int]] = {}  # that run, by id of the request
        self.on_call: Callable[[str], None] = lambda request: None
        self.holds_init = False
        self.initializing: list[Puppet] = []  # held

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        return None

    async def start(self, spec: SandboxSpec) -> Puppet:
        puppet = Puppet(len(self.made), spec, self)
        self.made.append(puppet)
        return puppet

    def initializes(self, puppet: Puppet) -> None:
        if self.holds_init:
            self.initializing.append(puppet)
        else:
            self.ready(puppet)

    def answer(self, request: str, payload: bytes = b"null") -> None:
        """Let a call that runs end."""
        puppet, number = self.calls.pop(request)
        puppet.say(frames.encode_result(number, payload))

    def ready(self, puppet: Puppet) -> None:
        """Let an instance be initialized."""
        puppet.say(frames.encode(frames.READY))

    async def close(self) -> None:
        for puppet in self.made:
            await puppet.discard()


async def calm(turns: int = 30) -> None:
    """Let everything that can happen without an answer happen."""
    for _ in range(turns):
        await asyncio.sleep(0)
