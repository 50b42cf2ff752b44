"""The front door of all services: from an HTTP request to a handler and back. Called by `http`, built by `app`.

The stages, each of which may refuse: read the claim of the signature, find the operation, find the key and check the
time, prepare the body, check the signature, decode, validate, call the handler, encode. A refusal takes the form that
the service's protocol gives errors. This is a request boundary: whatever a handler raises becomes a reply here.
"""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.services.contract import (
    ANONYMOUS,
    Handler,
    HttpRequest,
    HttpResponse,
    NotImplementedOperationError,
    Principal,
    Reply,
    RequestContext,
    ServiceError,
    SomeService,
    built,
)
from mayfly.services.ports import KeySource, SigningKey
from mayfly.settings import Settings
from mayfly.wire import claims, denials, payload, sigv2, sigv4
from mayfly.wire.body import Tracked
from mayfly.wire.claim_reader import ClaimReader
from mayfly.wire.exchange import Request, parse_query
from mayfly.wire.operations import Catalogue, NotLoadedError, Operation, fill_tokens, loaded
from mayfly.wire.query_json import PROTOCOL as QUERY_JSON
from mayfly.wire.resolver import FORM, Resolver, Target, UnknownServiceError
from mayfly.wire.routing import bucket_of_host

DRAIN_BYTES: Final = 256 * 1024  # of a body that nobody read, before the connection is given up instead

_log = logging.getLogger(__name__)


class Caller(Struct, frozen=True):
    """Who makes a request that is not signed, because the platform itself sends it."""

    principal: Principal
    service: str  # that it is for, as a signature's scope would say
    region: str
    as_json: bool = False  # answers of the `query` protocol


class _Incoming(Struct):
    """One request on its way."""

    http: HttpRequest
    sent: dict[str, str]  # headers as they came
    headers: dict[str, str]  # the same, and those that a presigned URL brings along
    body: Tracked
    path: str  # in path style
    query: list[tuple[str, str]] = []
    claim: claims.Claim | None = None
    form: bytes | None = None  # the body, where routing needed it
    target: Target | None = None  # what the request is for, once that is known
    caller: Caller | None = None


class Gateway:
    """All services behind one address. Construct once; `handle` may be called by any number of tasks at a time."""

    def __init__(
        self,
        services: Mapping[str, SomeService],
        keys: KeySource,
        settings: Settings,
        clock: Clock,
        catalogue: Catalogue,
    ) -> None:
        self._services = services
        self._handlers: dict[str, Mapping[str, Handler]] = {}  # of those that were asked for something
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self.catalogue = catalogue
        self._resolver = Resolver(self.catalogue, services)
        self._verifier = sigv4.Verifier()
        self._claims = ClaimReader()

    def warm(self, services: Iterable[str]) -> None:
        """Load what routing needs of `services`, which first requests would otherwise wait for; in a thread."""
        for name in services:
            self.catalogue.load(name)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """The reply to `request`. Raises only when the task is cancelled or the client is gone, as its body says."""
        return await self._handle(request, None)

    async def handle_for(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """The reply to a request of the platform's own, on behalf of `caller`. A signature in it means nothing."""
        return await self._handle(request, caller)

    async def _handle(self, request: HttpRequest, caller: Caller | None) -> HttpResponse:
        body = Tracked(request.body, request.content)
        headers = request.joined()
        incoming = _Incoming(request, headers, headers, body, request.path, caller=caller)
        try:
            try:
                response = await self._serve(incoming)
            except ServiceError as failure:
                response = _refusal(incoming, failure)
            except claims.AuthError as error:
                target = incoming.target
                family = target.service.family(target.protocol) if target is not None else "rest-json"
                response = _refusal(incoming, denials.denial(error, family))
        except Exception:
            if body.broken:
                raise
            response = _failure(incoming)
        if request.method == "HEAD":
            response = replace(response, body=b"")
        if not body.finished and not await _drained(request, body):
            response = replace(response, close=True)
        return response

    async def _serve(self, incoming: _Incoming) -> HttpResponse:
        """The reply; `ServiceError` or `AuthError` for a refusal."""
        unreadable: claims.AuthError | None = None
        if incoming.http.query:
            _read_query(incoming)
        caller = incoming.caller
        if caller is None:
            try:
                incoming.claim = self._claims.claim_of(incoming.headers, incoming.query)
            except claims.AuthError as error:
                unreadable = error  # refused below, in the words of the service that the request is for
            scope = incoming.claim.service if incoming.claim is not None else None
        else:
            scope = caller.service
        if incoming.http.method == "POST" and scope != "s3" and _is_form(incoming.headers):
            # Query services name their operation in the body. S3 knows no forms, but objects may be said to be ones.
            incoming.form = await payload.read(incoming.body, self._settings.http.body_bytes)
        try:
            target = self._resolve(incoming, scope)
        except NotLoadedError:
            target = await loaded(partial(self._resolve, incoming, scope))
        if caller is not None and caller.as_json and target.protocol == "query":
            target = replace(target, protocol=QUERY_JSON)
        incoming.target = target
        if unreadable is not None:
            raise unreadable
        service, name = target.service, target.operation
        if name is None:
            raise target.refusal or UnknownServiceError("There is no such operation.")
        try:
            operation = service.operation(name, target.protocol)
        except NotLoadedError:
            operation = await loaded(partial(service.operation, name, target.protocol))
        principal, request = await self._admit(incoming, target, operation)
        handlers = self._handlers.get(service.name)
        if handlers is None:
            handlers = await self._built(service.name)
        handler = handlers.get(name)
        if handler is None:
            raise NotImplementedOperationError(service.name, name)
        params = operation.parse(request)
        if operation.tokens:
            fill_tokens(operation, params)
        operation.validate(params)
        result = await handler(self._context(incoming, principal), params)
        response = operation.serialise(result or {}, incoming.http.request_id)
        if type(result) is Reply:
            return HttpResponse(response.status, [*response.headers, *result.headers], response.body)
        return response

    async def _built(self, name: str) -> Mapping[str, Handler]:
        """The handlers of a service, which is built first where it is late; none for one that Mayfly does not have."""
        service = self._services.get(name)
        if service is None:
            return {}
        handlers = self._handlers[name] = (await built(service)).operations
        return handlers

    def _resolve(self, incoming: _Incoming, scope: str | None) -> Target:
        http = incoming.http
        if scope is None or scope == "s3":
            bucket = bucket_of_host(http.host)
            if bucket is not None:
                incoming.path = f"/{bucket}{http.path}"
        form = incoming.form or b""
        return self._resolver.resolve(http.method, incoming.path, incoming.query, incoming.headers, scope, form)

    async def _admit(self, incoming: _Incoming, target: Target, operation: Operation) -> tuple[Principal, Request]:
        """Who asks, and the request with its body ready to be decoded; the signature holds."""
        claim, http = incoming.claim, incoming.http
        family = target.service.family(target.protocol)
        limit = self._settings.http.body_bytes
        if incoming.caller is not None:
            prepared = payload.prepare(incoming.headers, incoming.body, incoming.form, operation, limit, family)
            return incoming.caller.principal, _request(incoming, target, await prepared.admit(None))
        if claim is None:
            if not operation.anonymous and target.service.name != "s3":
                raise denials.missing(family)
            prepared = payload.prepare(incoming.headers, incoming.body, incoming.form, operation, limit, family)
            return ANONYMOUS, _request(incoming, target, await prepared.admit(None))
        key = await self._key(claim, family)
        claims.check_time(claim, self._clock.now(), self._settings.max_clock_skew_s)
        if family == "s3":
            claims.check_all_signed(claim, incoming.sent)
        prepared = payload.prepare(incoming.headers, incoming.body, incoming.form, operation, limit, family, claim)
        signed_hash = await prepared.signed_hash()
        signer = None
        if claim.version == 2:
            text = sigv2.string_to_sign(claim, http.method, incoming.path, incoming.query, incoming.headers)
            sigv2.check(claim, key.secret_access_key, text)
        else:
            signed = sigv4.SignedRequest(http.method, http.mount + http.path, http.query, incoming.sent)
            signer = self._verifier.check(claim, key.secret_access_key, signed, signed_hash)
        return key.principal, _request(incoming, target, await prepared.admit(signer))

    async def _key(self, claim: claims.Claim, family: denials.Family) -> SigningKey:
        try:
            return await self._keys.find(claim.access_key_id, claim.session_token)
        except ServiceError as error:
            with_token = claim.session_token is not None
            raise denials.unknown_key(error, family, claim.access_key_id, with_token) from error

    def _context(self, incoming: _Incoming, principal: Principal) -> RequestContext:
        claim, http = incoming.claim, incoming.http
        region = claim.region if claim is not None and claim.region != "aws-global" else self._settings.region
        if incoming.caller is not None:
            region = incoming.caller.region
        return RequestContext(
            http.request_id,
            principal.account or self._settings.account,
            region,
            principal,
            f"http://{http.host}",
            http.source_ip,
            incoming.headers.get("user-agent", ""),
            incoming.headers,
            http.client,
        )


def _read_query(incoming: _Incoming) -> None:
    try:
        incoming.query = parse_query(incoming.http.query)
    except ValueError as error:
        raise ServiceError("InvalidURI", f"The query string cannot be decoded: {error}", status=400) from error
    if hoisted := claims.hoisted(incoming.query):
        incoming.headers = {**hoisted, **incoming.sent}


def _is_form(headers: Mapping[str, str]) -> bool:
    content_type = headers.get("content-type")
    return content_type is not None and content_type.startswith(FORM)


def _request(incoming: _Incoming, target: Target, admitted: payload.Admitted) -> Request:
    return Request(
        incoming.http.method, incoming.query, admitted.headers, target.labels, admitted.body, admitted.stream
    )


async def _drained(request: HttpRequest, body: Tracked) -> bool:
    if not body.started and request.header("expect") is not None:
        return False  # reading would tell the client to send what nobody wants
    try:
        return await body.drain(DRAIN_BYTES)
    except (OSError, ServiceError):
        return False  # the client is gone, or sends what is no body; its connection is of no further use


def _refusal(incoming: _Incoming, failure: ServiceError) -> HttpResponse:
    target, request_id = incoming.target, incoming.http.request_id
    if target is None:
        return plain_error(failure, request_id)
    response = target.error(failure, request_id)
    return replace(response, headers=[*response.headers, *failure.headers.items()])


def _failure(incoming: _Incoming) -> HttpResponse:
    """The reply where Mayfly failed, from where that is handled."""
    target, request_id = incoming.target, incoming.http.request_id
    name = f"{target.service.name}:{target.operation}" if target is not None else "routing"
    _log.exception("request %s (%s) failed", request_id, name)
    return _refusal(incoming, internal_failure(target.service.name if target is not None else ""))


def plain_error(failure: ServiceError, request_id: str) -> HttpResponse:
    """The reply to a request that belongs to no service: JSON, which every SDK but S3's can read."""
    headers = [
        ("x-amzn-requestid", request_id),
        ("x-amzn-errortype", failure.code),
        ("content-type", "application/json"),
    ]
    content: dict[str, Any] = {"__type": failure.code, "message": failure.message}
    return HttpResponse(failure.status or 400, headers, msgspec.json.encode(content))


def internal_failure(service: str) -> ServiceError:
    """What a service says when Mayfly failed."""
    code = {"s3": "InternalError", "dynamodb": "InternalServerError", "lambda": "ServiceException"}.get(service)
    if service == "s3":
        return ServiceError("InternalError", "We encountered an internal error. Please try again.", status=500)
    return ServiceError(code or "InternalFailure", "The service has encountered an internal error.", status=500)
