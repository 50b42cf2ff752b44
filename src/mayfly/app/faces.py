"""What a platform answers with, built: the gateway of the AWS protocols and Mayfly's own pages, behind one router."""

from collections.abc import Awaitable, Callable, Sequence

from mayfly.app.asking import Asking
from mayfly.app.compute import Compute
from mayfly.app.debug_pages import DebugPages
from mayfly.app.development_pages import DevelopmentPages
from mayfly.app.foundations import Foundations
from mayfly.app.function_view import FunctionView
from mayfly.app.image_pages import ImagePages
from mayfly.app.layers import Layers
from mayfly.app.level_page import LevelPage
from mayfly.app.overview import Overview
from mayfly.app.pages import Pages
from mayfly.app.reach import Reach
from mayfly.app.sandbox_pages import SandboxPages
from mayfly.app.services import Services
from mayfly.app.task_pages import TaskPages
from mayfly.front.process import FrontView
from mayfly.http.cross_origin import CrossOrigin
from mayfly.http.routes import Routes
from mayfly.metering.reports import load_price_book
from mayfly.wire.gateway import Gateway
from mayfly.wire.in_process import InProcessOperations


def pages(
    base: Foundations,
    compute: Compute,
    operations: InProcessOperations,
    services: Sequence[str],
    fronts: Callable[[], list[FrontView]],
) -> Pages:
    """What Mayfly tells of itself; `services` are the names of those that it has."""
    settings, functions = base.settings, compute.functions
    interpreters, engine = compute.machine.interpreters, compute.engine
    asking = Asking(operations, settings, base.info.url)
    overview = Overview(
        asking, interpreters, engine, settings, base.info, sorted(services), fronts, functions.level_of_each
    )
    view = FunctionView(
        asking,
        interpreters,
        engine,
        Layers(settings.limits, compute.levels.layers),
        compute.book,
        functions.deployments,
        settings.limits.account_concurrency,
        compute.machine.denials,
        functions.levels,
        Reach(functions.egress, compute.traffic),
        functions.development,
    )
    prices = load_price_book(base.directory.root / "prices.toml")
    return Pages(base.signed, overview, view, base.ledger, prices, settings, base.clock)


def routes(
    base: Foundations,
    compute: Compute,
    services: Services,
    gateway: Gateway,
    own: Pages,
    settled: Callable[[], Awaitable[None]],
) -> Routes:
    """Who answers a request, by its host and path. `settled` returns when all processes know of what changed."""
    functions, signed = compute.functions, base.signed
    return Routes(
        CrossOrigin(gateway.handle, services.object_doors.cors_rules).handle,
        functions.urls.handle,
        {
            **own.table(),
            **ImagePages(signed, compute.images).table(),
            "level": LevelPage(signed, functions).answer,
            **DebugPages(signed, functions.debugging, settled).table(),
            **DevelopmentPages(signed, functions.development, settled).table(),
            **SandboxPages(signed, compute.sandboxes).table(),
            **TaskPages(signed, functions.tasks, base.settings.data).table(),
            **services.pages(),
            "code": functions.code_links.handle,
        },
        services.api_doors,
    )
