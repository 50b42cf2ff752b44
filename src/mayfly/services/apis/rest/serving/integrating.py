"""The integration of a method: who is asked, with what, and what becomes of the answer."""

import asyncio
import json
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.outgoing.api import Identity
from mayfly.services.apis.integrations.api import Call, IntegrationError, Opened, Outcome, Pairs, StreamingBackend
from mayfly.services.apis.integrations.backends import Backends
from mayfly.services.apis.integrations.functions import TENANT
from mayfly.services.apis.rest import patterns
from mayfly.services.apis.rest.model import STREAM, Integration, IntegrationResponse, key_use
from mayfly.services.apis.rest.serving import mapping, proxy_events, proxy_replies, streaming, uris
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.header_values import sendable
from mayfly.services.apis.rest.serving.proxy_events import is_binary
from mayfly.services.apis.rest.serving.refusals import RefusedError, internal
from mayfly.services.contract import HttpResponse
from mayfly.services.ports import Vault

_CONFIGURATION = "API_CONFIGURATION_ERROR"
_NOT_PASSED = frozenset({"host", "x-amzn-trace-id"})


class Integrating:
    """Carries integrations out."""

    def __init__(self, backends: Backends, vault: Vault, region: str, account: str, clock: Clock) -> None:
        self._backends = backends
        self._vault = vault
        self._region = region
        self._account = account
        self._clock = clock

    async def answer(self, arrival: Arrival) -> HttpResponse:
        """The response of the method's integration; `RefusedError`."""
        integration = arrival.integration()
        if integration.type == "AWS_PROXY":
            return await self._function(arrival, integration)
        if integration.type == "HTTP_PROXY":
            return await self._web(arrival, integration)
        return await self._mapped(arrival, integration)

    async def _function(self, arrival: Arrival, integration: Integration) -> HttpResponse:
        arn = uris.function_of(uris.with_variables(integration.uri or "", arrival.view.variables))
        if arn is None or integration.http_method != "POST":
            raise internal("Invalid ARN, or a method that functions are not called by", _CONFIGURATION)
        mapped = mapping.mapped(arrival, integration, None)
        for name, value in mapped["header"].items():
            arrival.headers[name] = [value]
        for name, value in mapped["querystring"].items():
            arrival.query[name] = [value]
        told = tuple((name, value) for name, value in mapped["header"].items() if name.lower() == TENANT)
        call = self._call(arrival, integration, arn, proxy_events.event(arrival), headers=told)
        if integration.response_transfer_mode == STREAM:
            until = asyncio.get_running_loop().time() + call.timeout_s
            opened = await self._open(arrival, call, self._backends.functions)
            return await self._begun(arrival, opened, streaming.of_function(arrival, opened, until))
        outcome = await self._send(arrival, call, integration)
        if outcome.failed:
            raise internal("Lambda execution failed", status=502)
        types = arrival.view.api.head.binary_media_types
        response = proxy_replies.interpret(outcome.body, types, arrival.header("accept"))
        arrival.context["integration"]["status"] = str(response.status)
        return response

    async def _web(self, arrival: Arrival, integration: Integration) -> HttpResponse:
        """A request passed on as it is, and its answer passed back."""
        parameters = mapping.mapped(arrival, integration, None)
        for name in arrival.variables:
            parameters["path"].setdefault(name, arrival.variables[name])
        headers = [
            (name, value)
            for name, values in arrival.headers.items()
            for value in values
            if name.lower() not in _NOT_PASSED and name not in parameters["header"]
        ]
        query = [
            (name, value)
            for name, values in arrival.query.items()
            for value in values
            if name not in parameters["querystring"]
        ]
        uri = _placed(integration.uri or "", parameters["path"], arrival, quoted=False)
        verb = integration.http_method if integration.http_method not in (None, "ANY") else arrival.request.method
        call = self._call(
            arrival,
            integration,
            uri,
            arrival.body,
            method=verb,
            headers=(*headers, *parameters["header"].items()),
            query=(*query, *parameters["querystring"].items()),
        )
        if integration.response_transfer_mode == STREAM:
            until = asyncio.get_running_loop().time() + call.timeout_s
            opened = await self._open(arrival, call, self._backends.web)
            return streaming.of_endpoint(arrival, opened, until)
        outcome = await self._send(arrival, call, integration)
        return HttpResponse(outcome.status, proxy_replies.passed(outcome.headers), outcome.body)

    async def _mapped(self, arrival: Arrival, integration: Integration) -> HttpResponse:
        """A request and an answer put through templates."""
        context = mapping.template_context(arrival)
        kind = mapping.content_type(arrival.header("content-type"))
        template = mapping.request_template(integration, kind)
        body = mapping.sent_body(arrival, integration)
        if template is not None:
            body = (await mapping.rendered(arrival, template, body.decode("utf-8", "replace"), context)).encode()
        arrival.note("Endpoint request body after transformations: ", body)
        parameters = mapping.mapped(arrival, integration, context)
        api_id = arrival.view.api.head.id
        usual = {
            "Accept": arrival.header("accept") or "application/json",
            "Content-Type": kind,
            "User-Agent": f"AmazonAPIGateway_{api_id}",
            "X-Amzn-Apigateway-Api-Id": api_id,
        }
        if integration.type != "HTTP":
            usual = {"Content-Type": kind} if body else {}
        given = {name.lower() for name in parameters["header"]}
        headers = {name: value for name, value in usual.items() if name.lower() not in given} | parameters["header"]
        uri = _placed(integration.uri or "", parameters["path"], arrival, quoted=integration.type == "HTTP")
        call = self._call(
            arrival,
            integration,
            uri,
            body,
            method=integration.http_method,
            headers=tuple(headers.items()),
            query=tuple(parameters["querystring"].items()),
        )
        outcome = await self._send(arrival, call, integration)
        return await self._answered(arrival, integration, outcome, context)

    async def _answered(
        self, arrival: Arrival, integration: Integration, outcome: Outcome, context: object
    ) -> HttpResponse:
        chosen = selected(integration, outcome)
        body = mapping.converted(outcome.body, chosen.content_handling, binary=_is_binary(arrival, outcome))
        templates = chosen.response_templates or {}
        kind, template = mapping.response_template(templates, arrival.header("accept"))
        arrival.note("Endpoint response body before transformations: ", body)
        if template is not None:
            body = (await mapping.rendered(arrival, template, body.decode("utf-8", "replace"), context)).encode()
        arrival.note("Method response body after transformations: ", body)
        headers = {"content-type": kind}
        for name, source in (chosen.response_parameters or {}).items():
            value = mapping.answered(arrival, source, outcome.headers, outcome.body)
            if value is not None:
                headers[name.removeprefix("method.response.header.").lower()] = sendable(value)
        override = context["responseOverride"]  # type: ignore[index]
        for name, value in override.get("header", {}).items():
            said = value if isinstance(value, str) else json.dumps(value)
            headers[proxy_replies.header_name(str(name))] = sendable(said)
        status = override.get("status", chosen.status_code)
        try:
            code = int(status)
        except (TypeError, ValueError):
            raise internal(f"Invalid status code {status}", _CONFIGURATION) from None
        return HttpResponse(code, list(headers.items()), body)

    def _call(
        self,
        arrival: Arrival,
        integration: Integration,
        uri: str,
        body: bytes,
        *,
        method: str | None = None,
        headers: Pairs = (),
        query: Pairs = (),
    ) -> Call:
        return Call(
            method or arrival.request.method,
            uri,
            arrival.request.request_id,
            self.source(arrival),
            headers,
            query,
            body,
            integration.timeout_in_millis / 1000.0,
            integration.credentials,
            arrival.request.header("x-amzn-trace-id"),
            arrival.principal,
            self._identity(arrival) if integration.type in ("HTTP", "HTTP_PROXY") else None,
        )

    def _identity(self, arrival: Arrival) -> Identity | None:
        """Whom the web is told that the stage is."""
        found = arrival.view.certificate
        if found is None:
            return None
        key = self._vault.open(found.sealed_key, key_use(found.client_certificate_id))
        return Identity(found.pem_encoded_certificate, key)

    async def _send(self, arrival: Arrival, call: Call, integration: Integration) -> Outcome:
        """Ask; `RefusedError` where there is no answer."""
        backends = self._backends
        backend = {
            "AWS_PROXY": backends.functions,
            "AWS": backends.services,
            "MOCK": backends.mocks,
        }.get(integration.type, backends.web)
        with self._measured(arrival, "BUFFERED"):
            outcome = await backend.send(call)
        arrival.answered(outcome.status, outcome.trace_id, _request_id(outcome.headers, call))
        return outcome

    async def _open(self, arrival: Arrival, call: Call, backend: StreamingBackend) -> Opened:
        """Ask for an answer that is passed on as it comes; `RefusedError`."""
        asked = replace(call, timeout_s=min(call.timeout_s, streaming.idle_s(arrival)))
        with self._measured(arrival, "STREAMED"):
            opened = await backend.open(asked)
        arrival.answered(opened.status, opened.trace_id, _request_id(opened.headers, asked))
        return opened

    async def _begun(self, arrival: Arrival, opened: Opened, response: Awaitable[HttpResponse]) -> HttpResponse:
        """The response when its head is there; what a function goes on to say is for nobody where there is none."""
        try:
            return await response
        except BaseException:
            opened.close()
            raise

    @contextmanager
    def _measured(self, arrival: Arrival, mode: str) -> Iterator[None]:
        """Note how long an integration takes until it answers; `RefusedError` where it does not."""
        began = self._clock.monotonic()
        known = arrival.context.setdefault("integration", {})
        known["responseTransferMode"] = mode
        try:
            yield
        except IntegrationError as error:
            known["error"] = error.message
            raise _refused(error) from error
        finally:
            arrival.integration_ms = (self._clock.monotonic() - began) * 1000.0
            arrival.context["integrationLatency"] = known["latency"] = round(arrival.integration_ms)

    def source(self, arrival: Arrival) -> str:
        """The ARN of the method, as functions' permissions name it."""
        assert arrival.resource is not None, "found before"
        api_id, verb, path = arrival.view.api.head.id, arrival.request.method, arrival.resource.path
        return uris.execute_arn(self._region, self._account, api_id, arrival.stage, verb, path)


def selected(integration: Integration, outcome: Outcome) -> IntegrationResponse:
    """The response whose pattern matches what was answered: the message of a function's error, else the status."""
    said = str(outcome.status)
    if integration.type == "AWS" and uris.function_of(integration.uri or "") is not None:
        said = _error_message(outcome.body) if outcome.failed else ""
    usual = None
    for response in (integration.integration_responses or {}).values():
        if not response.selection_pattern:
            usual = usual or response
        elif said and patterns.matches(response.selection_pattern, said):
            return response
    if usual is None:
        why = "No match for output mapping and no default endpoint response configured."
        raise internal(f"{why} Endpoint Response Status Code: {outcome.status}", _CONFIGURATION)
    return usual


def _request_id(headers: Pairs, call: Call) -> str:
    """By which who answered knows the request. Functions are called under the request's own id."""
    said = (value for name, value in headers if name in ("x-amzn-requestid", "x-amz-request-id"))
    return next(said, call.request_id)


def _error_message(body: bytes) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = found.get("errorMessage") if isinstance(found, dict) else None
    return message if isinstance(message, str) else json.dumps(message)


def _placed(uri: str, path: dict[str, str], arrival: Arrival, *, quoted: bool) -> str:
    """A URI with variables of the stage, and of the path, in their places."""
    found = uris.with_variables(uri, arrival.view.variables)
    for name, value in path.items():
        said = quote(value, safe="") if quoted else value
        found = found.replace(f"{{{name}}}", said).replace(f"{{{name}+}}", said)
    return found


def _is_binary(arrival: Arrival, outcome: Outcome) -> bool:
    kind = next((value for name, value in outcome.headers if name == "content-type"), None)
    return is_binary(arrival.view.api.head.binary_media_types, kind)


def _refused(error: IntegrationError) -> RefusedError:
    if error.kind == "timeout":
        return RefusedError("INTEGRATION_TIMEOUT", "Endpoint request timed out", why=error.message)
    if error.kind == "unreachable":
        return internal(error.message, "INTEGRATION_FAILURE", 504)
    if error.kind == "configuration":
        return internal(f"Execution failed due to configuration error: {error.message}", _CONFIGURATION)
    return internal(error.message)
