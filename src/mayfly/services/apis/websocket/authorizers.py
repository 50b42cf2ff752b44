"""Who may connect: authorizers of the type REQUEST, and signatures. Asked once, for `$connect`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mayfly.clock import Clock
from mayfly.errors import CallerError
from mayfly.policy.wildcards import like
from mayfly.services.apis.http.checks import function_of
from mayfly.services.apis.http.compiled import with_variables
from mayfly.services.apis.integrations.api import Backend, Call, IntegrationError
from mayfly.services.apis.websocket.compiled import Route, Stage
from mayfly.services.apis.websocket.exchange import Exchange, context_of
from mayfly.services.apis.websocket.mapping import Mapping as Mapped
from mayfly.services.contract import HttpRequest
from mayfly.services.ports import Signatures


class RefusedError(Exception):
    """The client may not connect; the status says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Authorizers:
    """Decides. What was found out is written into the exchange's facts."""

    def __init__(self, functions: Backend, signatures: Signatures, clock: Clock) -> None:
        self._functions = functions
        self._signatures = signatures
        self._clock = clock

    async def check(self, route: Route, stage: Stage, exchange: Exchange, request: HttpRequest) -> None:
        """Return if the client may connect; `RefusedError`."""
        if route.authorization == "AWS_IAM":
            await self._signed(exchange, request)
        elif route.authorization == "CUSTOM":
            began = self._clock.monotonic()
            try:
                await self._asked(route, stage, exchange)
                exchange.authorizer_status = 200
            except RefusedError as refusal:
                exchange.authorizer_status, exchange.authorizer_error = refusal.status, refusal.message
                raise
            finally:
                exchange.authorizer_latency_ms = round((self._clock.monotonic() - began) * 1000)

    async def _signed(self, exchange: Exchange, request: HttpRequest) -> None:
        try:
            principal = await self._signatures.principal(request, b"", "execute-api")
        except CallerError:
            raise RefusedError(403, "Forbidden") from None
        if principal.kind == "user":
            raise RefusedError(403, "Forbidden")  # policies of users are not evaluated: they allow nothing
        exchange.facts.identity = {
            "accessKey": principal.access_key_id,
            "accountId": principal.account,
            "caller": principal.user_id,
            "user": principal.user_id,
            "userArn": principal.arn,
        }

    async def _asked(self, route: Route, stage: Stage, exchange: Exchange) -> None:
        authorizer = route.authorizer
        function = None
        if authorizer is not None:
            function = function_of(with_variables(authorizer.get("AuthorizerUri", ""), stage.variables))
        if authorizer is None or function is None:
            raise RefusedError(500, "Internal server error")
        mapped = Mapped(stage, exchange)
        if any(not mapped.lookup(source) for source in authorizer.get("IdentitySource", ())):
            raise RefusedError(401, "Unauthorized")
        arn = f"{stage.arn}/{exchange.route_key}"
        source = f"{stage.arn.rpartition('/')[0]}/authorizers/{authorizer.get('AuthorizerId', '')}"
        call = Call(
            "POST",
            function,
            exchange.request_id,
            source,
            body=_event(arn, stage, exchange),
            credentials=authorizer.get("AuthorizerCredentialsArn"),
        )
        try:
            outcome = await self._functions.send(call)
        except IntegrationError:
            raise RefusedError(500, "Internal server error") from None
        if outcome.failed:
            # An authorizer refuses by the error "Unauthorized".
            said = outcome.body.decode("utf-8", "replace")
            raise (
                RefusedError(401, "Unauthorized")
                if '"Unauthorized"' in said
                else RefusedError(500, "Internal server error")
            )
        exchange.facts.authorizer = judged(outcome.body, arn)


def _event(arn: str, stage: Stage, exchange: Exchange) -> bytes:
    facts = exchange.facts
    event = {
        "type": "REQUEST",
        "methodArn": arn,
        "headers": {name: values[-1] for name, values in facts.headers.items()},
        "multiValueHeaders": facts.headers,
        "queryStringParameters": {name: values[-1] for name, values in facts.query.items()},
        "multiValueQueryStringParameters": facts.query,
        "stageVariables": stage.variables,
        "requestContext": context_of(exchange),
    }
    return json.dumps(event, ensure_ascii=False).encode()


def judged(answer: bytes, arn: str) -> dict[str, Any]:
    """What later events say of the authorizer; `RefusedError` unless its policy allows to invoke `arn`."""
    try:
        said = json.loads(answer)
        statements = said["policyDocument"]["Statement"]
        principal = str(said["principalId"])
        allowed = allows([statements] if isinstance(statements, dict) else statements, arn)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RefusedError(500, "Internal server error") from None
    if not allowed:
        raise RefusedError(403, "User is not authorized to access this resource")
    context = said.get("context") or {}
    if not isinstance(context, dict) or any(isinstance(value, (dict, list)) for value in context.values()):
        raise RefusedError(500, "Internal server error")
    shown = {name: value if isinstance(value, (str, bool)) else json.dumps(value) for name, value in context.items()}
    return {**shown, "principalId": principal}


def allows(statements: Sequence[Mapping[str, Any]], arn: str) -> bool:
    """Whether a policy allows `execute-api:Invoke` on `arn`; what it denies, it denies."""
    allowed = False
    for statement in statements:
        names = (_listed(statement["Action"]), _listed(statement["Resource"]))
        invokes = any(like(action.lower(), "execute-api:invoke") for action in names[0])
        if not invokes or not any(like(resource, arn) for resource in names[1]):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = allowed or statement["Effect"] == "Allow"
    return allowed


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]
