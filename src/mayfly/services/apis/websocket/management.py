"""`@connections`: messages to connections, what is known of them, and their ends, from outside.

By path below the stage, as SDKs ask whose endpoint is that of the API. `operations` has the same on the platform's own
endpoint.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from mayfly.services.apis.websocket import limits
from mayfly.services.apis.websocket.connections import Connection, Connections, FullError
from mayfly.services.apis.websocket.exchange import Facts
from mayfly.services.contract import HttpResponse, ServiceError


class Management:
    """Acts on connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def answer(self, method: str, api_id: str, stage: str, encoded_id: str, body: bytes) -> HttpResponse:
        """The response to a request for one connection, of a stage of an API."""
        connection = self._connections.get(unquote(encoded_id))
        try:
            if connection is None or (connection.api_id, connection.stage) != (api_id, stage):
                raise gone()
            if method == "POST":
                post(connection, body)
                return _json(200, {})
            if method == "GET":
                return _json(200, _shown(connection))
            if method == "DELETE":
                connection.close(limits.GOING_AWAY, "Going away")
                return HttpResponse(204)
        except ServiceError as error:
            content = {"message": error.message, "connectionId": unquote(encoded_id)}
            return _json(error.status or 400, content, [("x-amzn-errortype", error.code)])
        return _json(403, {"message": "Missing Authentication Token"})


def post(connection: Connection, data: bytes) -> None:
    """Send a message to a client; `ServiceError`."""
    if len(data) > limits.MESSAGE_BYTES:
        raise ServiceError("PayloadTooLargeException", "Message too long", status=413)
    try:
        sent = connection.send(data, is_text=is_text(data))
    except FullError:
        raise ServiceError("LimitExceededException", "The client does not read what it is sent.", status=429) from None
    if not sent:
        raise gone()


def gone() -> ServiceError:
    """What is said of a connection that there is none of."""
    return ServiceError("GoneException", "410", status=410)


def is_text(data: bytes) -> bool:
    """Whether a message goes out in frames of text."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(connection: Connection) -> dict[str, Any]:
    facts: Facts = connection.facts
    return {
        "connectedAt": _time(connection.connected_at),
        "identity": {"sourceIp": facts.source_ip, "userAgent": facts.user_agent},
        "lastActiveAt": _time(connection.last_active_at),
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(status: int, content: Mapping[str, Any], headers: list[tuple[str, str]] | None = None) -> HttpResponse:
    shown = [("content-type", "application/json"), *(headers or [])]
    return HttpResponse(status, shown, json.dumps(content).encode())
