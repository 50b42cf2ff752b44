"""Who may call a method: nobody in particular, who signs, who has a token, whom a function lets in."""

import json
import re
from typing import Any
from urllib.parse import unquote

from mayfly.clock import Clock
from mayfly.errors import CallerError, PlatformError
from mayfly.services.apis.authorizers import policies, tokens
from mayfly.services.apis.authorizers.decisions import Decisions
from mayfly.services.apis.authorizers.key_sets import KeySets, NoKeysError
from mayfly.services.apis.authorizers.tokens import TokenError
from mayfly.services.apis.rest import patterns
from mayfly.services.apis.rest.model import Authorizer
from mayfly.services.apis.rest.serving import proxy_events, refusals, resource_policies, uris
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.refusals import RefusedError, missing_token
from mayfly.services.contract import ServiceError
from mayfly.services.ports import FunctionCall, FunctionCalls, Signatures

_USUAL_TTL_S = 300
_NOT_ALLOWED = "User is not authorized to access this resource"
_POOL = re.compile(r"arn:[^:]+:cognito-idp:([^:]*):\d*:userpool/(.+)")


class Authorizing:
    """Asks whoever decides."""

    def __init__(
        self,
        functions: FunctionCalls,
        signatures: Signatures,
        keys: KeySets,
        clock: Clock,
        region: str,
        account: str,
    ) -> None:
        self._functions = functions
        self._signatures = signatures
        self._keys = keys
        self._clock = clock
        self._region = region
        self._account = account
        self._decisions: dict[tuple[str, str, str], tuple[Authorizer, Decisions]] = {}

    def forget(self, api_id: str, stage: str | None = None) -> None:
        """What authorizers decided for an API, or one stage of it."""
        for key in [key for key in self._decisions if key[0] == api_id and stage in (None, key[1])]:
            del self._decisions[key]

    async def authorize(self, arrival: Arrival) -> None:
        """Return if the request may go on; `RefusedError`."""
        method = arrival.method
        assert method is not None, "found before"
        if method.authorization_type == "AWS_IAM":
            await self._signed(arrival)
            return
        self._by_policy(arrival)
        if method.authorization_type in ("CUSTOM", "COGNITO_USER_POOLS"):
            authorizer = arrival.view.api.parts.authorizers.get(method.authorizer_id or "")
            if authorizer is None:
                raise RefusedError("AUTHORIZER_CONFIGURATION_ERROR", None, why="the authorizer is not there")
            if authorizer.type == "COGNITO_USER_POOLS":
                await self._token(arrival, authorizer, method.authorization_scopes or [])
            else:
                await self._function(arrival, authorizer)

    def arn(self, arrival: Arrival) -> str:
        """Of the method as it was called, with what stands in the path."""
        api_id, path = arrival.view.api.head.id, unquote(arrival.path)
        return uris.execute_arn(
            self._region, self._account, api_id, arrival.stage, arrival.request.method, path.rstrip("/") or "/"
        )

    def _by_policy(self, arrival: Arrival) -> None:
        """The API's resource policy, for those who sign nothing."""
        policy = arrival.view.api.head.policy
        if policy is None:
            return
        verdict = resource_policies.judge(policy, self.arn(arrival), None, arrival.request.source_ip)
        if verdict != "allow":
            raise self._anonymous_refused(arrival, explicit=verdict == "deny")

    def _anonymous_refused(self, arrival: Arrival, *, explicit: bool) -> RefusedError:
        how = " with an explicit deny" if explicit else ""
        said = f"User: anonymous is not authorized to perform: execute-api:Invoke on resource: {self.arn(arrival)}{how}"
        return RefusedError("ACCESS_DENIED", said)

    async def _signed(self, arrival: Arrival) -> None:
        request = arrival.request
        if request.header("authorization") is None and "X-Amz-Signature=" not in request.query:
            raise missing_token()
        try:
            principal = await self._signatures.principal(request, arrival.body, "execute-api")
        except CallerError as error:
            kind = "EXPIRED_TOKEN" if "expired" in str(error).lower() else "INVALID_SIGNATURE"
            raise RefusedError(kind, str(error)) from error
        policy, verdict = arrival.view.api.head.policy, "nothing"
        if policy is not None:
            verdict = resource_policies.judge(policy, self.arn(arrival), principal, request.source_ip)
        # A user's own policies are not evaluated yet, so they allow nothing.
        own = principal.account == self._account and principal.kind != "user"
        if verdict == "deny" or (verdict == "nothing" and not own):
            how = " with an explicit deny" if verdict == "deny" else ""
            raise RefusedError(
                "ACCESS_DENIED",
                f"User: {principal.arn} is not authorized to perform: execute-api:Invoke on resource: "
                f"{self.arn(arrival)}{how}",
            )
        arrival.principal = principal
        arrival.context["identity"] |= {
            "accessKey": principal.access_key_id,
            "accountId": principal.account,
            "caller": principal.user_id,
            "user": principal.user_id,
            "userArn": principal.arn,
        }

    async def _token(self, arrival: Arrival, authorizer: Authorizer, scopes: list[str]) -> None:
        """A token of a user pool: an identity token, or an access token for one of the scopes."""
        given = _identities(arrival, authorizer)[0]
        if not given:
            raise RefusedError("UNAUTHORIZED", "Unauthorized")
        try:
            token = tokens.parse(given.removeprefix("Bearer ").strip())
            issuers = [_issuer(one) for one in authorizer.provider_arns or ()]
            issuer = token.claims.get("iss")
            if issuer not in issuers:
                raise TokenError("the token is of another issuer")
            key = await self._keys.key(issuer, token.key_id)
            if key is None:
                raise TokenError("the token names a key that its issuer does not have")
            tokens.check_signature(token, key)
            tokens.check_claims(token.claims, issuer, _audiences(token.claims), self._clock.now())
            if token.claims.get("token_use") != ("access" if scopes else "id"):
                raise TokenError("the token is not for this use")
            if scopes and not set(scopes) & set(tokens.scopes(token.claims)):
                raise TokenError("the token lacks the scope")
        except (TokenError, NoKeysError) as error:
            raise RefusedError("UNAUTHORIZED", "Unauthorized", why=str(error)) from error
        arrival.authorizer = {"claims": tokens.shown(token.claims)}
        arrival.context["authorizer"] = arrival.authorizer

    async def _function(self, arrival: Arrival, authorizer: Authorizer) -> None:
        identities = _identities(arrival, authorizer)
        if any(not one for one in identities):
            raise RefusedError("UNAUTHORIZED", "Unauthorized", why="an identity source is missing")
        pattern = authorizer.identity_validation_expression
        if authorizer.type == "TOKEN" and pattern and not patterns.matches(pattern, identities[0] or ""):
            raise RefusedError("UNAUTHORIZED", "Unauthorized", why="the token does not match the expression")
        decisions = self._kept(arrival, authorizer)
        key = "\0".join(one or "" for one in identities)
        said = decisions.find(key) if identities else None
        if said is None:
            said = await self._asked(arrival, authorizer, identities)
            if identities:
                decisions.keep(key, said)
        self._apply(arrival, said)

    async def ask(self, arrival: Arrival, authorizer: Authorizer) -> dict[str, Any]:
        """What the function of an authorizer says now; `RefusedError`."""
        return await self._asked(arrival, authorizer, _identities(arrival, authorizer))

    def _kept(self, arrival: Arrival, authorizer: Authorizer) -> Decisions:
        key = (arrival.view.api.head.id, arrival.stage, authorizer.id)
        found = self._decisions.get(key)
        if found is None or found[0] != authorizer:
            ttl = authorizer.authorizer_result_ttl_in_seconds
            found = (authorizer, Decisions(self._clock, _USUAL_TTL_S if ttl is None else ttl))
            self._decisions[key] = found
        return found[1]

    async def _asked(self, arrival: Arrival, authorizer: Authorizer, identities: list[str | None]) -> dict[str, Any]:
        """What the function says."""
        arn = uris.function_of(uris.with_variables(authorizer.authorizer_uri or "", arrival.view.variables))
        api_id = arrival.view.api.head.id
        source = f"arn:aws:execute-api:{self._region}:{self._account}:{api_id}/authorizers/{authorizer.id}"
        event: dict[str, Any] = {"type": authorizer.type, "methodArn": self.arn(arrival)}
        if authorizer.type == "TOKEN":
            event["authorizationToken"] = identities[0]
        else:
            event |= proxy_events.described(arrival)
        call = FunctionCall(
            arn or "",
            json.dumps(event).encode(),
            arrival.request.request_id,
            None if authorizer.authorizer_credentials else source,
            arrival.request.header("x-amzn-trace-id"),
        )
        try:
            reply = await self._functions.invoke(call)
        except (ServiceError, PlatformError) as error:
            raise RefusedError("AUTHORIZER_CONFIGURATION_ERROR", None, why=str(error)) from error
        try:
            said = json.loads(reply.payload)
        except (ValueError, RecursionError):
            said = None
        if reply.failed:
            if isinstance(said, dict) and said.get("errorMessage") == "Unauthorized":
                raise RefusedError("UNAUTHORIZED", "Unauthorized")
            raise RefusedError("AUTHORIZER_FAILURE", None, why="the authorizer failed")
        if not isinstance(said, dict) or not isinstance(said.get("principalId"), str):
            raise RefusedError("AUTHORIZER_CONFIGURATION_ERROR", None, why="the authorizer names no principalId")
        return said

    def _apply(self, arrival: Arrival, said: dict[str, Any]) -> None:
        """Judge the request by what an authorizer said, now or before."""
        context = said.get("context") or {}
        if not isinstance(context, dict) or any(isinstance(one, (dict, list)) for one in context.values()):
            raise RefusedError("AUTHORIZER_CONFIGURATION_ERROR", None, why="the context has objects in it")
        try:
            allowed = policies.allows(
                said.get("policyDocument"), self.arn(arrival), facts={"aws:sourceip": arrival.request.source_ip}
            )
            explicit = not allowed and _denies(said.get("policyDocument"))
        except ValueError as error:
            raise RefusedError("AUTHORIZER_CONFIGURATION_ERROR", None, why=str(error)) from error
        shown = {name: _text(value) for name, value in context.items() if value is not None}
        arrival.authorizer = {"principalId": said["principalId"], **shown}
        arrival.context["authorizer"] = arrival.authorizer
        if isinstance(said.get("usageIdentifierKey"), str):
            arrival.usage_key = said["usageIdentifierKey"]
        if not allowed:
            how = " with an explicit deny" if explicit else ""
            raise RefusedError("ACCESS_DENIED", _NOT_ALLOWED + how)


def _identities(arrival: Arrival, authorizer: Authorizer) -> list[str | None]:
    """What the identity sources stand for in this request."""
    found: list[str | None] = []
    for source in (authorizer.identity_source or "").split(","):
        if not (said := source.strip()):
            continue
        if said.startswith("method.request."):
            found.append(arrival.parameter(said))
        else:
            found.append(refusals.lookup(said, arrival.context, arrival.view.variables))
    return found or ([None] if authorizer.type != "REQUEST" else [])


def _denies(document: Any) -> bool:
    return any(one["Effect"] == "Deny" for one in policies.statements(document))


def _issuer(arn: str) -> str:
    match = _POOL.fullmatch(arn)
    return f"https://cognito-idp.{match[1]}.amazonaws.com/{match[2]}" if match is not None else ""


def _audiences(claims: dict[str, Any]) -> list[str]:
    """A user pool's clients are not asked for: any of them will do."""
    named = claims.get("aud", claims.get("client_id"))
    return [named] if isinstance(named, str) else [one for one in named or () if isinstance(one, str)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
