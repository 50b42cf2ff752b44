"""Answers requests to HTTP APIs: stage, route, throttle, authorizer, CORS, integration, and what is told of it all."""

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from msgspec.structs import replace

from mayfly import ids
from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.apis.door import forbidden
from mayfly.services.apis.http import cors, refusals
from mayfly.services.apis.http.compiled import CompiledApi, CompiledStage
from mayfly.services.apis.http.exchange import Exchange, trace_of
from mayfly.services.apis.http.measures import Note
from mayfly.services.apis.http.model import DEFAULT, PAYLOAD_BYTES
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.services.ports import CallRecords

Find = Callable[[str], CompiledApi | None]
Get = Callable[[str], Awaitable[CompiledApi | None]]
_log = logging.getLogger(__name__)


class HttpAnswering:
    """`parts.Answering` of HTTP APIs."""

    def __init__(self, peek: Find, get: Get, clock: Clock, records: CallRecords) -> None:
        """`peek` finds what is in memory, `get` reads it."""
        self._peek = peek
        self._get = get
        self._clock = clock
        self._records = records

    async def answer(self, api_id: str, request: HttpRequest) -> HttpResponse:
        """See `parts.Answering`."""
        api = self._peek(api_id) or await self._get(api_id)
        if api is None:
            return forbidden()
        name, rest = _stage_of(api, request.path)
        stage = api.stages.get(name)
        if stage is None or stage.endpoint_disabled:
            return _own(request, refusals.not_found())
        domain = request.host.partition(":")[0]
        if request.mount:
            domain = f"{api.id}.execute-api.{api.region}.amazonaws.com"
        return await self._answer(api, stage, request, rest, request.path, domain, None)

    async def answer_below(
        self, api_id: str, stage_name: str, request: HttpRequest, base_path: str, rest: str
    ) -> HttpResponse:
        """The response to a request for a custom domain name, whose mapping `base_path` leads to a stage."""
        api = self._peek(api_id) or await self._get(api_id)
        stage = api.stages.get(stage_name) if api is not None else None
        if api is None or stage is None:
            return _own(request, refusals.not_found())
        raw = rest if stage_name == DEFAULT else f"/{stage_name}{rest}"
        return await self._answer(api, stage, request, rest, raw, request.host.partition(":")[0], base_path)

    async def _answer(
        self,
        api: CompiledApi,
        stage: CompiledStage,
        request: HttpRequest,
        rest: str,
        raw_path: str,
        domain: str,
        base_path: str | None,
    ) -> HttpResponse:
        began, now = self._clock.monotonic(), self._clock.now()
        trace = trace_of(request.header("x-amzn-trace-id"), now, ids.digits(24))
        shown, written = (
            (raw_path, request.path) if "%" not in request.path else (unquote(raw_path), unquote(request.path))
        )
        exchange = Exchange(request, api, stage, now, rest, shown, written, domain, domain.partition(".")[0], trace)
        exchange.base_path = base_path
        try:
            response = await self._respond(exchange, stage, began)
        except refusals.GatewayError as refusal:
            exchange.error, exchange.error_type = refusal.message, refusal.kind
            if refusal.kind.startswith("INTEGRATION"):
                exchange.integration_error = refusal.detail
            if refusal.status >= 500:
                _log.info("request %s to API %s: %s", request.request_id, api.id, refusal.detail)
            response = refusal.response()
        if stage.cors is not None and not cors.is_preflight(request):
            response = cors.decorated(stage.cors, request.header("origin"), response)
        latency_ms = (self._clock.monotonic() - began) * 1000
        self._tell(exchange, stage, response, latency_ms)
        return replace(response, headers=[*response.headers, ("apigw-requestid", request.request_id)])

    async def _respond(self, exchange: Exchange, stage: CompiledStage, began: float) -> HttpResponse:
        request = exchange.request
        asks = stage.cors is not None and cors.is_preflight(request)
        found = None if stage.table is None else stage.table.match(request.method, exchange.path)
        if found is None:
            if asks and stage.cors is not None:
                return cors.preflight(stage.cors, request)
            raise refusals.not_found()
        route = found.route
        exchange.route = route
        exchange.parameters = found.parameters
        bucket = route.bucket or stage.bucket
        if bucket is not None and not bucket.take(began):
            raise refusals.too_many()
        if asks and stage.cors is not None and route.authorize is None:
            return cors.preflight(stage.cors, request)
        exchange.body = request.content if request.content is not None else await _read(request)
        if len(exchange.body) > PAYLOAD_BYTES:
            raise refusals.too_large()
        if route.authorize is not None:
            await route.authorize(exchange)
        if asks and stage.cors is not None:
            return cors.preflight(stage.cors, request)
        return await route.respond(exchange)

    def _tell(self, exchange: Exchange, stage: CompiledStage, response: HttpResponse, latency_ms: float) -> None:
        route = exchange.route
        integration = exchange.integration_latency_ms
        stage.measures.append(
            Note(
                response.status,
                round(latency_ms),
                integration,
                len(response.body) if isinstance(response.body, bytes) else 0,
                (exchange.request.method, route.path) if route is not None and route.key in stage.detailed else None,
            )
        )
        if stage.log is not None:
            try:
                self._records.append([stage.log.line(exchange, response, round(latency_ms))], ())
            except MayflyError as error:
                _log.warning("a line of an access log is lost: %s", error)


def _stage_of(api: CompiledApi, path: str) -> tuple[str, str]:
    """The stage that a path is of, and the path below it."""
    first, _, rest = path[1:].partition("/")
    if first in api.stages and first != DEFAULT:
        return first, f"/{rest}"
    return DEFAULT, path


async def _read(request: HttpRequest) -> bytes:
    """The body; one that is too large is cut behind the first byte that is too many."""
    body = bytearray()
    async for chunk in request.body:
        body += chunk
        if len(body) > PAYLOAD_BYTES:
            break
    return bytes(body)


def _own(request: HttpRequest, refusal: refusals.GatewayError) -> HttpResponse:
    response = refusal.response()
    return replace(response, headers=[*response.headers, ("apigw-requestid", request.request_id)])
