"""Links that close circles among the parts: made empty, bound once by the root before anything is served."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.engine.api import Target
from mayfly.http.server import FrontDoor
from mayfly.services.contract import HttpRequest, HttpResponse, Principal, RequestContext
from mayfly.services.ports import SdkOperations, ServiceRequests

# To the platform from inside one sandbox at a time. AWS SDKs keep some ten open.
MAX_CONNECTIONS = 256


class LateSdkOperations:
    """`ports.SdkOperations` for services whose own operations are among those that they may call."""

    def __init__(self) -> None:
        self._calls: SdkOperations | None = None

    def bind(self, calls: SdkOperations) -> None:
        """Say where operations are."""
        self._calls = calls

    async def find(self, service: str, action: str) -> tuple[str, str] | None:
        """See `ports.SdkOperations`."""
        assert self._calls is not None, "bound before anything is served"
        return await self._calls.find(service, action)

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See `ports.SdkOperations`."""
        assert self._calls is not None, "bound before anything is served"
        return await self._calls.call_json(context, service, operation, document)


class LateServiceRequests:
    """`ports.ServiceRequests` for services that the requests may be for."""

    def __init__(self) -> None:
        self._requests: ServiceRequests | None = None

    def bind(self, requests: ServiceRequests) -> None:
        """Say who answers."""
        self._requests = requests

    def knows(self, service: str) -> bool:
        """See `ports.ServiceRequests`."""
        assert self._requests is not None, "bound before anything is served"
        return self._requests.knows(service)

    async def send(
        self, request: HttpRequest, principal: Principal, service: str, region: str, action: str | None = None
    ) -> HttpResponse:
        """See `ports.ServiceRequests`."""
        assert self._requests is not None, "bound before anything is served"
        return await self._requests.send(request, principal, service, region, action)


class Endpoints:
    """`engine.api.EndpointServer`: answers inside each sandbox what the front door answers outside."""

    def __init__(self) -> None:
        self._door: FrontDoor | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def bind(self, door: FrontDoor) -> None:
        """Say which front door answers."""
        self._door = door

    def __call__(self, target: Target, instance: str, listener: socket.socket) -> Callable[[], None]:
        assert self._door is not None, "bound before anything is served"
        door, loop = self._door, asyncio.get_running_loop()
        opening = loop.create_task(door.listen(listener, MAX_CONNECTIONS), name=f"endpoint-{instance}")

        async def close_opened() -> None:
            door.stop_listening(await opening)

        def close() -> None:
            closing = loop.create_task(close_opened(), name=f"endpoint-{instance}-close")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

        return close
