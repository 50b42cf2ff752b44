"""Integrations of HTTP APIs with addresses of the web: the request goes on as it came, but for what mappings change."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from mayfly.clock import Clock
from mayfly.services.apis.http import parameters, refusals, selections
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.apis.http.parameters import Change
from mayfly.services.apis.integrations.api import Backend, Call, IntegrationError, Outcome
from mayfly.services.contract import HttpResponse
from mayfly.services.described_replies import OURS

VIA = "HTTP/1.1 AmazonAPIGateway"
Send = Callable[[], Awaitable[Outcome]]


class WebIntegration:
    """`Respond` by asking an address."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        uri: str,
        method: str,
        timeout_s: float,
        changes: Sequence[Change],
        answers: "Answers",
    ) -> None:
        """`method`: ANY for the client's own."""
        self._backend = backend
        self._clock = clock
        self._uri = uri
        self._method = method
        self._timeout_s = timeout_s
        self._changes = tuple(changes)
        self._answers = answers

    async def respond(self, exchange: Exchange) -> HttpResponse:
        """See `compiled.Respond`."""
        request = exchange.request
        call = Call(
            request.method if self._method == "ANY" else self._method,
            url(self._uri, exchange, self._changes),
            request.request_id,
            "",
            headers=tuple(
                parameters.change_headers(
                    forwarded(exchange), self._changes, lambda name: selections.request_value(exchange, name)
                )
            ),
            body=exchange.body,
            timeout_s=self._timeout_s,
        )
        return await self._answers.of(exchange, self._clock, lambda: self._backend.send(call))


def forwarded(exchange: Exchange) -> list[tuple[str, str]]:
    """The headers of a request that go on, and those that say whose request it is."""
    request = exchange.request
    kept = [(name, value) for name, value in request.headers if name not in OURS and name not in ("host", "expect")]
    kept = [header for header in kept if header[0] not in ("forwarded", "via", "x-amzn-trace-id")]
    before = request.header("forwarded")
    said = f"for={request.source_ip};host={request.host};proto=http"
    return [
        *kept,
        ("forwarded", f"{before}, {said}" if before else said),
        ("via", f"{request.header('via')}, {VIA}" if request.header("via") else VIA),
        ("x-amzn-trace-id", exchange.trace_id),
    ]


def url(uri: str, exchange: Exchange, changes: Sequence[Change]) -> str:
    """Where a request goes: the URI with variables of the path filled in, the client's query behind its own."""
    for name, value in exchange.parameters.items():
        said = quote(value, safe="/:@!$&'()*+,;=~")
        uri = uri.replace(f"{{{name}}}", said).replace(f"{{{name}+}}", said)
    parts = urlsplit(uri)
    path, query = parts.path, "&".join(part for part in (parts.query, exchange.request.query) if part)
    for operation, where, name, value in changes:
        if where == "path":
            said = parameters.render(value, lambda selection: selections.request_value(exchange, selection))
            path = said if said.startswith("/") else f"/{said}"
        elif where == "querystring":
            given = parameters.render(value, lambda selection: selections.request_value(exchange, selection))
            query = _query(query, operation, name, given)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _query(query: str, operation: str, name: str, value: str) -> str:
    written = quote(name, safe="")
    kept = [part for part in query.split("&") if part]
    if operation != "append":
        kept = [part for part in kept if part.partition("=")[0] not in (name, written)]
    if operation != "remove" and value:
        kept.append(f"{written}={quote(value, safe='')}")
    return "&".join(kept)


class Answers:
    """What becomes of outcomes: responses, changed as mappings say for their status."""

    def __init__(self, changes: Mapping[int, Sequence[Change]]) -> None:
        self._changes = {status: tuple(some) for status, some in changes.items()}

    async def of(self, exchange: Exchange, clock: Clock, send: Send) -> HttpResponse:
        """The response to what `send` asks; `GatewayError`."""
        began = clock.monotonic()
        try:
            outcome = await send()
        except IntegrationError as error:
            raise _refusal(error) from error
        finally:
            exchange.integration_latency_ms = round((clock.monotonic() - began) * 1000)
        exchange.integration_status = exchange.function_status = outcome.status
        return self.response(exchange, outcome)

    def response(self, exchange: Exchange, outcome: Outcome) -> HttpResponse:
        """The response that an outcome becomes."""
        headers = [(name, value) for name, value in outcome.headers if name not in OURS]
        changes = self._changes.get(outcome.status)
        if changes is None:
            return HttpResponse(outcome.status, headers, outcome.body)
        named = dict(outcome.headers)

        def resolve(name: str) -> str | None:
            return selections.response_value(exchange, named, outcome.body, name)

        status = outcome.status
        for change in changes:
            if change.where == "statuscode":
                said = parameters.render(change.value, resolve)
                if said.isdecimal() and len(said) == 3 and 200 <= int(said) <= 599:
                    status = int(said)
        return HttpResponse(status, parameters.change_headers(headers, changes, resolve), outcome.body)


def _refusal(error: IntegrationError) -> refusals.GatewayError:
    if error.kind == "too-large":
        return refusals.too_large()
    if error.kind == "configuration":
        return refusals.internal(error.message)
    kind = "INTEGRATION_TIMEOUT" if error.kind == "timeout" else "INTEGRATION_FAILURE"
    return refusals.unavailable(error.message, kind)
