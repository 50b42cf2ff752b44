"""Authorizers of HTTP APIs that are functions: asked with an event of their own, in format 1.0 or 2.0, they answer with
yes or no, or with a policy."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.apis.authorizers import policies
from mayfly.services.apis.authorizers.decisions import Decisions
from mayfly.services.apis.http import events, refusals
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.apis.http.functions import Assume
from mayfly.services.apis.http.identity_sources import Source, values
from mayfly.services.contract import ServiceError
from mayfly.services.ports import FunctionCall, FunctionCalls, FunctionReply

_UNAUTHORIZED = "Unauthorized"  # the error with which a function says that it does not know the caller


class Decision(Struct, frozen=True):
    """What a function has decided."""

    allowed: bool | None  # None: as the policy says, for each route
    policy: Any
    context: dict[str, Any] | None
    principal: str | None


class FunctionAuthorizer:
    """`Authorize` for all routes of a stage that name the authorizer: they share its decisions."""

    def __init__(
        self,
        calls: FunctionCalls,
        clock: Clock,
        arn: str,
        version: str,
        sources: Sequence[Source],
        ttl_s: float,
        stage_source: str,
        caller: str,
        role: str | None,
        assume: Assume,
        *,
        simple: bool,
    ) -> None:
        """`stage_source`: the ARN of the stage; `caller`: that in whose name the function is called, unless in a
        `role`'s; `simple`: it answers with yes or no."""
        self._calls = calls
        self._clock = clock
        self._arn = arn
        self._version = version
        self._sources = sources
        self._stage_source = stage_source
        self._caller = caller
        self._role = role
        self._assume = assume
        self._simple = simple
        self._decisions = Decisions(clock, ttl_s if sources else 0.0)

    async def authorize(self, exchange: Exchange) -> None:
        """See `compiled.Authorize`."""
        identity = values(self._sources, exchange)
        if identity is None:
            exchange.authorizer_error = "an identity source is missing"
            raise refusals.unauthorized("an identity source is missing")
        key = json.dumps(identity)
        resource = f"{self._stage_source}/{exchange.request.method}{exchange.path}"
        decision = self._decisions.find(key)
        if decision is None:
            decision = await self._ask(exchange, identity, resource)
            self._decisions.keep(key, decision)
        if not self._allows(decision, resource):
            exchange.authorizer_error = "denied"
            raise refusals.forbidden("denied by the authorizer")
        shown = dict(decision.context or {}) or None
        if self._version == "1.0" and decision.principal is not None:
            shown = {"principalId": decision.principal, **(shown or {})}
        exchange.authorizer = {"lambda": shown}

    def _allows(self, decision: Decision, resource: str) -> bool:
        if decision.allowed is not None:
            return decision.allowed
        return policies.allows(decision.policy, resource)

    async def _ask(self, exchange: Exchange, identity: list[str], resource: str) -> Decision:
        event = (
            event_2(exchange, identity, resource) if self._version == "2.0" else event_1(exchange, identity, resource)
        )
        began = self._clock.monotonic()
        try:
            reply = await self._call(exchange, json.dumps(event).encode())
        finally:
            exchange.authorizer_latency_ms = round((self._clock.monotonic() - began) * 1000)
        exchange.authorizer_status = 200
        if reply.failed:
            said = _object(reply.payload)
            if said is not None and said.get("errorMessage") == _UNAUTHORIZED:
                exchange.authorizer_error = _UNAUTHORIZED
                raise refusals.unauthorized(_UNAUTHORIZED)
            raise _broken(exchange, reply.payload.decode("utf-8", "replace"))
        try:
            return decision(reply.payload, simple=self._simple)
        except ValueError as error:
            raise _broken(exchange, str(error)) from error

    async def _call(self, exchange: Exchange, event: bytes) -> FunctionReply:
        try:
            if self._role is not None:
                await self._assume(self._role)
            source = self._caller if self._role is None else None
            call = FunctionCall(self._arn, event, exchange.request.request_id, source, exchange.trace_id)
            return await self._calls.invoke(call)
        except ServiceError as error:
            exchange.authorizer_status = error.status or 500
            raise _broken(exchange, f"{error.code}: {error.message}") from error
        except MayflyError as error:
            exchange.authorizer_status = 500
            raise _broken(exchange, str(error)) from error


def _broken(exchange: Exchange, why: str) -> refusals.GatewayError:
    exchange.authorizer_error = why
    return refusals.internal(why, "AUTHORIZER_FAILURE")


def decision(payload: bytes, *, simple: bool) -> Decision:
    """What a function's answer decides; ValueError when it is none."""
    said = _object(payload)
    if said is None:
        raise ValueError("the answer of the authorizer is no JSON object")
    context = said.get("context")
    if context is not None and not isinstance(context, dict):
        raise ValueError("the context of the authorizer is no JSON object")
    if simple:
        if not isinstance(said.get("isAuthorized"), bool):
            raise ValueError("the answer of the authorizer has no isAuthorized, true or false")
        return Decision(said["isAuthorized"], None, context, None)
    policies.statements(said.get("policyDocument"))
    principal = said.get("principalId")
    return Decision(None, said["policyDocument"], context, None if principal is None else str(principal))


def _object(payload: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def event_2(exchange: Exchange, identity: list[str], resource: str) -> dict[str, Any]:
    """What an authorizer is asked in format 2.0."""
    request, fields = exchange.request, exchange.request.joined()
    shown: dict[str, Any] = {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": resource,
        "identitySource": identity or None,
        "routeKey": exchange.route_key,
        "rawPath": exchange.raw_path,
        "rawQueryString": request.query,
        "headers": events.headers(exchange, fields),
        "requestContext": events.context_2(exchange),
    }
    if "cookie" in fields:
        shown["cookies"] = events.cookies_of(request)
    if request.query:
        shown["queryStringParameters"] = events.query_parameters(request.query)
    if exchange.parameters:
        shown["pathParameters"] = dict(exchange.parameters)
    if exchange.stage.variables:
        shown["stageVariables"] = dict(exchange.stage.variables)
    return shown


def event_1(exchange: Exchange, identity: list[str], resource: str) -> dict[str, Any]:
    """What an authorizer is asked in format 1.0."""
    request = exchange.request
    joined = ",".join(identity)
    return {
        "version": "1.0",
        "type": "REQUEST",
        "methodArn": resource,
        "identitySource": joined,
        "authorizationToken": joined,
        "resource": "" if exchange.route is None else exchange.route.path,
        "path": exchange.client_path,
        "httpMethod": request.method,
        "headers": {name: said[-1] for name, said in events.headers_1(exchange).items()},
        "queryStringParameters": events.query_parameters(request.query),
        "pathParameters": dict(exchange.parameters),
        "stageVariables": dict(exchange.stage.variables),
        "requestContext": events.context_1(exchange),
    }
