"""WebSocket APIs, built: a kind of API. What they consist of is kept by `http`, whose operations they share."""

from collections.abc import Callable
from functools import partial

from mayfly.services.apis.http.snapshots import Snapshots
from mayfly.services.apis.integrations.backends import backends
from mayfly.services.apis.parts import Kind, Parts
from mayfly.services.apis.websocket.access_log import AccessLogs
from mayfly.services.apis.websocket.answering import WebsocketAnswering
from mayfly.services.apis.websocket.authorizers import Authorizers
from mayfly.services.apis.websocket.compiled import compiled
from mayfly.services.apis.websocket.operations.connections import ConnectionOperations
from mayfly.services.apis.websocket.routing import Routing

WIRE = "apigatewaymanagementapi"


def websocket_kind(parts: Parts) -> tuple[Kind, Callable[[str], None]]:
    """The kind, and what is called with the id of an API that has changed."""
    found = backends(parts)
    account, region = parts.settings.account, parts.settings.region
    snapshots = Snapshots(parts.store, partial(compiled, account=account, region=region))
    answering = WebsocketAnswering(
        snapshots,
        Routing(found, parts.counts, parts.clock),
        Authorizers(found.functions, parts.signatures, parts.clock),
        parts.signatures,
        parts.clock,
        AccessLogs(parts.records),
        parts.settings.region,
    )
    kind = Kind(
        groups={WIRE: (ConnectionOperations(answering.connections),)},
        answers={"websocket": answering},
        background=answering.connections,
    )
    return kind, snapshots.forget
