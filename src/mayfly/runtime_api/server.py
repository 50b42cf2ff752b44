"""What one sandbox is served at its `runtime_api`: which interface a path belongs to, and the listening itself."""

import asyncio
import socket

from mayfly.runtime_api import runtime
from mayfly.runtime_api.connection import Crowd, maker
from mayfly.runtime_api.exchange import NOT_FOUND, Ignored, Reply, Request, Sink
from mayfly.runtime_api.invocation import Invocation


class RuntimeApi:
    """Made before the first program of the sandbox runs, and closed with the sandbox."""

    def __init__(self, hears: runtime.Hears, *, restores: bool = False) -> None:
        self._runtime = runtime.Runtime(hears, restores=restores)
        self._crowd = Crowd(self)
        self._server: asyncio.Server | None = None

    async def listen(self, listener: socket.socket) -> None:
        """Serve whoever connects there; the socket is this object's from here on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(maker(self._crowd), sock=listener, backlog=128)

    def invoke(self, invocation: Invocation) -> None:
        self._runtime.invoke(invocation)

    @property
    def undelivered(self) -> list[Invocation]:
        """The calls that nobody in the sandbox knows of."""
        return self._runtime.undelivered

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._crowd.count

    def begin(self, request: Request, reply: Reply) -> Sink:
        """See `exchange.Answers`."""
        if request.path.startswith(runtime.VERSION + "/"):
            return self._runtime.begin(request, reply)
        reply.send(NOT_FOUND)
        return Ignored()

    def close(self) -> None:
        """Serve nobody any more. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._crowd.close()
