"""What runs code, built: levels of isolation, the engine, images, functions, and sandboxes without functions."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mayfly import ids
from mayfly.app.answer_doors import AnswerDoors
from mayfly.app.foundations import Foundations
from mayfly.app.known_templates import KnownTemplates
from mayfly.app.lending import Lending
from mayfly.app.levels import Levels
from mayfly.app.life import Life
from mayfly.app.links import Endpoints
from mayfly.app.options import engine_limits, memory_budget_mb, most_spares, template_budget_mb
from mayfly.app.remembering import Remembering
from mayfly.app.sandboxes import Interpreters
from mayfly.app.starts import StartBook
from mayfly.app.workers import Workers
from mayfly.egress.book import Book
from mayfly.egress.outlets import Outlets
from mayfly.engine.api import Observer
from mayfly.engine.engine import LocalEngine
from mayfly.images.service import Images
from mayfly.policy import keepalive
from mayfly.policy.hazard import Hazard
from mayfly.sandbox.api import SandboxFactory
from mayfly.sandbox.denials import Denials
from mayfly.sandboxes.service import Sandboxes
from mayfly.services.functions.engine_targets import SANDBOX_ENDPOINT
from mayfly.services.functions.ground import Ground, Outside
from mayfly.services.functions.held import Held
from mayfly.services.functions.log_streams import Streams
from mayfly.services.functions.names import Home
from mayfly.services.functions.recorder import Recorder
from mayfly.services.functions.service import FunctionsService, image_architecture
from mayfly.services.ports import CodeSource

ENGINE_GRACE_S = 5.0
SANDBOXES_SHARE = 4  # sandboxes without functions may use this part of what instances may


@dataclass(frozen=True)
class Machine:
    """What there is to run code with."""

    factory: SandboxFactory
    denials: Denials
    interpreters: Interpreters


@dataclass(frozen=True)
class Compute:
    """Made by `build`. `endpoints` are bound by the root."""

    machine: Machine
    levels: Levels
    engine: LocalEngine
    book: StartBook
    traffic: Book
    images: Images
    functions: FunctionsService
    sandboxes: Sandboxes
    streams: Streams
    endpoints: Endpoints
    doors: AnswerDoors

    @classmethod
    async def build(
        cls,
        base: Foundations,
        machine: Machine,
        throttled: Callable[[str], None],
        objects: CodeSource,
        outside: Outside,
        life: Life,
    ) -> "Compute":
        """Everything but what is served by it: the services are started by the root. `throttled` hears of calls that
        were refused because of a limit."""
        settings, clock = base.settings, base.clock
        endpoints = Endpoints()
        home, streams = Home(settings.account, settings.region), Streams(clock)
        held = Held(base.records, asyncio.get_running_loop().call_later)
        life.at_end(held.write_all)
        recorder = Recorder(held, home, streams, clock, throttled)
        book = StartBook(recorder, clock)
        traffic = Book(clock)
        outlets = Outlets(traffic)
        doors = AnswerDoors(base.directory.certificates)
        levels = Levels(
            machine.factory, machine.interpreters, settings.engine, base.directory.oci, outlets, machine.denials, doors
        )
        life.await_at_end(doors.close)
        engine = await _engine(base, levels, book, endpoints, life)
        images = Images(settings.data, base.store, base.blobs, settings.images, image_architecture(), clock)
        functions = FunctionsService(
            Ground(settings, clock, base.store, base.queue, base.blobs, engine, home, base.identity.roles, outside),
            recorder=recorder,
            streams=streams,
            objects=objects,
            images=images,
            choose=levels.choose,
            endpoint=base.info.url if settings.engine.isolation == "process" else SANDBOX_ENDPOINT,
            signatures=base.signed,
            obstacle=levels.obstacle,
            sandboxes=levels.start,
        )
        levels.watch(functions.debugging.started)
        sandboxes = Sandboxes(
            levels,
            images,
            Lending(functions),
            base.store,
            base.blobs,
            settings.data / "sandboxes",
            memory_budget_mb(settings) // SANDBOXES_SHARE,
            clock,
            base.vault,
        )
        return cls(machine, levels, engine, book, traffic, images, functions, sandboxes, streams, endpoints, doors)

    def workers(self, base: Foundations) -> Workers | None:
        """The front processes, if there are to be any; not started."""
        settings = base.settings
        if not settings.http.workers:
            return None
        workers = Workers(settings, base.directory.journals, base.fronts_lock, base.records.followed, base.clock)
        workers.serve(self.engine, self.functions, base.identity, self.streams)
        return workers


async def _engine(
    base: Foundations, levels: Levels, observer: Observer, endpoints: Endpoints, life: Life
) -> LocalEngine:
    settings, clock = base.settings, base.clock
    life.background(levels.warm(), "warm-runtime")
    rule = Hazard() if settings.engine.keep_alive == "learned" else None
    engine = LocalEngine(
        levels,
        observer,
        clock,
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
        remembering = Remembering(base.store, engine.habits, rule.shape, clock)
        await remembering.start()
        life.await_at_end(remembering.keep)
        life.background(remembering.run(), "habits")
    known = KnownTemplates(base.store, engine.recipes, clock)
    await known.start()
    life.await_at_end(known.keep)
    life.background(known.run(), "templates")
    life.await_at_end(engine.close, ENGINE_GRACE_S)
    return engine
