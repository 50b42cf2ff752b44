"""Access logs of WebSocket APIs: a line for every beginning, message and end, in the format that the stage asks for.

The variables are those that the Developer Guide lists for WebSocket APIs; what there is no value for is a dash. Formats
and where lines go are as with HTTP APIs. Called by `answering`.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.errors import MayflyError
from mayfly.services.apis.http.access_log import AccessLog
from mayfly.services.apis.websocket.exchange import Exchange, context_of
from mayfly.services.ports import CallRecords

_log = logging.getLogger(__name__)


class AccessLogs:
    """Writes."""

    def __init__(self, records: CallRecords) -> None:
        self._records = records

    def write(self, log: AccessLog | None, exchange: Exchange) -> None:
        """A line of what came to its end; none where the stage asks for none. Never fails its caller."""
        if log is None:
            return
        context = context_of(exchange)
        try:
            self._records.append([log.written(exchange.at, lambda name: value(name, exchange, context))], ())
        except MayflyError as error:
            _log.warning("a line of an access log is lost: %s", error)


def value(name: str, exchange: Exchange, context: Mapping[str, Any]) -> str:
    """What a variable says; `context`: what templates see of the connection and the message."""
    own = _OWN.get(name)
    found: Any = own(exchange) if own is not None else _below(context, name)
    if found is None or found == "":
        return "-"
    return str(found).lower() if isinstance(found, bool) else str(found)


def _below(context: Mapping[str, Any], name: str) -> object:
    found: Any = context
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return json.dumps(found) if isinstance(found, dict | list) else found


def response_type(exchange: Exchange) -> str | None:
    """What kind of gateway response a client was told; None: it was told of no error."""
    if exchange.error is None:
        return None
    if exchange.validation_error is not None:
        return "BAD_REQUEST_BODY"
    if exchange.authorizer_error is not None and exchange.status >= 500:
        return "AUTHORIZER_FAILURE"
    usual = "DEFAULT_4XX" if exchange.status < 500 else "DEFAULT_5XX"
    return _RESPONSE_TYPES.get(exchange.status, usual)


def _quoted(text: str | None) -> str | None:
    return None if text is None else json.dumps(text)


_RESPONSE_TYPES = {
    401: "UNAUTHORIZED",
    403: "ACCESS_DENIED",
    413: "REQUEST_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "THROTTLED",
    502: "INTEGRATION_FAILURE",
    504: "INTEGRATION_TIMEOUT",
}
_OWN: Mapping[str, Callable[[Exchange], object]] = {
    "authorizer.error": lambda exchange: exchange.authorizer_error,
    "authorizer.integrationLatency": lambda exchange: exchange.authorizer_latency_ms,
    "authorizer.latency": lambda exchange: exchange.authorizer_latency_ms,
    "authorizer.status": lambda exchange: exchange.authorizer_status,
    "error.message": lambda exchange: exchange.error,
    "error.messageString": lambda exchange: _quoted(exchange.error),
    "error.responseType": response_type,
    "error.validationErrorString": lambda exchange: exchange.validation_error,
    "integration.error": lambda exchange: exchange.integration_error,
    "integration.integrationStatus": lambda exchange: exchange.call_status,
    "integration.latency": lambda exchange: exchange.integration_latency_ms,
    "integration.status": lambda exchange: exchange.integration_status,
    "integrationErrorMessage": lambda exchange: exchange.integration_error,
    "integrationLatency": lambda exchange: exchange.integration_latency_ms,
    "integrationStatus": lambda exchange: exchange.call_status,
    "status": lambda exchange: exchange.status,
}
