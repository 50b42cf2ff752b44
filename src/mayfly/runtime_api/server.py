"""What one sandbox is served at its `runtime_api`: which interface a path belongs to, and the listening itself."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from mayfly.clock import Clock
from mayfly.runtime_api import extensions, runtime, telemetry
from mayfly.runtime_api.connection import Crowd, maker
from mayfly.runtime_api.exchange import NOT_FOUND, Ignored, Reply, Request, Sink
from mayfly.runtime_api.extensions import Extensions
from mayfly.runtime_api.invocation import Invocation
from mayfly.runtime_api.telemetry import Telemetry


class Hears(runtime.Hears, extensions.Hears, Protocol):
    """Who is told what comes from inside."""


class RuntimeApi:
    """Made before the first program of the sandbox runs, and closed with the sandbox."""

    def __init__(
        self,
        hears: Hears,
        new_id: Callable[[], str],
        clock: Clock,
        on_line: Callable[[str], None],
        *,
        restores: bool = False,
    ) -> None:
        """`new_id` makes UUIDs; `on_line`: see `telemetry.Telemetry`; `restores`: see `runtime.Runtime`."""
        self.runtime = runtime.Runtime(hears, restores=restores)
        self.extensions = Extensions(hears, new_id)
        self.telemetry = Telemetry(self.extensions.who, clock, on_line)
        self._crowd = Crowd(self)
        self._server: asyncio.Server | None = None

    async def listen(self, listener: socket.socket) -> None:
        """Serve whoever connects there; the socket is this object's from here on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(maker(self._crowd), sock=listener, backlog=128)

    def invoke(self, invocation: Invocation) -> None:
        """Hand a call to the runtime, and tell the extensions."""
        self.extensions.invoke(invocation)
        self.runtime.invoke(invocation)

    @property
    def undelivered(self) -> list[Invocation]:
        """The calls that the runtime has not asked for."""
        return self.runtime.undelivered

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._crowd.count

    def begin(self, request: Request, reply: Reply) -> Sink:
        """See `exchange.Answers`."""
        if request.path.startswith(runtime.VERSION + "/"):
            return self.runtime.begin(request, reply)
        if request.path.startswith(extensions.VERSION + "/"):
            return self.extensions.begin(request, reply)
        if request.path.startswith((telemetry.TELEMETRY, telemetry.LOGS)):
            return self.telemetry.begin(request, reply)
        reply.send(NOT_FOUND)
        return Ignored()

    def close(self) -> None:
        """Serve nobody any more. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._crowd.close()
        self.telemetry.close()
