"""The composition root: every part of a platform built, handed what it needs, started and stopped in order.

Nothing else constructs services. What must exist before something else is passed to it; the circles that remain are
closed by `links`. Whatever is opened is pushed on one exit stack, so that a start that fails half-way and a stop undo
the same things in the same, reverse order.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress

from mayfly.app import faces, garbage
from mayfly.app.compute import Compute, Machine
from mayfly.app.directory import DataDirectory, ServerInfo
from mayfly.app.foundations import Foundations
from mayfly.app.housekeeping import keep_house
from mayfly.app.late_ports import LateBus, LateQueues
from mayfly.app.life import Life
from mayfly.app.links import LateSdkOperations, LateServiceRequests
from mayfly.app.options import ServerOptions
from mayfly.app.own_addresses import OwnAddresses
from mayfly.app.sandboxes import Interpreters
from mayfly.app.services import Ground, Services
from mayfly.app.targets import Targets
from mayfly.app.watching import Watching
from mayfly.app.workers import Workers
from mayfly.engine.api import Engine
from mayfly.front.process import FrontView
from mayfly.http.server import FrontDoor
from mayfly.outgoing.client import Outgoing
from mayfly.policy.outgoing import parse as reach_of
from mayfly.sandbox.api import SandboxFactory
from mayfly.sandbox.denials import Denials
from mayfly.services.contract import Service
from mayfly.services.functions.ground import Outside
from mayfly.services.identity.access import guarded
from mayfly.settings import Settings
from mayfly.wire.gateway import Gateway
from mayfly.wire.in_process import InProcessOperations
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue
from mayfly.wire.sdk_calls import SdkCalls
from mayfly.wire.service_requests import ServiceRequests

STACKS = "cloudformation"
ANSWER_S = 2.0  # for telling callers that their function was ended


class Platform:
    """A running platform. Made by `start`, ended by `stop`."""

    def __init__(
        self, door: FrontDoor, workers: "Workers | None", engine: Engine, queues: LateQueues, cleanup: AsyncExitStack
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
) -> "tuple[FrontDoor, Workers | None, Engine, LateQueues]":
    """Everything, started; the front door, which listens nowhere yet, the workers, the engine and queues behind it."""
    ground = _ground(base, life)
    services, outgoing, targets = Services(ground), ground.outgoing, ground.targets
    watching = Watching(base.settings, base.store, base.clock, base.ledger, base.records.flush, targets, ground.bus)
    compute = await Compute.build(
        base, machine, watching.calls.throttled, services.object_doors, _outside(ground, services, watching), life
    )
    watching.calls.watch(compute.engine.provisioned_calls)
    targets.add("lambda", compute.functions.event_targets)
    targets.add("logs", base.logs.event_targets)
    base.logs.attach(targets, watching.metrics, base.settings.account, base.settings.region)
    workers = compute.workers(base)
    services.attach(compute, watching, _around(workers))
    gateway = _wire(base, services, ground)
    fronts = workers.views if workers is not None else list[FrontView]
    own = faces.pages(base, compute, services.operations, list(services.on_the_wire()), fronts)
    routes = faces.routes(base, compute, services, gateway, own, _settled(workers))
    outgoing.bind(routes.answer, services.api_doors)
    door = FrontDoor(routes.answer, base.settings.http)
    life.await_at_end(door.close)
    compute.endpoints.bind(door)
    compute.doors.bind(door)

    used = await services.build_used()
    compute.doors.expect_for(await services.awaits_answers())  # before functions are called that were asked earlier
    await life.start(base.logs.start, base.logs.stop)
    await life.start(compute.functions.start, compute.functions.stop)
    await services.start(life)
    life.background(watching.run(), "watching")
    await life.start(compute.sandboxes.open, compute.sandboxes.close)
    life.background(keep_house(services.object_doors, base.blobs), "housekeeping")
    life.background(asyncio.to_thread(_warm, gateway, used), "warm-gateway")
    if workers is not None:
        life.await_at_end(workers.close)
    return door, workers, compute.engine, services.queue_doors


def _ground(base: Foundations, life: Life) -> Ground:
    network = Outgoing(reach_of(base.settings.outgoing.allow))
    life.await_at_end(network.close)
    outgoing = OwnAddresses(network, base.info.url)
    return Ground(base, Targets(), LateSdkOperations(), LateServiceRequests(), base.vault, outgoing, LateBus())


def _outside(ground: Ground, services: Services, watching: Watching) -> Outside:
    """Other services, as functions know them."""
    queues, objects = services.queue_doors, services.object_doors
    ledger = ground.base.ledger
    return Outside(
        ground.targets, queues, queues, ground.vault, ground.bus, watching.calls, objects, watching.metrics, ledger
    )


def _around(workers: "Workers | None") -> Callable[[Service], Service]:
    """What every service is wrapped in."""

    def wrapped(service: Service) -> Service:
        # Stacks change nothing themselves that fronts know of: the services do that they call.
        settles = workers is not None and service.name != STACKS
        return guarded(workers.settling(service) if settles and workers is not None else service)

    return wrapped


def _wire(base: Foundations, services: Services, ground: Ground) -> Gateway:
    """The gateway; and, in process, what stacks and others call, validated as from outside."""
    models, named = Models(), services.on_the_wire()
    catalogue = Catalogue(models, frozenset(named), on_the_spot=False)
    operations = InProcessOperations({name: each for name, each in named.items() if name != STACKS}, catalogue)
    services.operate(operations)
    ground.sdk_calls.bind(SdkCalls(operations, models))
    gateway = Gateway(named, base.identity.keys, base.settings, base.clock, catalogue)
    ground.requests.bind(ServiceRequests(gateway, named, models))
    return gateway


def _settled(workers: "Workers | None") -> Callable[[], Awaitable[None]]:
    async def alone() -> None:
        """There is no other process to tell."""

    return workers.settled if workers is not None else alone


def _warm(gateway: Gateway, services: Sequence[str]) -> None:
    """In a thread."""
    gateway.warm(services)
    garbage.give_back()
