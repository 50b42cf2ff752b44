"""What happens to a message: its route, the integration behind it, and what goes back to the client."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.services.apis.http.checks import function_of
from mayfly.services.apis.integrations import uris
from mayfly.services.apis.integrations.api import Call, IntegrationError, Outcome
from mayfly.services.apis.integrations.backends import Backends
from mayfly.services.apis.websocket import selection
from mayfly.services.apis.websocket.compiled import Integration, Route, Stage
from mayfly.services.apis.websocket.exchange import Exchange, event_of
from mayfly.services.apis.websocket.mapping import Mapping, UnmappedError
from mayfly.services.ports import MetricCounts
from mayfly.vtl import relaxed_json

_NAMESPACE = "AWS/ApiGateway"
_INTERNAL = "Internal server error"
_log = logging.getLogger(__name__)


class Answer(Struct, frozen=True):
    """What became of a message."""

    status: int = 200
    body: bytes | None = None  # for the client
    headers: Sequence[tuple[str, str]] = ()  # of the response to a first request


class RouteError(Exception):
    """A message that came to nothing; `message` is what the client is told."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Routing:
    """Carries messages to integrations."""

    def __init__(self, backends: Backends, counts: MetricCounts, clock: Clock) -> None:
        self._backends = backends
        self._counts = counts
        self._clock = clock

    def choose(self, stage: Stage, exchange: Exchange) -> Route | None:
        """The route of a message; None: there is none, and no `$default` either."""
        message = exchange.message
        if message is not None and message.is_text:
            exchange.document = relaxed_json.read(message.data.decode())
        key = selection.selected(stage.selection, Mapping(stage, exchange).lookup)
        route = stage.routes.get(key) if key is not None and not key.startswith("$") else None
        return route or stage.routes.get(selection.DEFAULT)

    def check(self, stage: Stage, route: Route, exchange: Exchange) -> None:
        """`RouteError` unless the message is what the route's model says; AWS tells the client no more than that."""
        if not route.models:
            return
        key = selection.selected(route.model_selection, Mapping(stage, exchange).lookup)
        model = (route.models.get(key) if key is not None else None) or route.models.get(selection.DEFAULT)
        if model is not None and (fault := model.fault(exchange.document)) is not None:
            _log.info("request %s to API %s is not what its model says: %s", exchange.request_id, stage.api_id, fault)
            exchange.validation_error = fault
            raise RouteError("Forbidden", 403)

    async def carry(self, stage: Stage, route: Route, exchange: Exchange) -> Answer:
        """Ask the integration of a route; `RouteError`."""
        integration = route.integration
        if integration is None:
            raise RouteError(_INTERNAL)
        began = self._clock.monotonic()
        try:
            answer = await self._carry(stage, route, integration, exchange)
            exchange.integration_status = answer.status
            return answer
        except IntegrationError as error:
            exchange.integration_error = error.message
            _log.info("request %s to API %s: %s", exchange.request_id, stage.api_id, error.message)
            self.count("IntegrationError", stage)
            if error.kind == "timeout":
                raise RouteError("Endpoint request timed out", 504) from error
            if error.kind == "throttled":
                raise RouteError("Too Many Requests", 429) from error
            raise RouteError(_INTERNAL, 502 if error.kind == "unreachable" else 500) from error
        except UnmappedError as error:
            raise RouteError("Unsupported Media Type", 415) from error
        finally:
            elapsed_ms = (self._clock.monotonic() - began) * 1000
            exchange.integration_latency_ms = round(elapsed_ms)
            self.count("IntegrationLatency", stage, elapsed_ms, "Milliseconds")

    async def _carry(self, stage: Stage, route: Route, integration: Integration, exchange: Exchange) -> Answer:
        arn = f"{stage.arn}/{exchange.route_key}"
        if integration.type == "AWS_PROXY":
            return await self._proxy(stage, route, integration, exchange, arn)
        mapping = Mapping(stage, exchange)
        if integration.type == "HTTP_PROXY":
            outcome = await self._backends.web.send(mapping.call(integration, arn))
            exchange.call_status = outcome.status
            return Answer(outcome.status, outcome.body if route.answers else None)
        call = mapping.call(integration, arn)
        if integration.type == "MOCK":
            outcome = await self._backends.mocks.send(call)
        elif integration.type == "HTTP":
            outcome = await self._backends.web.send(call)
        else:
            outcome = await self._backends.services.send(_function_call(call))
        exchange.call_status = outcome.status
        body = mapping.reply(integration, outcome) if route.answers else None
        status = 500 if outcome.failed else outcome.status
        return Answer(status, body)

    async def _proxy(
        self, stage: Stage, route: Route, integration: Integration, exchange: Exchange, arn: str
    ) -> Answer:
        function = function_of(integration.uri)
        if function is None:
            raise IntegrationError("configuration", f"{integration.uri!r} names no function")
        call = Call(
            "POST",
            function,
            exchange.request_id,
            arn,
            body=event_of(exchange, stage.variables),
            timeout_s=integration.timeout_s,
            credentials=integration.credentials,
        )
        outcome = await self._backends.functions.send(call)
        exchange.call_status = outcome.status
        if outcome.failed:
            raise IntegrationError("unreachable", f"the function failed: {outcome.body[:200]!r}")
        return _read(outcome, answers=route.answers)

    def count(self, metric: str, stage: Stage, amount: float = 1.0, unit: str = "Count") -> None:
        """Add to a metric of a stage, and of its API."""
        api = ("ApiId", stage.api_id)
        self._counts.count(metric, (api,), amount, unit, _NAMESPACE)
        self._counts.count(metric, (api, ("Stage", stage.name)), amount, unit, _NAMESPACE)


def _function_call(call: Call) -> Call:
    """A URI that is a function's ARN, as one of an integration with a service."""
    if uris.read(call.uri) is not None or (function := function_of(call.uri)) is None:
        return call
    uri = f"arn:aws:apigateway::lambda:path/2015-03-31/functions/{function}/invocations"
    return replace(call, uri=uri)


def _read(outcome: Outcome, *, answers: bool) -> Answer:
    """What a function behind a proxy integration said."""
    try:
        said: Any = json.loads(outcome.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return Answer(200 if said is None else 502)
    status = said.get("statusCode", 200)
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        return Answer(502)
    body = said.get("body")
    shown = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = said.get("headers")
    pairs = [(str(name).lower(), str(value)) for name, value in headers.items()] if isinstance(headers, dict) else []
    return Answer(status, shown if answers else None, pairs)
