"""The front door of all services: from an HTTP request to a handler and back. Called by `http`, built by `app`.

The stages, each of which may refuse: read the claim of the signature, find the operation, find the key and check the
time, prepare the body, check the signature, decode, validate, call the handler, encode. A refusal takes the form that
the service's protocol gives errors. This is a request boundary: whatever a handler raises becomes a reply here.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.services.contract import (
    ANONYMOUS,
    HttpRequest,
    HttpResponse,
    NotImplementedOperationError,
    Principal,
    RequestContext,
    Service,
    ServiceError,
)
from mayfly.services.ports import KeySource, SigningKey
from mayfly.settings import Settings
from mayfly.wire import claims, denials, payload, sigv2, sigv4
from mayfly.wire.body import Tracked
from mayfly.wire.exchange import Request, parse_query
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue, Operation, fill_tokens
from mayfly.wire.resolver import FORM, Resolver, Target, UnknownServiceError
from mayfly.wire.routing import bucket_of_host

DRAIN_BYTES: Final = 256 * 1024  # of a body that nobody read, before the connection is given up instead

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Incoming:
    """One request on its way."""

    http: HttpRequest
    sent: dict[str, str]  # headers as they came
    headers: dict[str, str]  # the same, and those that a presigned URL brings along
    query: list[tuple[str, str]]
    body: Tracked
    path: str  # in path style
    form: bytes | None = None  # the body, where routing needed it


class Gateway:
    """All services behind one address. Construct once; `handle` may be called by any number of tasks at a time."""

    def __init__(
        self, services: Mapping[str, Service], keys: KeySource, settings: Settings, clock: Clock, models: Models
    ) -> None:
        self._handlers = {name: service.operations for name, service in services.items()}
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self.catalogue = Catalogue(models, frozenset(services))
        self._resolver = Resolver(self.catalogue, services)
        self._verifier = sigv4.Verifier()

    def warm(self) -> None:
        """Load and compile what the first requests would otherwise wait for; about 0.5 s, so call it in a thread."""
        self.catalogue.models.index()
        for name, handlers in self._handlers.items():
            service = self.catalogue.service(name)
            if service.protocol.startswith("rest-"):
                service.paths.knows("/")
            for operation in handlers:
                service.operation(operation, service.protocol)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """The reply to `request`. Raises only when the task is cancelled or the client is gone, as its body says."""
        body = Tracked(request.body)
        response = await self._answer(request, body)
        if request.method == "HEAD":
            response = replace(response, body=b"")
        if not body.finished and not await _drained(request, body):
            response = replace(response, close=True)
        return response

    async def _answer(self, request: HttpRequest, body: Tracked) -> HttpResponse:
        found: list[Target] = []  # what the request is for, once that is known
        try:
            return await self._attempt(request, body, found)
        except Exception:
            if body.broken:
                raise
            target = found[0] if found else None
            name = f"{target.service.name}:{target.operation}" if target is not None else "routing"
            _log.exception("request %s (%s) failed", request.request_id, name)
            return _refusal(target, internal_failure(target.service.name if target else ""), request.request_id)

    async def _attempt(self, request: HttpRequest, body: Tracked, found: list[Target]) -> HttpResponse:
        """The reply, refusals included."""
        try:
            incoming = _incoming(request, body)
            claim: claims.Claim | None = None
            unreadable: claims.AuthError | None = None
            try:
                claim = claims.claim_of(incoming.headers, incoming.query)
            except claims.AuthError as error:
                unreadable = error  # refused below, in the words of the service that the request is for
            found.append(await self._route(incoming, claim))
            if unreadable is not None:
                raise unreadable
            return await self._serve(incoming, claim, found[0])
        except ServiceError as failure:
            return _refusal(found[0] if found else None, failure, request.request_id)
        except claims.AuthError as error:
            family = found[0].service.family(found[0].protocol) if found else "rest-json"
            return _refusal(found[0] if found else None, denials.denial(error, family), request.request_id)

    async def _route(self, incoming: _Incoming, claim: claims.Claim | None) -> Target:
        http, headers = incoming.http, incoming.headers
        scope = claim.service if claim is not None else None
        # Query services name their operation in the body. S3 knows no forms, but objects may be said to be ones.
        if http.method == "POST" and scope != "s3" and headers.get("content-type", "").startswith(FORM):
            incoming.form = await payload.read(incoming.body, self._settings.http.body_bytes)
        if scope in {None, "s3"}:
            bucket = bucket_of_host(http.host)
            if bucket is not None:
                incoming.path = f"/{bucket}{http.path}"
        return self._resolver.resolve(http.method, incoming.path, incoming.query, headers, scope, incoming.form or b"")

    async def _serve(self, incoming: _Incoming, claim: claims.Claim | None, target: Target) -> HttpResponse:
        service, name = target.service, target.operation
        if name is None:
            raise target.refusal or UnknownServiceError("There is no such operation.")
        operation = service.operation(name, target.protocol)
        principal, request = await self._admit(incoming, claim, target, operation)
        handler = self._handlers.get(service.name, {}).get(name)
        if handler is None:
            raise NotImplementedOperationError(service.name, name)
        params = operation.parse(request)
        fill_tokens(operation, params)
        operation.validate(params)
        result = await handler(self._context(incoming, claim, principal), params)
        return operation.serialise(result or {}, incoming.http.request_id)

    async def _admit(
        self, incoming: _Incoming, claim: claims.Claim | None, target: Target, operation: Operation
    ) -> tuple[Principal, Request]:
        """Who asks, and the request with its body ready to be decoded; the signature holds."""
        family = target.service.family(target.protocol)
        limit = self._settings.http.body_bytes
        if claim is None:
            if not operation.anonymous and target.service.name != "s3":
                raise denials.missing(family)
            prepared = await payload.prepare(incoming.headers, incoming.body, incoming.form, operation, limit, family)
            return ANONYMOUS, self._request(incoming, target, await prepared.admit(None))
        key = await self._key(claim, family)
        claims.check_time(claim, self._clock.now(), self._settings.max_clock_skew_s)
        if family == "s3":
            claims.check_all_signed(claim, incoming.sent)
        prepared = await payload.prepare(
            incoming.headers, incoming.body, incoming.form, operation, limit, family, claim
        )
        http = incoming.http
        signer = None
        if claim.version == 2:
            text = sigv2.string_to_sign(claim, http.method, incoming.path, incoming.query, incoming.headers)
            sigv2.check(claim, key.secret_access_key, text)
        else:
            signed = sigv4.SignedRequest(http.method, http.mount + http.path, http.query, incoming.sent)
            signer = self._verifier.check(claim, key.secret_access_key, signed, prepared.signed_hash)
        return key.principal, self._request(incoming, target, await prepared.admit(signer))

    async def _key(self, claim: claims.Claim, family: denials.Family) -> SigningKey:
        try:
            return await self._keys.find(claim.access_key_id, claim.session_token)
        except ServiceError as error:
            with_token = claim.session_token is not None
            raise denials.unknown_key(error, family, claim.access_key_id, with_token) from error

    def _request(self, incoming: _Incoming, target: Target, admitted: payload.Admitted) -> Request:
        return Request(
            method=incoming.http.method,
            query=incoming.query,
            headers=admitted.headers,
            labels=target.labels,
            body=admitted.body,
            stream=admitted.stream,
        )

    def _context(self, incoming: _Incoming, claim: claims.Claim | None, principal: Principal) -> RequestContext:
        region = claim.region if claim is not None and claim.region != "aws-global" else self._settings.region
        http = incoming.http
        return RequestContext(
            request_id=http.request_id,
            account=principal.account or self._settings.account,
            region=region,
            principal=principal,
            endpoint=f"http://{http.host}",
            source_ip=http.source_ip,
            user_agent=incoming.headers.get("user-agent", ""),
            headers=incoming.headers,
        )


def _incoming(request: HttpRequest, body: Tracked) -> _Incoming:
    try:
        query = parse_query(request.query)
    except ValueError as error:
        raise ServiceError("InvalidURI", f"The query string cannot be decoded: {error}", status=400) from error
    sent = request.joined()
    return _Incoming(request, sent, {**claims.hoisted(query), **sent}, query, body, request.path)


async def _drained(request: HttpRequest, body: Tracked) -> bool:
    if not body.started and request.header("expect") is not None:
        return False  # reading would tell the client to send what nobody wants
    try:
        return await body.drain(DRAIN_BYTES)
    except (OSError, ServiceError):
        return False  # the client is gone, or sends what is no body; its connection is of no further use


def _refusal(target: Target | None, failure: ServiceError, request_id: str) -> HttpResponse:
    if target is not None:
        response = target.error(failure, request_id)
        return replace(response, headers=[*response.headers, *failure.headers.items()])
    return plain_error(failure, request_id)


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
