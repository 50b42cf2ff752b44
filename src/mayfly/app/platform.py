"""The composition root: every part of a platform built, handed what it needs, started and stopped in order.

Nothing else constructs services. What must exist before something else is passed to it; the circles that remain are
closed by `links`. Whatever is opened is pushed on one exit stack, so that a start that fails half-way and a stop undo
the same things in the same, reverse order.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

from mayfly.app import faces, garbage
from mayfly.app.answer_doors import URL as ANSWERS
from mayfly.app.compute import Compute, Machine
from mayfly.app.directory import DataDirectory, ServerInfo
from mayfly.app.foundations import Foundations
from mayfly.app.housekeeping import keep_house
from mayfly.app.life import Life
from mayfly.app.links import LateSdkOperations, LateServiceRequests
from mayfly.app.messaging import Messaging
from mayfly.app.options import ServerOptions
from mayfly.app.own_addresses import OwnAddresses
from mayfly.app.sandboxes import Interpreters
from mayfly.app.targets import Targets
from mayfly.app.watching import Watching
from mayfly.app.workers import Workers
from mayfly.engine.api import Engine
from mayfly.front.process import FrontView
from mayfly.http.server import FrontDoor
from mayfly.outgoing.api import Sender
from mayfly.outgoing.client import Outgoing
from mayfly.policy.outgoing import parse as reach_of
from mayfly.sandbox.api import SandboxFactory
from mayfly.sandbox.denials import Denials
from mayfly.services.apis.directory import Directory
from mayfly.services.apis.parts import Parts as ApiParts
from mayfly.services.apis.service import ApisService
from mayfly.services.autoscaling.event_targets import PolicyTargets
from mayfly.services.autoscaling.service import AutoscalingService
from mayfly.services.configs.service import Configs
from mayfly.services.contract import Service
from mayfly.services.functions.parts import Outside
from mayfly.services.identity.access import guarded
from mayfly.services.objects.service import ObjectsService
from mayfly.services.ports import PlatformEvents, Vault
from mayfly.services.queues.service import QueuesService
from mayfly.services.registries.service import RegistriesService
from mayfly.services.stacks.post import Addresses
from mayfly.services.stacks.service import StacksService
from mayfly.services.tables.service import TablesService
from mayfly.settings import Settings
from mayfly.wire.gateway import Gateway
from mayfly.wire.in_process import InProcessOperations
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue
from mayfly.wire.sdk_calls import SdkCalls
from mayfly.wire.service_requests import ServiceRequests

ANSWER_S = 2.0  # for telling callers that their function was ended


class Platform:
    """A running platform. Made by `start`, ended by `stop`."""

    def __init__(
        self, door: FrontDoor, workers: "Workers | None", engine: Engine, queues: QueuesService, cleanup: AsyncExitStack
    ) -> None:
        self._door = door
        self._workers = workers
        self._engine = engine
        self._queues = queues
        self._cleanup = cleanup
        self._hurry = asyncio.Event()

    @classmethod
    async def start(
        cls,
        options: ServerOptions,
        settings: Settings,
        directory: DataDirectory,
        info: ServerInfo,
        factory: SandboxFactory,
        denials: Denials,
        discovery: Awaitable[Interpreters],
    ) -> "Platform":
        """Build everything and begin background work; the platform owns `factory`, of which `denials` hears, from now
        on. `discovery` gives what the machine has. `MayflyError`."""
        async with AsyncExitStack() as cleanup:
            cleanup.push_async_callback(factory.close)
            life = Life(cleanup)
            base = await Foundations.open(options, settings, directory, info, life)
            machine = Machine(factory, denials, await discovery)
            return cls(*await _built(base, machine, life), cleanup.pop_all())

    async def listen(self, listener: socket.socket) -> None:
        """Answer requests that arrive at the public listener."""
        if self._workers is None:
            await self._door.listen(listener)
        else:
            await self._workers.open(self._door, listener.dup())

    def under_way(self) -> int:
        """How many requests are being answered."""
        return self._door.under_way() + (self._workers.under_way() if self._workers is not None else 0)

    async def stop(self, grace_s: float) -> None:
        """Refuse new requests, let running ones finish for `grace_s` or until `hurry`, then end everything.

        Functions that still run then are ended, and their callers told so, before connections are cut.
        """
        if self._workers is not None:
            self._workers.drain()
        self._door.refuse()
        self._queues.dismiss()
        draining = asyncio.create_task(self._drained())
        hurried = asyncio.create_task(self._hurry.wait())
        await asyncio.wait((draining, hurried), timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            await self._engine.close(0.0)
            await asyncio.wait((draining,), timeout=ANSWER_S)
        for task in (draining, hurried):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._cleanup.aclose()

    async def _drained(self) -> None:
        """Return when no request is being answered. What fronts cannot finish alone, this process does for them."""
        if self._workers is not None:
            await self._workers.drained()
        await self._door.drained()

    def hurry(self) -> None:
        """End the grace of a `stop` under way."""
        self._hurry.set()


async def _built(
    base: Foundations, machine: Machine, life: Life
) -> "tuple[FrontDoor, Workers | None, Engine, QueuesService]":
    """Everything, started; the front door, which listens nowhere yet, the workers, the engine and queues behind it."""
    targets, sdk_calls, requests = Targets(), LateSdkOperations(), LateServiceRequests()
    vault = base.vault
    network = Outgoing(reach_of(base.settings.outgoing.allow))
    life.await_at_end(network.close)
    outgoing = OwnAddresses(network, base.info.url)
    messaging = _messaging(base, targets, sdk_calls, vault, outgoing)
    events = messaging.events.platform_events
    watching = Watching(base.settings, base.store, base.clock, base.ledger, base.records.flush, targets, events)
    queues = messaging.queues
    objects = ObjectsService(base.store, base.blobs, targets, base.clock, events)
    outside = Outside(
        targets, queues.source, queues.sink, vault, events, watching.calls, objects, watching.metrics, base.ledger
    )
    compute = await Compute.build(base, machine, watching.calls.throttled, objects, outside, life)
    watching.calls.watch(compute.engine.provisioned_calls)
    targets.add("lambda", compute.functions.event_targets)
    targets.add("logs", base.logs.event_targets)
    base.logs.attach(targets, watching.metrics, base.settings.account, base.settings.region)
    tables = TablesService(base.store, base.clock)
    scaling = _scaling(base, compute, sdk_calls)
    targets.add("autoscaling", PolicyTargets(scaling.scaler.wake))
    configs = Configs(base.store, base.queue, base.clock, vault, events, targets, sdk_calls, base.info.url)
    apis = _apis(base, compute, watching, targets, sdk_calls, requests, vault, outgoing)
    workers = compute.workers(base)
    below: list[Service] = [*compute.functions.services, objects, tables, base.logs]
    below += [
        base.identity.iam,
        base.identity.sts,
        *messaging.services,
        watching.metrics,
        scaling,
        *configs.services,
        RegistriesService(),
    ]
    below += apis.services
    if workers is not None:
        below = [workers.settling(service) for service in below]
    models = Models()
    catalogue = Catalogue(
        models, frozenset((*(service.name for service in below), "cloudformation")), on_the_spot=False
    )
    # Stacks call the services below them in process, validated as from outside.
    known = {service.name: guarded(service) for service in below}
    operations = InProcessOperations(known, catalogue)
    stacks = _stacks(base, compute, operations, objects, targets, events)
    sdk_calls.bind(SdkCalls(operations, models))
    services = {service.name: guarded(service) for service in (*below, stacks)}
    gateway = Gateway(services, base.identity.keys, base.settings, base.clock, catalogue)
    requests.bind(ServiceRequests(gateway, services, models))
    fronts = workers.views if workers is not None else list[FrontView]
    own = faces.pages(base, compute, operations, list(services), fronts)
    routes = faces.routes(base, compute, messaging, gateway, objects, own, _settled(workers), apis.door, stacks.post)
    outgoing.bind(routes.answer, apis.door)
    door = FrontDoor(routes.answer, base.settings.http)
    life.await_at_end(door.close)
    compute.endpoints.bind(door)
    compute.doors.bind(door)

    await life.start(base.logs.start, base.logs.stop)
    await life.start(compute.functions.start, compute.functions.stop)
    await life.start(apis.start, apis.stop)
    await messaging.start()
    for name, run in (
        ("messaging", messaging.run),
        ("watching", watching.run),
        ("autoscaling", scaling.run),
        ("configs", configs.run),
    ):
        life.background(run(), name)
    await life.start(stacks.start, stacks.stop)
    await life.start(compute.sandboxes.open, compute.sandboxes.close)
    life.background(tables.run(), "tables")
    life.background(keep_house(objects, base.blobs), "housekeeping")
    life.background(asyncio.to_thread(_warm, gateway), "warm-gateway")
    if workers is not None:
        life.await_at_end(workers.close)
    return door, workers, compute.engine, queues


def _scaling(base: Foundations, compute: Compute, sdk_calls: LateSdkOperations) -> AutoscalingService:
    place = (base.settings.account, base.settings.region)
    return AutoscalingService(base.store, base.clock, *place, sdk_calls, compute.functions.provisioned, base.info.url)


def _apis(
    base: Foundations,
    compute: Compute,
    watching: Watching,
    targets: Targets,
    sdk_calls: LateSdkOperations,
    requests: LateServiceRequests,
    vault: Vault,
    outgoing: Sender,
) -> ApisService:
    parts = ApiParts(
        base.settings,
        base.clock,
        base.store,
        Directory(base.store),
        compute.functions.waited,
        sdk_calls,
        requests,
        targets,
        base.identity.roles,
        base.identity.keys,
        base.signed,
        outgoing,
        vault,
        base.records,
        watching.calls,
        base.info.url,
    )
    return ApisService(parts)


def _stacks(
    base: Foundations,
    compute: Compute,
    operations: InProcessOperations,
    objects: ObjectsService,
    targets: Targets,
    events: PlatformEvents,
) -> StacksService:
    return StacksService(
        base.store,
        base.vault,
        operations,
        objects,
        base.clock,
        events=events,
        accept_inert=base.settings.accept_inert,
        targets=targets,
        roles=base.identity.roles,
        addresses=_addresses(base, compute),
    )


def _addresses(base: Foundations, compute: Compute) -> Addresses:
    """How those who answer stacks reach the platform: functions in sandboxes by a door of their own."""
    if base.settings.engine.isolation == "process":
        return Addresses(base.info.url, base.info.url)
    return Addresses(base.info.url, ANSWERS, compute.doors.expect)


def _settled(workers: "Workers | None") -> Callable[[], Awaitable[None]]:
    async def alone() -> None:
        """There is no other process to tell."""

    return workers.settled if workers is not None else alone


def _messaging(
    base: Foundations, targets: Targets, sdk_calls: LateSdkOperations, vault: Vault, outgoing: Sender
) -> Messaging:
    return Messaging(
        base.settings,
        base.store,
        base.queue,
        base.clock,
        base.identity,
        targets,
        sdk_calls,
        base.info.url,
        outgoing,
        base.records,
        vault,
    )


def _warm(gateway: Gateway) -> None:
    """In a thread."""
    gateway.warm(())
    garbage.give_back()
