"""The core's part in having front processes: what they are told, where connections go, when a change is settled.

`platform` makes one of these where the server has workers; without it nothing of this is there.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mayfly.app.call_records import NAME
from mayfly.clock import Clock
from mayfly.engine.engine import LocalEngine
from mayfly.front import messages
from mayfly.front.connections import CoreConnection
from mayfly.front.desk import Core
from mayfly.front.process import Front, FrontView, Plan
from mayfly.front.supervisor import Fronts
from mayfly.http.server import FrontDoor, bind_beside
from mayfly.http.traffic import Traffic
from mayfly.services.contract import Handler, RequestContext, Service
from mayfly.services.functions.log_streams import Streams
from mayfly.services.functions.service import FunctionsService
from mayfly.services.identity.service import IdentityService
from mayfly.settings import Settings
from mayfly.store.journal_follow import FollowedJournal

MODULE = "mayfly.app.front"
Journals = Mapping[str, FollowedJournal]  # by the name of the front


def front_names(count: int) -> list[str]:
    """Of so many fronts; parts of the names of their journals."""
    return [f"front{number}" for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class SettlingService:
    """A service whose changes are known everywhere when it answers."""

    name: str
    operations: Mapping[str, Handler]


class Workers:
    """Fronts, and the door of the core beside them."""

    def __init__(self, settings: Settings, journals_at: Path, lock: int, journals: Journals, clock: Clock) -> None:
        """`lock` is a descriptor that all fronts inherit; `journals` are those of at least as many as there will be."""
        self._settings = settings
        self._journals_at = journals_at
        self._lock = lock
        self._journals = journals
        self._door: FrontDoor | None = None
        self._core: Core | None = None
        self._adopting: set[asyncio.Task[None]] = set()
        self._fronts = Fronts(self._stand_in, clock)

    def serve(
        self, engine: LocalEngine, functions: FunctionsService, identity: IdentityService, streams: Streams
    ) -> None:
        """Say what fronts may have; from now on they are told of every change."""
        self._core = Core(
            leases=engine.leases,
            catalog=functions.catalog,
            keys=identity.keys,
            calls=functions.calls,
            streams=streams,
            counted=engine.counted,
            adopt=self._adopt,
        )
        functions.catalog.watch(self._fronts.revoke)
        identity.keys.watch(lambda: self._fronts.revoke("", keys=True))

    def settling(self, service: Service) -> Service:
        """`service`, acknowledging nothing before every front has forgotten what it revoked."""
        fronts = self._fronts

        def settle(handler: Handler) -> Handler:
            async def handle(context: RequestContext, params: Any) -> Any:
                try:
                    return await handler(context, params)
                finally:
                    if fronts.unsettled:
                        await fronts.settled()

            return handle

        handlers = {name: settle(handler) for name, handler in service.operations.items()}
        return SettlingService(service.name, handlers)

    async def settled(self) -> None:
        """Return when every front has forgotten what it was to forget."""
        if self._fronts.unsettled:
            await self._fronts.settled()

    async def open(self, door: FrontDoor, listener: socket.socket) -> None:
        """Accept at the address of `listener`, which is theirs from now on; at once, by the core until fronts do."""
        assert self._core is not None, "told what to serve before"
        self._door = door
        names = front_names(self._settings.http.workers)
        listeners = [listener, *(bind_beside(listener) for _ in names[1:])]
        plan = Plan(MODULE, self._lock, self._welcome)
        made = [Front(name, one, self._journals[name], plan) for name, one in zip(names, listeners, strict=True)]
        await self._fronts.start(self._core, made)

    def views(self) -> list[FrontView]:
        """The fronts, for whoever looks."""
        return self._fronts.views()

    def under_way(self) -> int:
        """How many requests fronts are answering, as of a moment ago."""
        return self._fronts.under_way

    def drain(self) -> None:
        """Have all fronts accept nothing more, finish what they have, and end."""
        self._fronts.drain()

    async def drained(self) -> None:
        """Return when no front is left, and what the last ones handed over is here."""
        await self._fronts.drained()
        if self._adopting:
            await asyncio.wait(list(self._adopting))

    async def close(self) -> None:
        """End what is left of them."""
        await self._fronts.stop()

    def _adopt(self, descriptor: int, data: bytes) -> None:
        """Take a connection that a front gives to the core."""
        assert self._door is not None, "opened before anything is adopted"
        accepted = socket.socket(fileno=descriptor)
        door = self._door
        adopting = asyncio.get_running_loop().create_task(
            door.adopt(accepted, lambda traffic: CoreConnection(traffic, self._fronts.taker, data))
        )
        self._adopting.add(adopting)
        adopting.add_done_callback(self._adopting.discard)

    async def _stand_in(self, listener: socket.socket) -> Callable[[], None]:
        assert self._door is not None
        door = self._door

        def connection(traffic: Traffic) -> CoreConnection:
            return CoreConnection(traffic, self._fronts.taker)

        server = await door.listen(listener.dup(), make=connection)
        return lambda: door.stop_listening(server)

    def _welcome(self, name: str, segment: int) -> messages.Welcome:
        settings = self._settings
        return messages.Welcome(
            account=settings.account,
            region=settings.region,
            journals=str(self._journals_at),
            journal=f"{NAME}-{name}",
            segment=segment,
            http=settings.http,
            limits=settings.limits,
            max_clock_skew_s=settings.max_clock_skew_s,
        )
