"""Builds functions out of their parts, but for operations and features, and owns their tasks. Called by `app.py`.

Order of construction. The engine needs its observer, and the service needs the engine:

    home = Home(settings.account, settings.region)
    streams = Streams(clock)
    recorder = Recorder(Held(records, loop.call_later), home, streams, clock)
    engine = …(observer=recorder)
    functions = FunctionsService(Ground(…, engine, home, …), recorder=recorder, streams=streams, …)
    await functions.start()
    operations = FunctionsOnTheWire(functions)  # when somebody needs them
    …
    await functions.stop()  # before the engine and the store are closed
"""

import asyncio
import dataclasses
import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from mayfly.errors import PlatformError
from mayfly.images.service import Images
from mayfly.policy.egress import parse as parse_egress
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.frames import MANAGED
from mayfly.services.contract import ServiceError
from mayfly.services.functions import repository, runtimes
from mayfly.services.functions.code.assembly import Code
from mayfly.services.functions.code.compile_cache import Start
from mayfly.services.functions.development.debugging import Debugging
from mayfly.services.functions.development.sessions import Development
from mayfly.services.functions.development.substitutes import Substitutes
from mayfly.services.functions.egress import FunctionEgress
from mayfly.services.functions.engine_targets import TargetFactory
from mayfly.services.functions.events import FunctionEventTargets
from mayfly.services.functions.function_calls import FunctionCalls
from mayfly.services.functions.ground import Ground
from mayfly.services.functions.inside import Inside
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.levels import FunctionLevels, Obstacle
from mayfly.services.functions.log_streams import Streams
from mayfly.services.functions.machine import host_architecture
from mayfly.services.functions.model import Architecture
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.providers.operations import ProviderOperations
from mayfly.services.functions.recorder import Recorder
from mayfly.services.functions.signing.checking import SigningCheck
from mayfly.services.functions.signing.operations.configs import SigningConfigOperations
from mayfly.services.functions.stock import Stock
from mayfly.services.functions.tasks.assembly import Asynchronous
from mayfly.services.functions.tracing import Traces
from mayfly.services.functions.web.handler import UrlHandler
from mayfly.services.ports import CodeSource, MetricCounts, Signatures

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


def _development(
    ground: Ground, code: Code, stock: Stock, targets: TargetFactory, substitutes: Substitutes, signing: SigningCheck
) -> Development:
    async def allow(name: str) -> None:
        """`ServiceError` where a function takes signed code alone."""
        await ground.store.read(lambda reader: signing.refuse(reader, name))

    unzipped, catalog = ground.settings.limits.unzipped_bytes, stock.catalog
    return Development(
        code.library, substitutes, ground.engine, unzipped, stock.editor.find, allow, catalog.renew, targets.key
    )


class FunctionsService:
    """All of functions.

    `parts` and `inside` are for `on_the_wire`, which answers lambda's operations. `urls` answers function URLs,
    `code_links` answers below `/_mayfly/code/`, `event_targets` is for services whose events invoke functions, `waited`
    for those that wait for answers, `deployments` for who shows functions, `catalog` and `calls` for front processes,
    `development` and `debugging` for who works on functions. `endpoint` is where code
    inside a sandbox reaches Mayfly: `SANDBOX_ENDPOINT` where sandboxes have a network of their own, else the server's
    URL.
    `levels` says and changes what is required of isolation; `obstacle` is what it asks, by default one that knows of
    no level but the server's own.
    `sandboxes` starts sandboxes in which code is compiled; None: code that would need one is not.
    `tasks` is what may be asked of asynchronous invocations, by pages.
    `async_concurrency`: how many events run at once; None: as many as suit the machine's processors.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        recorder: Recorder,
        streams: Streams,
        objects: CodeSource,
        images: Images,
        choose: runtimes.Runtimes,
        endpoint: str,
        host: Architecture | None = None,
        signatures: Signatures | None = None,
        async_concurrency: int | None = None,
        obstacle: Obstacle | None = None,
        sandboxes: Start | None = None,
    ) -> None:
        store, home, clock, engine = ground.store, ground.home, ground.clock, ground.engine
        settings, limits, counts = ground.settings.engine, ground.settings.limits, ground.outside.counts
        host = host or host_architecture()
        self._store = store
        self._home = home
        self._images = images
        self._max_timeout_s = limits.timeout_s
        self._tasks: list[asyncio.Task[None]] = []
        self.levels = levels = FunctionLevels(
            store, home.account, settings.isolation, settings.require_level, obstacle or _only(settings.isolation)
        )
        self.egress = egress = FunctionEgress(parse_egress(settings.egress), levels)
        self._code = code = Code(ground, choose, images, objects, levels, sandboxes)
        self.code_links = code.links
        substitutes = Substitutes()
        targets = TargetFactory(ground, code, choose, streams, endpoint, levels, egress, substitutes)
        self._stock = stock = Stock(ground, code, targets)
        self.catalog = catalog = stock.catalog
        self.provisioned, self.deployments = stock.provisioner, stock.deployments
        signing = SigningCheck(home, counts)
        self.development = _development(ground, code, stock, targets, substitutes, signing)
        self.debugging = Debugging(self.development, catalog, engine)
        traces = Traces(clock, random.random)
        self.calls = calls = Invoker(engine, recorder, limits, traces, lambda name: _count_loop(counts, name))
        self.urls = UrlHandler(home, catalog, calls, limits, clock, signatures, calls)
        self.waited = FunctionCalls(home, catalog, calls, calls, limits)
        asynchronous = Asynchronous(ground, catalog, calls, async_concurrency)
        self.dispatcher, self.sweeping, self.tasks = asynchronous.dispatcher, asynchronous.sweeping, asynchronous.desk
        self.event_targets = FunctionEventTargets(home, catalog, asynchronous.events)
        self.inside = Inside(asynchronous, host, choose, levels, egress)
        self.parts = Parts(
            **vars(ground),  # which it has as its own
            code=code,
            stock=stock,
            calls=calls,
            events=asynchronous.events,
            signing=signing,
            signing_configs=SigningConfigOperations(home, store, clock),
            providers=ProviderOperations(store, engine, home, clock, host),
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
            pins = self._code.layers.pinned(layers)
            pins.enter_context(self._code.library.pinned(spec.code.name))
            return pins

        return spec, pinned

    async def require_level(self, level: str | None) -> None:
        """Have the account require a level of isolation of all its functions, or none; `ServiceError`."""
        await self.levels.require(level)
        self.catalog.forget_all()
        self.provisioned.renew()

    async def start(self) -> None:
        """Make the code directory ready and begin delivering events."""
        await self._code.open()
        await self.levels.open()
        await self.catalog.open()
        await self.sweep(0.0)
        await self.tasks.open()
        self._tasks = [
            asyncio.create_task(self.dispatcher.run(), name="function events"),
            asyncio.create_task(self.sweeping.run(), name="late and old tasks"),
            asyncio.create_task(self._sweep_now_and_then(), name="unused packages"),
            asyncio.create_task(self._stock.publisher.run(), name="pending versions"),
            asyncio.create_task(self._stock.settler.run(), name="awaited images"),
            asyncio.create_task(self._stock.provisioner.run(), name="provisioned concurrency"),
        ]

    async def stop(self, grace_s: float = 5.0) -> None:
        """Claim no more events, see those under way to their end for `grace_s`, then end the tasks.

        An event that was cut short is delivered again by the next server.
        """
        self.dispatcher.finish()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._code.preparing.close()
        await self.debugging.close()
        await self.development.close()
        await self._code.close()

    async def sweep(self, grace_s: float) -> int:
        """Remove packages, layers and images that no function has used for `grace_s`; how many."""

        async def used() -> frozenset[str]:
            return await self._store.read(repository.code_in_use)

        swept = await self._code.library.sweep(used, grace_s) + await self._images.sweep(used, grace_s)
        return swept + await self._code.layers.sweep(grace_s)

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep(self._max_timeout_s + _SWEEP_SLACK_S)
            except (PlatformError, OSError):
                _log.exception("unused packages could not be removed; the next attempt follows")
