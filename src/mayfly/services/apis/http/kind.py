"""HTTP APIs, built: a kind of API."""

from collections.abc import Callable
from functools import partial

from mayfly.services.apis.domains import tags as domain_tags
from mayfly.services.apis.http.answering import HttpAnswering
from mayfly.services.apis.http.building import Builders
from mayfly.services.apis.http.compiled import compiled
from mayfly.services.apis.http.editing import Editing
from mayfly.services.apis.http.measures import Metering
from mayfly.services.apis.http.operations.apis import ApiOperations
from mayfly.services.apis.http.operations.authorizers import AuthorizerOperations
from mayfly.services.apis.http.operations.documents import DocumentOperations
from mayfly.services.apis.http.operations.integrations import IntegrationOperations
from mayfly.services.apis.http.operations.models import (
    IntegrationResponseOperations,
    ModelOperations,
    RouteResponseOperations,
)
from mayfly.services.apis.http.operations.refused import RefusedOperations
from mayfly.services.apis.http.operations.routes import RouteOperations
from mayfly.services.apis.http.operations.stages import DeploymentOperations, StageOperations
from mayfly.services.apis.http.operations.tags import TagOperations
from mayfly.services.apis.http.snapshots import Snapshots
from mayfly.services.apis.parts import Kind, Parts

WIRE = "apigatewayv2"


def http_kind(parts: Parts, changed: Callable[[str], None]) -> Kind:
    """All of HTTP APIs, and the operations on what WebSocket APIs consist of. `changed` hears of every API that was."""
    metering = Metering()
    parts.counts.gather(metering.drain)
    builders = Builders(parts, metering)
    account, region = parts.settings.account, parts.settings.region
    snapshots = Snapshots(parts.store, partial(compiled, account=account, region=region, building=builders.building))

    def forget(api_id: str) -> None:
        snapshots.forget(api_id)
        changed(api_id)

    editing = Editing(parts.store, parts.clock, forget)
    apis = ApiOperations(editing, parts.directory)
    groups = (
        apis,
        AuthorizerOperations(editing, snapshots.forget),
        DeploymentOperations(editing),
        DocumentOperations(editing, apis),
        IntegrationOperations(editing),
        IntegrationResponseOperations(editing),
        ModelOperations(editing),
        RefusedOperations(),
        RouteOperations(editing),
        RouteResponseOperations(editing),
        StageOperations(editing),
        TagOperations(editing, domain_tags.of_domain),
    )
    answering = HttpAnswering(snapshots.peek, snapshots.get, parts.clock, parts.records)
    return Kind(groups={WIRE: groups}, answers={"http": answering})
