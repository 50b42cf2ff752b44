"""Requests to WebSocket APIs: the beginnings of connections, and what is said to those that there are.

wss://{api}.execute-api.{region}.…/{stage}                        a connection
https://{api}.execute-api.{region}.…/{stage}/@connections/{id}    POST, GET, DELETE, signed

Both below a custom domain name, too, where a mapping says which stage it is.
"""

import json
import logging

from mayfly.clock import Clock
from mayfly.errors import CallerError, MayflyError
from mayfly.services.apis.http.snapshots import Snapshots
from mayfly.services.apis.http.throttles import Bucket
from mayfly.services.apis.rest.serving.arrival import read_query
from mayfly.services.apis.websocket import limits
from mayfly.services.apis.websocket.access_log import AccessLogs
from mayfly.services.apis.websocket.authorizers import Authorizers, RefusedError
from mayfly.services.apis.websocket.compiled import CompiledApi, Stage
from mayfly.services.apis.websocket.connections import Connection, Connections, FullError
from mayfly.services.apis.websocket.exchange import Exchange, Facts, headers_of, new_id
from mayfly.services.apis.websocket.framing import Message, accept_of, is_key
from mayfly.services.apis.websocket.management import Management, is_text
from mayfly.services.apis.websocket.routing import Answer, RouteError, Routing
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.ports import Signatures

CONNECT, DISCONNECT = "$connect", "$disconnect"
_MANAGED = "@connections/"
_log = logging.getLogger(__name__)


class WebsocketAnswering:
    """`parts.Answering` of WebSocket APIs."""

    def __init__(
        self,
        snapshots: Snapshots[CompiledApi],
        routing: Routing,
        authorizers: Authorizers,
        signatures: Signatures,
        clock: Clock,
        access_logs: AccessLogs,
        region: str,
    ) -> None:
        self._snapshots = snapshots
        self._routing = routing
        self._authorizers = authorizers
        self._signatures = signatures
        self._clock = clock
        self._access_logs = access_logs
        self._region = region
        self._new = Bucket(limits.NEW_A_SECOND, limits.NEW_AT_ONCE)
        self.connections = Connections(clock, self._arrived, self._ended)
        self._management = Management(self.connections)

    async def answer(self, api_id: str, request: HttpRequest) -> HttpResponse:
        """See `parts.Answering`."""
        api = await self._snapshots.get(api_id)
        name, _, rest = request.path.lstrip("/").partition("/")
        stage = api.stages.get(name) if api is not None else None
        if stage is None or stage.disabled:
            return _said(403, "Forbidden")
        domain = request.host.partition(":")[0]
        if request.mount or domain.lower().startswith(f"{api_id}.execute-api."):
            # The one that leads here from functions.
            domain = f"{api_id}.execute-api.{self._region}.amazonaws.com"
        return await self._answer(stage, request, rest, domain)

    async def answer_below(
        self, api_id: str, stage_name: str, request: HttpRequest, base_path: str, rest: str
    ) -> HttpResponse:
        """The response to a request for a custom domain name, whose mapping `base_path` leads to a stage."""
        api = await self._snapshots.get(api_id)
        stage = api.stages.get(stage_name) if api is not None else None
        if stage is None:
            return _said(403, "Forbidden")
        return await self._answer(stage, request, rest, request.host.partition(":")[0])

    async def _answer(self, stage: Stage, request: HttpRequest, rest: str, domain: str) -> HttpResponse:
        rest = rest.lstrip("/")  # endpoints of SDKs may end with a slash
        if rest.startswith(_MANAGED):
            return await self._managed(stage, request, rest.removeprefix(_MANAGED))
        if rest:
            return _said(403, "Forbidden")
        if not asks_for_websocket(request):
            headers = [("upgrade", "websocket"), ("connection", "upgrade")]
            return _said(426, "Upgrade Required", headers)
        return await self._connect(stage, request, domain)

    async def _managed(self, stage: Stage, request: HttpRequest, rest: str) -> HttpResponse:
        body = request.content if request.content is not None else await _read(request)
        try:
            principal = await self._signatures.principal(request, body, "execute-api")
        except CallerError:
            return _said(
                403, "Missing Authentication Token", [("x-amzn-errortype", "MissingAuthenticationTokenException")]
            )
        if principal.kind == "user":
            return _said(403, "Forbidden", [("x-amzn-errortype", "ForbiddenException")])
        return self._management.answer(request.method, stage.api_id, stage.name, rest, body)

    async def _connect(self, stage: Stage, request: HttpRequest, domain: str) -> HttpResponse:
        now = self._clock.now()
        if not self._new.take(self._clock.monotonic()) or len(self.connections) >= limits.MOST_CONNECTIONS:
            return _said(429, "Too Many Requests")
        facts = Facts(
            new_id(),
            stage.api_id,
            stage.name,
            domain,
            request.source_ip,
            request.header("user-agent") or "",
            now,
            headers_of(request),
            read_query(request.query),
        )
        exchange = Exchange(facts, "CONNECT", CONNECT, now, new_id())
        try:
            answer = await self._admitted(stage, exchange, request)
            exchange.status = answer.status
        except RefusedError as refusal:
            exchange.status, exchange.error = refusal.status, refusal.message
            self._routing.count("ClientError", stage)
            return _said(refusal.status, refusal.message)
        except RouteError as error:
            exchange.status, exchange.error = error.status, error.message
            self._routing.count("ExecutionError", stage)
            return _said(error.status, error.message)
        finally:
            self._access_logs.write(stage.log, exchange)
        if not 200 <= answer.status < 300:
            self._routing.count("ClientError", stage)
            return HttpResponse(answer.status, [("content-type", "application/json")], answer.body or b"")
        self._routing.count("ConnectCount", stage)
        return self._accepted(stage, facts, request, answer)

    async def _admitted(self, stage: Stage, exchange: Exchange, request: HttpRequest) -> Answer:
        """What `$connect` says; `RefusedError`, `RouteError`."""
        route = stage.routes.get(CONNECT)
        if route is None:
            return Answer()
        bucket = route.bucket or stage.bucket
        if bucket is not None and not bucket.take(self._clock.monotonic()):
            raise RefusedError(429, "Too Many Requests")
        await self._authorizers.check(route, stage, exchange, request)
        return Answer() if route.integration is None else await self._routing.carry(stage, route, exchange)

    def _accepted(self, stage: Stage, facts: Facts, request: HttpRequest, answer: Answer) -> HttpResponse:
        connection = Connection(self.connections, facts.connection_id, stage.api_id, stage.name, facts)
        self.connections.add(connection)
        headers = [
            ("upgrade", "websocket"),
            ("sec-websocket-accept", accept_of(request.header("sec-websocket-key") or "")),
        ]
        headers += [pair for pair in answer.headers if pair[0] == "sec-websocket-protocol"]
        return HttpResponse(101, headers, connection, tunnel=connection)

    async def _arrived(self, connection: Connection, message: Message) -> None:
        """A message of a connection."""
        api = await self._snapshots.get(connection.api_id)
        stage = api.stages.get(connection.stage) if api is not None else None
        if stage is None:
            connection.close(limits.GOING_AWAY, "Going away")
            return
        exchange = Exchange(connection.facts, "MESSAGE", "", self._clock.now(), new_id(), message, new_id())
        self._routing.count("MessageCount", stage)
        try:
            answer = await self._messaged(stage, exchange)
            exchange.status = answer.status
        except RouteError as error:
            exchange.status, exchange.error = error.status, error.message
            self._routing.count("ClientError" if error.status < 500 else "ExecutionError", stage)
            _tell(connection, exchange, error.message)
            return
        except MayflyError as error:
            exchange.status, exchange.error = 500, "Internal server error"
            _log.warning("a message to API %s failed: %s", stage.api_id, error)
            _tell(connection, exchange, "Internal server error")
            return
        finally:
            self._access_logs.write(stage.log, exchange)
        if answer.body:
            _send(connection, answer.body)

    async def _messaged(self, stage: Stage, exchange: Exchange) -> Answer:
        route = self._routing.choose(stage, exchange)
        if route is None:
            raise RouteError("Forbidden", 403)
        exchange.route_key = route.key
        bucket = route.bucket or stage.bucket
        if bucket is not None and not bucket.take(self._clock.monotonic()):
            raise RouteError("Too Many Requests", 429)
        self._routing.check(stage, route, exchange)
        return await self._routing.carry(stage, route, exchange)

    async def _ended(self, connection: Connection, code: int, reason: str) -> None:
        """A connection has ended; `$disconnect` is told as far as that is possible."""
        api = await self._snapshots.get(connection.api_id)
        stage = api.stages.get(connection.stage) if api is not None else None
        if stage is None:
            return
        exchange = Exchange(
            connection.facts, "DISCONNECT", DISCONNECT, self._clock.now(), new_id(), ended=(code, reason)
        )
        route = stage.routes.get(DISCONNECT)
        try:
            if route is None or route.integration is None:
                exchange.status = 200
            else:
                exchange.status = (await self._routing.carry(stage, route, exchange)).status
        except RouteError as error:
            exchange.status, exchange.error = error.status, error.message
            _log.info("$disconnect of API %s: %s", stage.api_id, error)
        except ServiceError as error:
            exchange.status, exchange.error = 500, "Internal server error"
            _log.info("$disconnect of API %s: %s", stage.api_id, error)
        finally:
            self._access_logs.write(stage.log, exchange)


def asks_for_websocket(request: HttpRequest) -> bool:
    """Whether a request is the beginning of a WebSocket (RFC 6455, section 4.2.1)."""
    wanted = [token.strip().lower() for token in (request.header("connection") or "").split(",")]
    return (
        request.method == "GET"
        and "upgrade" in wanted
        and (request.header("upgrade") or "").lower() == "websocket"
        and request.header("sec-websocket-version") == "13"
        and is_key(request.header("sec-websocket-key"))
    )


def _tell(connection: Connection, exchange: Exchange, message: str) -> None:
    """What a client hears of a message that came to nothing."""
    facts = exchange.facts
    told = {"message": message, "connectionId": facts.connection_id, "requestId": exchange.request_id}
    _send(connection, json.dumps(told).encode())


def _send(connection: Connection, body: bytes) -> None:
    try:
        connection.send(body, is_text=is_text(body))
    except FullError:
        _log.info("connection %s: its client does not read", connection.id)


def _said(status: int, message: str, headers: list[tuple[str, str]] | None = None) -> HttpResponse:
    body = json.dumps({"message": message}).encode()
    return HttpResponse(status, [("content-type", "application/json"), *(headers or [])], body)


async def _read(request: HttpRequest) -> bytes:
    body = bytearray()
    async for chunk in request.body:
        body += chunk
        if len(body) > limits.MESSAGE_BYTES + 1:
            break
    return bytes(body)
