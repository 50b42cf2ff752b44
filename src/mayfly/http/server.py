"""Sockets and their lives: the public listener, and one listener inside each sandbox.

A connection's listener says where a request came from; that is why instances need neither a proxy nor a shared network.
Built and closed by `app.py`, on whose event loop it runs.
"""

import asyncio
import email.utils
import errno
import socket
from contextlib import suppress

from uvicorn.config import Config
from uvicorn.server import ServerState

from mayfly.errors import PlatformError
from mayfly.http.asgi import Application
from mayfly.http.protocol import GuardedProtocol, Quota
from mayfly.settings import HttpSettings

BACKLOG = 2048
MAX_CONNECTIONS = 16_384


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


class FrontDoor:
    """Serves one application on any number of listeners."""

    def __init__(self, application: Application, settings: HttpSettings) -> None:
        self._protocol = GuardedProtocol.limited_to(settings.header_bytes)
        self._config = Config(
            application,
            http=self._protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(settings.keep_alive_s),
            limit_concurrency=MAX_CONNECTIONS,
        )
        self._config.load()
        self._state = ServerState()
        self._servers: set[asyncio.Server] = set()
        self._date: asyncio.Task[None] | None = None

    async def listen(self, listener: socket.socket, max_connections: int | None = None) -> asyncio.Server:
        """Accept on `listener`, which the front door owns from now on, until `stop_listening` or `close`.

        Connections beyond `max_connections` at a time are closed as soon as they are made.
        """
        quota = Quota(max_connections) if max_connections is not None else None

        def connection() -> asyncio.Protocol:
            made = self._protocol(self._config, self._state, {})
            made.quota = quota
            return made

        if self._date is None:
            self._date = asyncio.get_running_loop().create_task(self._tick(), name="http-tick")
        server = await asyncio.get_running_loop().create_server(connection, sock=listener, backlog=BACKLOG)
        self._servers.add(server)
        return server

    def stop_listening(self, server: asyncio.Server) -> None:
        """Close one listener; its open connections end with their clients."""
        self._servers.discard(server)
        server.close()

    def refuse(self) -> None:
        """Accept nothing more; each connection ends with the request that it is busy with."""
        for server in list(self._servers):
            self.stop_listening(server)
        for connection in list(self._state.connections):
            connection.shutdown()

    def under_way(self) -> int:
        """How many requests are being answered."""
        return len(self._state.tasks)

    async def drained(self) -> None:
        """Return when no request is being answered."""
        while self._state.tasks:
            await asyncio.wait(list(self._state.tasks))

    async def close(self) -> None:
        """Cut off whatever is left."""
        self.refuse()
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        if self._date is not None:
            self._date.cancel()
            with suppress(asyncio.CancelledError):
                await self._date
            self._date = None

    async def _tick(self) -> None:
        """Once a second: the Date header of all replies, and a look for clients that have stalled."""
        while True:
            self._state.default_headers = [(b"date", email.utils.formatdate(usegmt=True).encode())]
            now = asyncio.get_running_loop().time()
            for connection in list(self._state.connections):
                if isinstance(connection, GuardedProtocol):
                    connection.cut_if_stalled(now)
            await asyncio.sleep(1)
