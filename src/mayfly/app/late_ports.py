"""What services need of one another, where the one that gives it may not be there yet: each port of `services.ports`
over a `Late`. A part of a transaction makes the service at once, in the store's thread; everything else waits for it
beside the loop. What a service that nobody ever used cannot have anything to do with does not make it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mayfly.late import Late
from mayfly.services.contract import HttpRequest, HttpResponse, LateService, Service
from mayfly.services.ports import (
    PLAIN,
    EventTargets,
    HeldMessage,
    PlatformEvents,
    QueueMessage,
    SentMessage,
    Source,
    TargetOptions,
)
from mayfly.store.api import Tx

if TYPE_CHECKING:  # what is late is not imported here
    from mayfly.app.messaging import Buses
    from mayfly.services.apis.directory import Directory
    from mayfly.services.apis.service import ApisService
    from mayfly.services.autoscaling.service import AutoscalingService
    from mayfly.services.objects.cors import CorsRule
    from mayfly.services.objects.service import ObjectsService
    from mayfly.services.queues.service import QueuesService


class OnTheWire(LateService):
    """A service as the wire asks for it: one of those that something late is made of."""

    def __init__(
        self, name: str, ready: Callable[[], Awaitable[Service]], around: Callable[[Service], Service]
    ) -> None:
        """`around`: what every service is wrapped in before anybody calls it."""
        self.name = name
        self._ready = ready
        self._around = around

    async def ready(self) -> Service:
        return self._around(await self._ready())


class LateTargets:
    """`ports.EventTargets`."""

    def __init__(self, ready: Callable[[], Awaitable[EventTargets]], now: Callable[[], EventTargets]) -> None:
        self._ready = ready
        self._now = now

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        await (await self._ready()).check(arn, principal, source_arn, source_account)

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        self._now().accept(tx, arn, event, options)


class LateQueues:
    """`ports.QueueSink` and `ports.QueueSource`."""

    def __init__(self, queues: "Late[QueuesService]") -> None:
        self._queues = queues

    def send(self, tx: Tx, queue_arn: str, message: QueueMessage) -> SentMessage:
        return self._queues.now().sink.send(tx, queue_arn, message)

    async def visibility_s(self, queue_arn: str) -> int:
        return await (await self._queues.ready()).source.visibility_s(queue_arn)

    async def receive(self, queue_arn: str, most: int, wait_s: float) -> Sequence[HeldMessage]:
        return await (await self._queues.ready()).source.receive(queue_arn, most, wait_s)

    def delete(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        return self._queues.now().source.delete(tx, queue_arn, handles)

    def give_back(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        return self._queues.now().source.give_back(tx, queue_arn, handles)

    def hold(self, tx: Tx, queue_arn: str, handles: Sequence[str], visibility_s: int) -> int:
        return self._queues.now().source.hold(tx, queue_arn, handles, visibility_s)

    def dismiss(self) -> None:
        """Answer receivers that wait."""
        if self._queues.made is not None:
            self._queues.made.dismiss()


class LateBus:
    """`ports.PlatformEvents`: the default bus. While buses were never used, there is no rule that could hear of it."""

    def __init__(self) -> None:
        self._buses: Late[Buses] | None = None

    def bind(self, buses: "Late[Buses]") -> None:
        """Say where buses are, once."""
        self._buses = buses

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        buses = self._buses.made if self._buses is not None else None
        if buses is not None:
            heard: PlatformEvents = buses.events.platform_events
            heard.emit(tx, source, detail_type, detail, resources)


class LateDestinations:
    """`ports.DestinationCalls`."""

    def __init__(self, buses: "Late[Buses]") -> None:
        self._buses = buses

    async def deliver(
        self, arn: str, body: bytes, path_values: Sequence[str], headers: Mapping[str, str], query: Mapping[str, str]
    ) -> bytes:
        return await (await self._buses.ready()).calls.deliver(arn, body, path_values, headers, query)


class LateObjects:
    """`ports.CodeSource` and `ports.ObjectSink`, the rules of browsers, and what is swept."""

    def __init__(self, objects: "Late[ObjectsService]") -> None:
        self._objects = objects

    async def open(self, bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        return await (await self._objects.ready()).open(bucket, key, version)

    async def has_bucket(self, bucket: str) -> bool:
        return await (await self._objects.ready()).has_bucket(bucket)

    async def put(self, bucket: str, key: str, body: bytes, content_type: str, source: Source) -> None:
        await (await self._objects.ready()).put(bucket, key, body, content_type, source)

    async def cors_rules(self, bucket: str) -> "tuple[CorsRule, ...]":
        return await (await self._objects.ready()).cors_rules(bucket)

    async def collect(self, grace_s: float) -> int:
        """See `ObjectsService`; nothing was ever put where it is not there."""
        return 0 if self._objects.made is None else await self._objects.made.collect(grace_s)


class LatePolicies:
    """What wakes the scaling of capacity."""

    def __init__(self, scaling: "Late[AutoscalingService]") -> None:
        self._scaling = scaling

    def wake(self) -> None:
        """Without any policy there is nothing to wake."""
        if self._scaling.made is not None:
            self._scaling.made.scaler.wake()


class LateApis:
    """`http.routes.Apis`: the directory says which APIs there are; without any there are no domain names either."""

    def __init__(self, apis: "Late[ApisService]", directory: "Directory") -> None:
        self._apis = apis
        self._directory = directory

    def has(self, api_id: str) -> bool:
        return self._directory.kind(api_id) is not None

    def knows(self, host: str) -> bool:
        return self._apis.made is not None and self._apis.made.door.knows(host)

    async def by_id(self, api_id: str, request: HttpRequest) -> HttpResponse:
        return await (await self._apis.ready()).door.by_id(api_id, request)

    async def by_domain(self, host: str, request: HttpRequest) -> HttpResponse:
        return await (await self._apis.ready()).door.by_domain(host, request)
