"""Operations on connections, on the platform's own endpoint: the id alone says which one is meant."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mayfly.services.apis.websocket import limits
from mayfly.services.apis.websocket.connections import Connection, Connections
from mayfly.services.apis.websocket.exchange import Facts
from mayfly.services.apis.websocket.management import gone, post
from mayfly.services.contract import RequestContext, operation

if TYPE_CHECKING:
    from types_boto3_apigatewaymanagementapi.type_defs import (
        DeleteConnectionRequestTypeDef,
        GetConnectionRequestTypeDef,
        PostToConnectionRequestTypeDef,
    )


class ConnectionOperations:
    """All of them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @operation("PostToConnection")
    async def post(self, context: RequestContext, request: "PostToConnectionRequestTypeDef") -> Mapping[str, Any]:
        data: Any = request["Data"]
        post(self._find(request["ConnectionId"]), data)
        return {}

    @operation("GetConnection")
    async def get(self, context: RequestContext, request: "GetConnectionRequestTypeDef") -> dict[str, Any]:
        connection = self._find(request["ConnectionId"])
        facts: Facts = connection.facts
        return {
            "ConnectedAt": datetime.fromtimestamp(connection.connected_at, UTC),
            "Identity": {"SourceIp": facts.source_ip, "UserAgent": facts.user_agent},
            "LastActiveAt": datetime.fromtimestamp(connection.last_active_at, UTC),
        }

    @operation("DeleteConnection")
    async def delete(self, context: RequestContext, request: "DeleteConnectionRequestTypeDef") -> Mapping[str, Any]:
        self._find(request["ConnectionId"]).close(limits.GOING_AWAY, "Going away")
        return {}

    def _find(self, connection_id: str) -> Connection:
        found = self._connections.get(connection_id)
        if found is None:
            raise gone()
        return found
