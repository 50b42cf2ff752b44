"""Sockets and their lives: the public listener, and one listener inside each sandbox.

A connection's listener says where a request came from; that is why instances need neither a proxy nor a shared network.
Built and closed by `app.py`, on whose event loop it runs.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from mayfly.errors import PlatformError
from mayfly.http.api import Answer
from mayfly.http.protocol import Connection
from mayfly.http.traffic import Quota, Traffic
from mayfly.settings import HttpSettings

BACKLOG = 2048

Make = Callable[[Traffic], Connection]


class PortInUseError(PlatformError):
    """Somebody else listens where Mayfly was told to."""


def bind(settings: HttpSettings) -> socket.socket:
    """The public listening socket; `PortInUseError`, or `PlatformError` when the address is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PlatformError(f"cannot listen on {settings.host}:{settings.port}: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {settings.port} on {settings.host} is in use; stop its owner or choose another with --port"
            ) from error
        raise PlatformError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def bind_beside(listener: socket.socket) -> socket.socket:
    """One more listening socket at the address of `listener`: the kernel deals new connections out among them all.

    The first one was bound without SO_REUSEPORT, so that a second server at the same address is still refused.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    beside = socket.socket(listener.family, listener.type, listener.proto)
    try:
        beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        beside.bind(listener.getsockname())
        beside.listen(BACKLOG)
    except OSError as error:
        beside.close()
        raise PlatformError(f"cannot listen once more at {listener.getsockname()}: {error.strerror}") from error
    beside.setblocking(False)
    return beside


class FrontDoor:
    """Serves one answer on any number of listeners. Made on the event loop that serves."""

    def __init__(self, answer: Answer, settings: HttpSettings) -> None:
        self._traffic = Traffic(answer, settings)
        self._servers: set[asyncio.Server] = set()
        self._ticking: asyncio.Task[None] | None = None

    async def listen(
        self,
        listener: socket.socket,
        max_connections: int | None = None,
        make: Make | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> asyncio.Server:
        """Accept on `listener`, which the front door owns from now on, until `stop_listening` or `close`.

        Connections beyond `max_connections` at a time are closed as soon as they are made. `make` makes each; by
        default it is one that stays here.
        """
        quota = Quota(max_connections) if max_connections is not None else None

        def connection() -> Connection:
            return Connection(self._traffic, quota) if make is None else make(self._traffic)

        self._tick_from_now_on()
        server = await asyncio.get_running_loop().create_server(connection, sock=listener, backlog=BACKLOG, ssl=tls)
        self._servers.add(server)
        return server

    async def adopt(self, accepted: socket.socket, make: Make) -> None:
        """Serve a connection that somebody else accepted, which the front door owns from now on."""
        self._tick_from_now_on()
        accepted.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: make(self._traffic), accepted)
        except OSError:
            accepted.close()  # its client is gone

    def stop_listening(self, server: asyncio.Server) -> None:
        """Close one listener; its open connections end with their clients."""
        self._servers.discard(server)
        server.close()

    def refuse(self) -> None:
        """Accept nothing more; each connection ends with the request that it is busy with."""
        for server in list(self._servers):
            self.stop_listening(server)
        self._traffic.refuse()

    def under_way(self) -> int:
        """How many requests are being answered."""
        return len(self._traffic.tasks)

    async def drained(self) -> None:
        """Return when no request is being answered."""
        await self._traffic.drained()

    async def close(self) -> None:
        """Cut off whatever is left."""
        self.refuse()
        self._traffic.cut()
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking
            self._ticking = None

    def _tick_from_now_on(self) -> None:
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().create_task(self._tick(), name="http-tick")

    async def _tick(self) -> None:
        """Once a second: the Date header of all replies, and a look for clients that have stalled."""
        while True:
            self._traffic.tick()
            await asyncio.sleep(1)
