"""One sandbox that the agent made, as the server has it; `agent_client` tells it what the agent says of it."""

import asyncio
import collections
import contextlib
import dataclasses
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from mayfly.sandbox import peak
from mayfly.sandbox.agent import channel
from mayfly.sandbox.agent_process import AgentProcess
from mayfly.sandbox.api import Exit, Origin, Place, SandboxSpec, SandboxStartError
from mayfly.sandbox.denials import Listener

_SOCKETS_AT_ONCE = 4
_SOCKETS_A_MESSAGE = 32


class AgentSandbox:
    """One sandbox that the agent made; see `Sandbox`."""

    def __init__(self, name: str, control: socket.socket, output: int, agent: AgentProcess, spec: SandboxSpec) -> None:
        self._id = name
        self.owner = spec.owner
        self._program = spec.program
        self._listener: Listener | None = None
        self._runtime_api: socket.socket | None = None
        self._sockets: collections.deque[socket.socket] = collections.deque()  # of its network, unused
        self._dialling: collections.deque[asyncio.Future[None]] = collections.deque()
        self._listening: collections.deque[asyncio.Future[list[socket.socket]]] = collections.deque()
        self._control = control
        self._output = output
        self._agent = agent
        self._endpoint: socket.socket | None = None
        self._origin: Origin = "interpreter"
        self._peak = -1
        self._peak_bytes = 0
        self._freezer = -1
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    @property
    def id(self) -> str:
        return self._id

    @property
    def origin(self) -> Origin:
        return self._origin

    @property
    def control(self) -> socket.socket:
        return self._control

    @property
    def output(self) -> int:
        return self._output

    @property
    def endpoint(self) -> socket.socket | None:
        return self._endpoint

    @property
    def runtime_api(self) -> socket.socket | None:
        return self._runtime_api

    @property
    def layers(self) -> tuple[str, ...]:
        if self._origin != "template":
            return self._agent.layers
        # Forks of one template are one user in one user namespace, which nobody else is or has.
        return tuple(one.replace("of its own", "of its version") for one in self._agent.layers)

    async def dial(self) -> socket.socket:
        if not self._exit.done() and not self._sockets:
            asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._dialling.append(asked)
            self._agent.send({"op": channel.DIAL, "id": self._id, "count": _SOCKETS_AT_ONCE}, [])
            await asked
        if self._exit.done():
            raise ConnectionError("the sandbox has ended")
        return self._sockets.popleft()

    async def listen(self, places: Sequence[Place]) -> list[socket.socket]:
        made: list[socket.socket] = []
        try:
            for first in range(0, len(places), _SOCKETS_A_MESSAGE):
                made += await self._listen(places[first : first + _SOCKETS_A_MESSAGE])
        except BaseException:
            for one in made:
                one.close()
            raise
        return made

    async def _listen(self, places: Sequence[Place]) -> list[socket.socket]:
        if self._exit.done():
            raise ConnectionError("the sandbox has ended")
        asked: asyncio.Future[list[socket.socket]] = asyncio.get_running_loop().create_future()
        self._listening.append(asked)
        self._agent.send({"op": channel.LISTEN, "id": self._id, "at": list(places)}, [])
        return await asked

    async def exited(self) -> Exit:
        return await asyncio.shield(self._exit)

    def peak_memory(self) -> int:
        if self._exit.done():
            return self._exit.result().peak_memory_bytes
        with contextlib.suppress(OSError):  # the group is gone, and word of it is on its way
            self._peak_bytes = max(self._peak_bytes, peak.read(self._peak))
        return self._peak_bytes

    def freeze(self) -> bool:
        if self._freezer < 0:
            return False
        try:
            os.write(self._freezer, b"1")
        except OSError:  # the group is gone, and word of it is on its way
            return False
        return True

    def thaw(self) -> None:
        if self._freezer >= 0:
            with contextlib.suppress(OSError):  # as above
                os.write(self._freezer, b"0")

    def peak_file(self) -> int | None:
        return self._peak if self._peak >= 0 and not self._exit.done() else None

    def limit_cpus(self, cpus: float) -> None:
        if not self._exit.done():
            self._agent.send({"op": channel.LIMIT, "id": self._id, "cpus": cpus}, [])

    def kill(self) -> None:
        if not self._exit.done():
            self._agent.send({"op": channel.KILL, "id": self._id}, [])

    async def discard(self) -> Exit:
        self.kill()
        return await self.exited()

    def running(self, origin: Origin, descriptors: list[int], hear: Callable[[int], Listener] | None) -> None:
        """Told by the factory: isolated, and waiting for its first frame. `hear`: there is a listener of denials."""
        self._origin = origin
        endpoint, *rest = descriptors
        self._endpoint = socket.socket(fileno=endpoint)
        if self._program:
            self._runtime_api = socket.socket(fileno=rest.pop(0))
        if hear is not None:
            self._listener = hear(rest.pop(0))
        self._peak, self._freezer = rest[0], rest[1] if len(rest) > 1 else -1

    def heard(self, listener: Listener) -> None:
        """Told by the factory: there is a listener of denials, which came later."""
        self._listener = listener

    def came_from(self, origin: Origin) -> None:
        """Told by the factory: the agent does not tell one program from another."""
        self._origin = origin

    def fitted(self, owner: str) -> None:
        """Told by the agent's end: it waited for its function, and has one."""
        self._origin, self.owner = "pool", owner
        if self._listener is not None:
            self._listener.owner = owner

    def dialled(self, descriptors: list[int], error: str) -> None:
        """Told by the factory, once for each time that it was asked."""
        asked = self._dialling.popleft()
        self._sockets.extend(socket.socket(fileno=descriptor) for descriptor in descriptors)
        resolve(asked, ConnectionError(error) if error else None)

    def listened(self, descriptors: list[int], error: str) -> None:
        """Told by the factory, once for each time that it was asked."""
        asked = self._listening.popleft()
        if asked.done():
            for descriptor in descriptors:
                os.close(descriptor)
        elif error:
            asked.set_exception(SandboxStartError(f"nothing can listen in the sandbox: {error}"))
        else:
            asked.set_result([socket.socket(fileno=descriptor) for descriptor in descriptors])

    def ended(self, how: Exit) -> None:
        """Told by the factory, once. A kernel that does not keep the peak may have shown more before."""
        peak = max(how.peak_memory_bytes, self._peak_bytes)
        self._exit.set_result(dataclasses.replace(how, peak_memory_bytes=peak))
        for descriptor in (self._peak, self._freezer):
            if descriptor >= 0:
                os.close(descriptor)
        self._freezer = -1
        if self._listener is not None:
            self._listener.close()
        for one in self._sockets:
            one.close()
        self._sockets.clear()
        for asked in self._dialling:
            resolve(asked)
        self._dialling.clear()
        for waits in self._listening:
            resolve(waits, ConnectionError("the sandbox has ended"))
        self._listening.clear()


def resolve(future: asyncio.Future[Any] | None, error: Exception | None = None) -> None:
    """Let whoever waits go on, or fail; nothing happens where nobody does."""
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
