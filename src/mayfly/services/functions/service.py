"""Builds the service out of its parts, and owns its tasks. Called by `app.py`.

Order of construction. The engine needs its observer, and the service needs the engine:

    home = Home(settings.account, settings.region)
    streams = Streams(clock)
    recorder = Recorder(Held(records, loop.call_later), home, streams, clock)
    engine = …(observer=recorder)
    functions = FunctionsService(…, engine=engine, recorder=recorder, streams=streams)
    await functions.start()
    …
    await functions.stop()  # before the engine and the store are closed
"""

import asyncio
import dataclasses
import logging
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack

from mayfly.clock import Clock
from mayfly.engine.api import Engine
from mayfly.errors import PlatformError
from mayfly.images.service import Images
from mayfly.policy.egress import parse as parse_egress
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.frames import MANAGED
from mayfly.services.contract import Handler, Service, ServiceError, operations_of
from mayfly.services.functions import repository, runtimes
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.code.compile_cache import CompileCaches, Start
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.code.links import CodeLinks
from mayfly.services.functions.code.modules import Modules
from mayfly.services.functions.code.preparing import Preparing
from mayfly.services.functions.code.sources import CodeSources
from mayfly.services.functions.deployments import Deployments
from mayfly.services.functions.development.debugging import Debugging
from mayfly.services.functions.development.sessions import Development
from mayfly.services.functions.development.substitutes import Substitutes
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.egress import FunctionEgress
from mayfly.services.functions.engine_targets import Streams, TargetFactory
from mayfly.services.functions.events import FunctionEventTargets
from mayfly.services.functions.features import features
from mayfly.services.functions.function_calls import FunctionCalls
from mayfly.services.functions.image_code import ImageSource
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.layers.contents import LayerContents
from mayfly.services.functions.levels import FunctionLevels, Obstacle
from mayfly.services.functions.machine import host_architecture
from mayfly.services.functions.model import Architecture
from mayfly.services.functions.names import Home
from mayfly.services.functions.operations.groups import groups
from mayfly.services.functions.parts import Outside, Parts, Serving
from mayfly.services.functions.providers.operations import ProviderOperations
from mayfly.services.functions.provisioning import Provisioner
from mayfly.services.functions.publishing import Publisher
from mayfly.services.functions.recorder import Recorder
from mayfly.services.functions.settling import Settler
from mayfly.services.functions.signing.checking import SigningCheck
from mayfly.services.functions.signing.operations.configs import SigningConfigOperations
from mayfly.services.functions.tasks.assembly import Asynchronous
from mayfly.services.functions.tracing import Traces
from mayfly.services.functions.variables import Variables
from mayfly.services.functions.web.handler import UrlHandler
from mayfly.services.ports import CodeSource, MetricCounts, Roles, Signatures
from mayfly.settings import Settings
from mayfly.store.api import Blobs, ReadyQueue, Store

SWEEP_EVERY_S = 600.0
_SWEEP_SLACK_S = 60.0  # beyond the longest invocation

_log = logging.getLogger(__name__)


def image_architecture(host: Architecture | None = None) -> str:
    """The same in the words of images."""
    return {"x86_64": "amd64", "arm64": "arm64"}[host or host_architecture()]


def _count_loop(counts: MetricCounts, name: str) -> None:
    """A call of a function was one too many in a loop."""
    counts.count("RecursiveInvocationsDropped", (("FunctionName", name),))


def _only(own: str) -> Obstacle:
    async def obstacle(level: str) -> str | None:
        return None if level == own else f"this server has the level {own!r} alone"

    return obstacle


class Lambda:
    """`contract.Service`."""

    name = "lambda"

    def __init__(self, *groups: object) -> None:
        self.operations: Mapping[str, Handler] = operations_of(*groups)


class FunctionsService:
    """All of functions.

    `service` answers lambda's operations, `urls` answers function URLs, `code_links` answers below `/_mayfly/code/`,
    `event_targets` is for services whose events invoke functions, `waited` for those that wait for answers,
    `deployments` for who shows functions, `catalog` and
    `calls` for front processes, `development` and `debugging` for who works on functions. `endpoint` is where code
    inside a sandbox reaches Mayfly: `SANDBOX_ENDPOINT` where sandboxes have a network of their own, else the server's
    URL.
    `levels` says and changes what is required of isolation; `obstacle` is what it asks, by default one that knows of
    no level but the server's own.
    `sandboxes` starts sandboxes in which code is compiled; None: code that would need one is not.
    `outside`: other services. `tasks` is what may be asked of asynchronous invocations, by pages.
    `async_concurrency`: how many events run at once; None: as many as suit the machine's processors.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        store: Store,
        queue: ReadyQueue,
        blobs: Blobs,
        engine: Engine,
        recorder: Recorder,
        streams: Streams,
        home: Home,
        roles: Roles,
        objects: CodeSource,
        images: Images,
        choose: runtimes.Runtimes,
        endpoint: str,
        host: Architecture | None = None,
        signatures: Signatures | None = None,
        async_concurrency: int | None = None,
        obstacle: Obstacle | None = None,
        sandboxes: Start | None = None,
        outside: Outside,
    ) -> None:
        limits = settings.limits
        host = host or host_architecture()
        self._store = store
        self._home = home
        self._library = CodeLibrary(settings.data, blobs, limits, clock)
        self._layers = contents = LayerContents(settings.data, store, blobs, limits, clock, choose)
        modules = Modules(self._library)
        self._max_timeout_s = limits.timeout_s
        self._tasks: list[asyncio.Task[None]] = []
        isolation = settings.engine.isolation
        image_source = ImageSource(images, settings.engine.isolation)
        self._images = images
        self.levels = levels = FunctionLevels(
            store, home.account, isolation, settings.engine.require_level, obstacle or _only(isolation)
        )
        caches = CompileCaches(self._library, sandboxes, home.region)
        self._preparing = preparing = Preparing(self._library, contents, modules, caches, levels, choose)
        self.egress = egress = FunctionEgress(parse_egress(settings.engine.egress), levels)
        substitutes = Substitutes()
        targets = TargetFactory(
            home,
            self._library,
            contents,
            image_source,
            roles,
            choose,
            limits,
            streams,
            endpoint,
            isolation,
            modules.place,
            levels,
            egress,
            substitutes,
        )
        self.deployments = Deployments(store, targets, image_source)
        self._variables = variables = Variables(outside.vault)
        self.catalog = catalog = Catalog(
            store, home, preparing, image_source, targets, engine, lambda: secrets.randbits(64), variables
        )
        self.provisioned = self._provisioner = provisioner = Provisioner(store, catalog, engine)
        self._publisher = publisher = Publisher(
            store, blobs, catalog, engine, provisioner, home, clock, image_source, variables
        )
        editor = Editor(store, blobs, catalog, publisher, home, limits, clock, variables, outside.events)
        signing = SigningCheck(home, outside.counts)

        async def allow(name: str) -> None:
            await store.read(lambda reader: signing.refuse(reader, name))

        self.development = Development(
            self._library, substitutes, engine, limits.unzipped_bytes, editor.find, allow, catalog.renew, targets.key
        )
        self.debugging = Debugging(self.development, catalog, engine)
        self._settler = settler = Settler(store, editor, image_source)
        sources = CodeSources(self._library, image_source, objects)
        self.calls = calls = Invoker(
            engine, recorder, limits, Traces(clock, random.random), lambda name: _count_loop(outside.counts, name)
        )
        asynchronous = Asynchronous(
            store,
            queue,
            catalog,
            calls,
            engine,
            home,
            limits,
            clock,
            outside.targets,
            outside.objects,
            outside.counts,
            async_concurrency,
        )
        self.dispatcher, self.sweeping, self.tasks = asynchronous.dispatcher, asynchronous.sweeping, asynchronous.desk
        self.code_links = CodeLinks(blobs, clock)
        self.urls = UrlHandler(home, catalog, calls, limits, clock, signatures, calls)
        self.waited = FunctionCalls(home, catalog, calls, limits)
        self.event_targets = FunctionEventTargets(home, catalog, asynchronous.events)
        parts = Parts(
            settings,
            clock,
            store,
            queue,
            blobs,
            home,
            roles,
            engine,
            self._library,
            sources,
            editor,
            publisher,
            provisioner,
            catalog,
            calls,
            asynchronous.events,
            outside,
            self.code_links,
            contents,
            CodeSources(contents.library, image_source, objects),
            signing,
            SigningConfigOperations(home, store, clock),
            ProviderOperations(store, engine, home, clock, host),
        )
        self.features = features(parts)
        own = groups(
            parts,
            asynchronous,
            host=host,
            choose=choose,
            preparing=preparing,
            settler=settler,
            levels=levels,
            egress=egress,
            variables=variables,
        )
        self.service = Lambda(*own, *(group for feature in self.features for group in feature.operations))
        # On the wire: `lambda`, and what its features answer besides.
        self.services: Sequence[Service] = (
            self.service,
            *(feature.service for feature in self.features if isinstance(feature, Serving)),
        )

    async def level_of_each(self) -> dict[str, str]:
        """The level of isolation of every function, by name; "none" where it cannot run."""
        tagged = await self._store.read(repository.tags)
        found = {}
        for name, tags in tagged.items():
            try:
                found[name] = self.levels.of(tags)
            except ServiceError:
                found[name] = "none"
        return found

    async def package(self, name: str) -> tuple[SandboxSpec, Callable[[], AbstractContextManager[object]]]:
        """How an instance of a function is made, its code unpacked, and what keeps that while it is entered. `name` is
        what callers say; `ServiceError`."""
        reference = self._home.parse(name, None)
        entry = await self.catalog.get(reference.name, reference.qualifier)
        spec, layers = entry.target.sandbox, entry.runs.configuration.layers
        if entry.target.command[:1] == (MANAGED,):  # a program only beside others
            spec = dataclasses.replace(spec, program=False)

        def pinned() -> ExitStack:
            pins = self._layers.pinned(layers)
            pins.enter_context(self._library.pinned(spec.code.name))
            return pins

        return spec, pinned

    async def require_level(self, level: str | None) -> None:
        """Have the account require a level of isolation of all its functions, or none; `ServiceError`."""
        await self.levels.require(level)
        self.catalog.forget_all()
        self._provisioner.renew()

    async def start(self) -> None:
        """Make the code directory ready and begin delivering events."""
        if sealed := await self._variables.seal_all(self._store):
            _log.info("the variables of %d functions and versions are encrypted from now on", sealed)
        await self._library.open()
        await self._layers.open()
        await self._images.open()
        await self.levels.open()
        await self.catalog.open()
        await self.sweep(0.0)
        await self.tasks.open()
        self._tasks = [
            asyncio.create_task(self.dispatcher.run(), name="function events"),
            asyncio.create_task(self.sweeping.run(), name="late and old tasks"),
            asyncio.create_task(self._sweep_now_and_then(), name="unused packages"),
            asyncio.create_task(self._publisher.run(), name="pending versions"),
            asyncio.create_task(self._settler.run(), name="awaited images"),
            asyncio.create_task(self._provisioner.run(), name="provisioned concurrency"),
        ]
        for feature in self.features:
            await feature.start()

    async def stop(self, grace_s: float = 5.0) -> None:
        """Claim no more events, see those under way to their end for `grace_s`, then end the tasks.

        An event that was cut short is delivered again by the next server.
        """
        for feature in reversed(self.features):
            await feature.stop(grace_s)
        self.dispatcher.finish()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._preparing.close()
        await self.debugging.close()
        await self.development.close()
        await self._images.close()
        self._library.close()
        await self._layers.close()

    async def sweep(self, grace_s: float) -> int:
        """Remove packages, layers and images that no function has used for `grace_s`; how many."""

        async def used() -> frozenset[str]:
            return await self._store.read(repository.code_in_use)

        swept = await self._library.sweep(used, grace_s) + await self._images.sweep(used, grace_s)
        return swept + await self._layers.sweep(grace_s)

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep(self._max_timeout_s + _SWEEP_SLACK_S)
            except (PlatformError, OSError):
                _log.exception("unused packages could not be removed; the next attempt follows")
