"""`Outgoing`: the one client for all requests that the platform sends to the outside.

The library under it takes a fifth of a second to import, which a server that never sends a request can do without: it
is loaded, in a thread, with the first one. Made and closed by the composition root.
"""

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mayfly.egress.destinations import Resolve, SystemResolver, is_own
from mayfly.outgoing.api import Opened, OutgoingError, Request, Response
from mayfly.policy.egress import Address
from mayfly.policy.outgoing import Reach

if TYPE_CHECKING:  # imported with the first request
    import ssl

_SESSION = "mayfly.outgoing.session"
MadeTls = Callable[[], "ssl.SSLContext"]


class _Session(Protocol):
    async def send(self, request: Request) -> Response: ...

    async def open(self, request: Request) -> Opened: ...

    async def close(self) -> None: ...


class Outgoing:
    """Sends requests, over connections that are kept; `api.Sender`."""

    def __init__(
        self,
        reach: Reach,
        resolve: Resolve | None = None,
        own: Callable[[Address], bool] = is_own,
        tls: MadeTls | None = None,
    ) -> None:
        """`resolve` gives the addresses of names (None: as the machine does); `tls` makes what trusts authorities
        (None: the machine's own)."""
        self._reach = reach
        self._resolve = resolve
        self._system: SystemResolver | None = None
        self._own = own
        self._tls = tls
        self._opening: asyncio.Task[_Session] | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        """See `api.Sender`; the address that was checked is the one that is connected to."""
        return await (await self._ready()).send(request)

    async def open(self, request: Request) -> Opened:
        """See `api.StreamingSender`."""
        return await (await self._ready()).open(request)

    async def _ready(self) -> _Session:
        if self._closed:
            raise OutgoingError("unreachable", "the platform is stopping")
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="outgoing-open")
        # Who gives up waiting does not take what others wait for along.
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        """End every connection; later requests fail."""
        self._closed = True
        if self._opening is not None:
            await (await self._opening).close()
        if self._system is not None:
            self._system.close()

    async def _open(self) -> _Session:
        module = await asyncio.to_thread(importlib.import_module, _SESSION)
        resolve = self._resolve
        if resolve is None:
            resolve = self._system = SystemResolver()
        session: _Session = module.Session(self._reach, resolve, self._own, self._tls)
        return session
