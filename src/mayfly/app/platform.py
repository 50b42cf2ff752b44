"""The composition root: every part of a platform built, handed what it needs, started and stopped in order.

Nothing else constructs services. What must exist before something else is passed to it; the circles that remain are
closed by `links`. Whatever is opened is pushed on one exit stack, so that a start that fails half-way and a stop undo
the same things in the same, reverse order.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from mayfly import ids
from mayfly.app import garbage
from mayfly.app.asking import Asking
from mayfly.app.call_records import CallRecords
from mayfly.app.directory import DataDirectory, ServerInfo
from mayfly.app.function_view import FunctionView
from mayfly.app.housekeeping import keep_house
from mayfly.app.image_pages import ImagePages
from mayfly.app.known_templates import KnownTemplates
from mayfly.app.layers import Layers
from mayfly.app.lending import Lending
from mayfly.app.level_page import LevelPage
from mayfly.app.levels import Levels
from mayfly.app.links import Endpoints, LateObjects, LateSdkOperations
from mayfly.app.messaging import Messaging
from mayfly.app.options import ServerOptions, engine_limits, memory_budget_mb, most_spares, template_budget_mb
from mayfly.app.overview import Overview
from mayfly.app.pages import Pages
from mayfly.app.reach import Reach
from mayfly.app.remembering import Remembering
from mayfly.app.sandbox_pages import SandboxPages
from mayfly.app.sandboxes import Interpreters
from mayfly.app.starts import StartBook
from mayfly.app.targets import Targets
from mayfly.app.watching import Watching
from mayfly.app.workers import Workers, front_names
from mayfly.clock import Clock, SystemClock
from mayfly.egress.book import Book
from mayfly.egress.outlets import Outlets
from mayfly.engine.api import Engine, Observer
from mayfly.engine.engine import LocalEngine
from mayfly.front.process import FrontView
from mayfly.http.cross_origin import CrossOrigin
from mayfly.http.routes import Routes
from mayfly.http.server import FrontDoor
from mayfly.images.service import Images
from mayfly.metering.ledger import Ledger
from mayfly.metering.reports import load_price_book
from mayfly.outgoing.client import Outgoing
from mayfly.policy import keepalive
from mayfly.policy.hazard import Hazard
from mayfly.policy.outgoing import parse as reach_of
from mayfly.sandbox.api import SandboxFactory
from mayfly.sandbox.denials import Denials
from mayfly.sandboxes.service import Sandboxes
from mayfly.services.contract import Service
from mayfly.services.functions.engine_targets import SANDBOX_ENDPOINT, Streams
from mayfly.services.functions.held import Held
from mayfly.services.functions.names import Home
from mayfly.services.functions.recorder import Recorder
from mayfly.services.functions.service import FunctionsService, image_architecture
from mayfly.services.identity.access import guarded
from mayfly.services.identity.service import IdentityService, Secrets
from mayfly.services.objects.service import ObjectsService
from mayfly.services.ports import PlatformEvents
from mayfly.services.stacks.service import StacksService
from mayfly.services.tables.service import TablesService
from mayfly.services.telemetry.service import LogsService
from mayfly.settings import Settings
from mayfly.store.api import Store
from mayfly.store.files import FileBlobs
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from mayfly.wire.gateway import Gateway
from mayfly.wire.in_process import InProcessOperations
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue
from mayfly.wire.sdk_calls import SdkCalls
from mayfly.wire.signed import SignedRequests

MIGRATED = (
    "mayfly.app",
    "mayfly.images",
    "mayfly.metering",
    "mayfly.sandboxes",
    "mayfly.services.events",
    "mayfly.services.functions",
    "mayfly.services.identity",
    "mayfly.services.metrics",
    "mayfly.services.objects",
    "mayfly.services.queues",
    "mayfly.services.pipes",
    "mayfly.services.schedules",
    "mayfly.services.stacks",
    "mayfly.services.tables",
    "mayfly.services.telemetry",
    "mayfly.services.topics",
    "mayfly.ticker",
)
ENGINE_GRACE_S = 5.0
SANDBOXES_SHARE = 4  # sandboxes without functions may use this part of what instances may
ANSWER_S = 2.0  # for telling callers that their function was ended


class Platform:
    """A running platform. Made by `start`, ended by `stop`."""

    def __init__(self, door: FrontDoor, workers: "Workers | None", engine: Engine, cleanup: AsyncExitStack) -> None:
        self._door = door
        self._workers = workers
        self._engine = engine
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
            builder = _Builder(options, settings, directory, info, cleanup)
            door, workers, engine = await builder.build(factory, denials, discovery)
            return cls(door, workers, engine, cleanup.pop_all())

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


@dataclass(frozen=True)
class _State:
    """What is durable."""

    store: SqliteStore
    blobs: FileBlobs
    queue: SqlReadyQueue


class _Builder:
    """Builds one platform; its steps in order of need."""

    def __init__(
        self,
        options: ServerOptions,
        settings: Settings,
        directory: DataDirectory,
        info: ServerInfo,
        cleanup: AsyncExitStack,
    ) -> None:
        self._options = options
        self._settings = settings
        self._directory = directory
        self._info = info
        self._cleanup = cleanup
        self._clock: Clock = SystemClock()
        self._fronts_lock = -1

    async def build(
        self, factory: SandboxFactory, denials: Denials, discovery: Awaitable[Interpreters]
    ) -> "tuple[FrontDoor, Workers | None, Engine]":
        """Everything, started; the front door, which listens nowhere yet, the workers and the engine behind it."""
        self._fronts_lock = await asyncio.to_thread(self._directory.await_fronts)
        self._cleanup.callback(os.close, self._fronts_lock)
        state = await self._open_state()
        identity = await self._identity(state)
        logs, ledger, records = await self._accounts(state)
        interpreters = await discovery
        signed = SignedRequests(identity.acting_keys, self._clock, self._settings.max_clock_skew_s)
        endpoints, late_objects = Endpoints(), LateObjects()
        home, streams = Home(self._settings.account, self._settings.region), Streams(self._clock)
        held = Held(records, asyncio.get_running_loop().call_later)
        self._cleanup.callback(held.write_all)
        targets, sdk_calls = Targets(), LateSdkOperations()
        outgoing = Outgoing(reach_of(self._settings.outgoing.allow))
        self._cleanup.push_async_callback(outgoing.close)
        messaging = Messaging(
            self._settings,
            state.store,
            state.queue,
            self._clock,
            identity,
            targets,
            sdk_calls,
            self._info.url,
            outgoing,
            records,
        )
        platform_events = messaging.events.platform_events
        watching = Watching(
            self._settings,
            state.store,
            self._clock,
            ledger,
            records.flush,
            targets,
            platform_events,
        )
        recorder = Recorder(held, home, streams, self._clock, watching.calls.throttled)
        book = StartBook(recorder, self._clock)
        traffic = Book(self._clock)
        outlets = Outlets(traffic)
        levels = Levels(factory, interpreters, self._settings.engine, self._directory.oci, outlets, denials)
        engine = await self._engine(levels, book, endpoints, state.store)
        images = Images(
            self._settings.data, state.store, state.blobs, self._settings.images, image_architecture(), self._clock
        )
        functions = FunctionsService(
            settings=self._settings,
            clock=self._clock,
            store=state.store,
            queue=state.queue,
            blobs=state.blobs,
            engine=engine,
            recorder=recorder,
            streams=streams,
            home=home,
            roles=identity.roles,
            objects=late_objects,
            images=images,
            choose=levels.choose,
            endpoint=self._info.url if self._settings.engine.isolation == "process" else SANDBOX_ENDPOINT,
            signatures=signed,
            obstacle=levels.obstacle,
            sandboxes=levels.start,
            platform_events=platform_events,
        )
        sandboxes = Sandboxes(
            levels,
            images,
            Lending(functions),
            state.store,
            state.blobs,
            self._settings.data / "sandboxes",
            memory_budget_mb(self._settings) // SANDBOXES_SHARE,
            self._clock,
        )
        targets.add("lambda", functions.event_targets)
        targets.add("logs", logs.event_targets)
        objects = ObjectsService(state.store, state.blobs, targets, self._clock, platform_events)
        late_objects.bind(objects)
        tables = TablesService(state.store, self._clock)
        models = Models()
        workers = self._make_workers(engine, functions, identity, streams, records)
        below: list[Service] = [functions.service, objects, tables, logs, identity.iam, identity.sts]
        below += [*messaging.services, watching.metrics]
        if workers is not None:
            below = [workers.settling(service) for service in below]
        operations, stacks = self._stacks(state, models, below, objects, platform_events)
        sdk_calls.bind(SdkCalls(operations, models))
        services = {service.name: guarded(service) for service in (*below, stacks)}
        gateway = Gateway(services, identity.keys, self._settings, self._clock, models)
        asking = Asking(operations, self._settings, self._info.url)
        fronts = workers.views if workers is not None else list[FrontView]
        overview = Overview(
            asking, interpreters, engine, self._settings, self._info, sorted(services), fronts, functions.level_of_each
        )
        layers = Layers(self._settings.limits, levels.layers)
        most = self._settings.limits.account_concurrency
        view = FunctionView(
            asking,
            interpreters,
            engine,
            layers,
            book,
            functions.deployments,
            most,
            denials,
            functions.levels,
            Reach(functions.egress, traffic),
        )
        prices = load_price_book(self._directory.root / "prices.toml")
        pages = Pages(signed, overview, view, ledger, prices, self._settings, self._clock)
        routes = Routes(
            CrossOrigin(gateway.handle, objects.cors_rules).handle,
            functions.urls.handle,
            {
                **pages.table(),
                **ImagePages(signed, images).table(),
                "level": LevelPage(signed, functions).answer,
                **SandboxPages(signed, sandboxes).table(),
                **messaging.pages(signed),
                "code": functions.code_links.handle,
                "topics": messaging.topics.pages.handle,
            },
        )
        door = FrontDoor(routes.answer, self._settings.http)
        self._cleanup.push_async_callback(door.close)
        endpoints.bind(door)

        await self._run_service(logs.start, logs.stop)
        await self._run_service(functions.start, functions.stop)
        await messaging.start()
        self._background(messaging.run(), "messaging")
        self._background(watching.run(), "watching")
        await self._run_service(stacks.start, stacks.stop)
        await self._run_service(sandboxes.open, sandboxes.close)
        self._background(tables.run(), "tables")
        self._background(keep_house(objects, state.blobs), "housekeeping")
        self._background(asyncio.to_thread(_warm, gateway), "warm-gateway")
        if workers is not None:
            self._cleanup.push_async_callback(workers.close)
        return door, workers, engine

    def _make_workers(
        self,
        engine: LocalEngine,
        functions: FunctionsService,
        identity: IdentityService,
        streams: Streams,
        records: CallRecords,
    ) -> Workers | None:
        if not self._settings.http.workers:
            return None
        journals = self._directory.journals
        workers = Workers(self._settings, journals, self._fronts_lock, records.followed, self._clock)
        workers.serve(engine, functions, identity, streams)
        return workers

    async def _accounts(self, state: _State) -> tuple[LogsService, Ledger, CallRecords]:
        """What is told of every invocation, and the journal in front of it."""
        logs, ledger = LogsService(state.store, self._clock), Ledger(state.store, self._clock)
        records = await CallRecords.open(
            self._directory.journals,
            state.store,
            logs.book,
            ledger,
            self._clock,
            front_names(self._settings.http.workers),
        )
        self._cleanup.push_async_callback(records.close)
        return logs, ledger, records

    def _stacks(
        self,
        state: _State,
        models: Models,
        below: list[Service],
        objects: ObjectsService,
        events: PlatformEvents,
    ) -> tuple[InProcessOperations, StacksService]:
        """Stacks, which call the services below them in process, validated as from outside."""
        known = {service.name: guarded(service) for service in below}
        operations = InProcessOperations(known, Catalogue(models, frozenset(known)))
        return operations, StacksService(state.store, operations, objects, self._clock, events=events)

    async def _open_state(self) -> _State:
        store = await SqliteStore.open(self._directory.database, MIGRATED, self._clock)
        self._cleanup.push_async_callback(store.close)
        blobs = FileBlobs(self._directory.blobs, store, self._clock)
        self._cleanup.push_async_callback(blobs.close)
        queue = SqlReadyQueue(store, self._clock)
        await queue.release_leases()  # this process is the only one on the directory, and has claimed nothing yet
        return _State(store, blobs, queue)

    async def _identity(self, state: _State) -> IdentityService:
        options = self._options
        secrets = await asyncio.to_thread(
            Secrets.load,
            self._directory.root,
            self._settings.account,
            options.access_key_id,
            options.secret_access_key,
        )
        return IdentityService(state.store, self._clock, secrets)

    async def _engine(
        self,
        levels: Levels,
        observer: Observer,
        endpoints: Endpoints,
        store: Store,
    ) -> LocalEngine:
        settings = self._settings
        self._background(levels.warm(), "warm-runtime")
        rule = Hazard() if settings.engine.keep_alive == "learned" else None
        engine = LocalEngine(
            levels,
            observer,
            self._clock,
            memory_mb=memory_budget_mb(settings),
            new_id=ids.request_id,
            account_concurrency=settings.limits.account_concurrency,
            limits=engine_limits(settings.engine),
            init_timeout_s=settings.engine.init_timeout_s,
            keep_alive=keepalive.fixed(settings.engine.keep_alive_s),
            rule=rule,
            settle_s=rule.settle_s if rule is not None else 0.0,
            endpoints=endpoints,
            spares=most_spares(settings),
            templates_mb=template_budget_mb(settings),
        )
        if rule is not None and engine.habits is not None:
            remembering = Remembering(store, engine.habits, rule.shape, self._clock)
            await remembering.start()
            self._cleanup.push_async_callback(remembering.keep)
            self._background(remembering.run(), "habits")
        known = KnownTemplates(store, engine.recipes, self._clock)
        await known.start()
        self._cleanup.push_async_callback(known.keep)
        self._background(known.run(), "templates")
        self._cleanup.push_async_callback(engine.close, ENGINE_GRACE_S)
        return engine

    async def _run_service(self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        await start()
        self._cleanup.push_async_callback(stop)

    def _background(self, work: Awaitable[None], name: str) -> None:
        """Run `work` until the platform stops."""
        task = asyncio.ensure_future(work)
        if isinstance(task, asyncio.Task):
            task.set_name(name)

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._cleanup.push_async_callback(end)


def _warm(gateway: Gateway) -> None:
    """In a thread."""
    gateway.warm()
    garbage.give_back()
