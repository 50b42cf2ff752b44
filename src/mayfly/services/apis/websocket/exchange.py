"""A message on its way through a WebSocket API, or a connection's beginning or end, and what events say of it."""

import base64
import json
import time
from typing import Any, Literal

from msgspec import Struct, field

from mayfly import ids
from mayfly.services.apis.rest.serving.spelling import gathered
from mayfly.services.apis.websocket.framing import Message
from mayfly.services.contract import HttpRequest

EventType = Literal["CONNECT", "MESSAGE", "DISCONNECT"]
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Facts(Struct):
    """What is known of a connection from its first request on."""

    connection_id: str
    api_id: str
    stage: str
    domain: str
    source_ip: str
    user_agent: str
    connected_at: float
    headers: dict[str, list[str]]
    query: dict[str, list[str]]
    authorizer: dict[str, Any] | None = None
    identity: dict[str, Any] = field(default_factory=dict)  # of who signed the first request


class Exchange(Struct):
    """A message, a beginning, an end."""

    facts: Facts
    event_type: EventType
    route_key: str
    at: float
    request_id: str
    message: Message | None = None
    message_id: str | None = None
    ended: tuple[int, str] | None = None
    document: Any = None  # the message as JSON
    # What access logs say besides.
    status: int = 500  # with which it ended
    error: str | None = None  # what the client was told
    validation_error: str | None = None  # in what it is not what its model says
    authorizer_status: int | None = None
    authorizer_latency_ms: int | None = None
    authorizer_error: str | None = None
    integration_status: int | None = None  # which the integration answered
    call_status: int | None = None  # with which the call itself ended: of a function, not what it says
    integration_latency_ms: int | None = None
    integration_error: str | None = None

    @property
    def text(self) -> str:
        """The message as templates see it."""
        if self.message is None:
            return ""
        if self.message.is_text:
            return self.message.data.decode()
        return base64.b64encode(self.message.data).decode()


def new_id() -> str:
    """An id of a connection, a message or a request, as AWS makes them: `L0SM9cOFvHcCIhw=`."""
    return base64.urlsafe_b64encode(bytes.fromhex(ids.digits(22))).decode()


def context_of(exchange: Exchange) -> dict[str, Any]:
    """`requestContext` of events, `$context` of templates."""
    facts = exchange.facts
    context: dict[str, Any] = {
        "routeKey": exchange.route_key,
        "eventType": exchange.event_type,
        "extendedRequestId": exchange.request_id,
        "requestTime": log_time(exchange.at),
        "messageDirection": "IN",
        "stage": facts.stage,
        "connectedAt": int(facts.connected_at * 1000),
        "requestTimeEpoch": int(exchange.at * 1000),
        "identity": {"sourceIp": facts.source_ip, **facts.identity},
        "requestId": exchange.request_id,
        "domainName": facts.domain,
        "connectionId": facts.connection_id,
        "apiId": facts.api_id,
    }
    if facts.user_agent:
        context["identity"]["userAgent"] = facts.user_agent
    if exchange.message_id is not None:
        context["messageId"] = exchange.message_id
    if facts.authorizer is not None:
        context["authorizer"] = facts.authorizer
    if exchange.ended is not None:
        context["disconnectStatusCode"], context["disconnectReason"] = exchange.ended
    return context


def event_of(exchange: Exchange, stage_variables: dict[str, str]) -> bytes:
    """What a function behind a proxy integration is called with."""
    event: dict[str, Any] = {}
    facts = exchange.facts
    if exchange.event_type == "CONNECT":
        event["headers"] = {name: values[-1] for name, values in facts.headers.items()}
        event["multiValueHeaders"] = facts.headers
        if facts.query:
            event["queryStringParameters"] = {name: values[-1] for name, values in facts.query.items()}
            event["multiValueQueryStringParameters"] = facts.query
    elif exchange.event_type == "DISCONNECT":
        host = {"Host": facts.domain, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
        event["headers"] = host
        event["multiValueHeaders"] = {name: [value] for name, value in host.items()}
    event["requestContext"] = context_of(exchange)
    if stage_variables:
        event["stageVariables"] = stage_variables
    if exchange.message is not None:
        event["body"] = exchange.text
    event["isBase64Encoded"] = exchange.message is not None and not exchange.message.is_text
    return json.dumps(event, ensure_ascii=False).encode()


def log_time(at: float) -> str:
    """`01/Feb/2026:03:04:05 +0000`, English in every locale."""
    year, month, day, hour, minute, second = time.gmtime(at)[:6]
    return f"{day:02d}/{_MONTHS[month - 1]}/{year}:{hour:02d}:{minute:02d}:{second:02d} +0000"


def headers_of(request: HttpRequest) -> dict[str, list[str]]:
    """The headers of a first request, as events show them."""
    found = gathered(request.headers)
    found["Host"] = [request.host]
    found.setdefault("X-Forwarded-For", [request.source_ip])
    found.setdefault("X-Forwarded-Proto", ["http"])
    return found
