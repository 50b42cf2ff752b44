"""Makes what acts for a route: its integration and its authorizer, from what they are as rows."""

from collections.abc import Sequence

from mayfly.clock import Clock
from mayfly.services.apis.authorizers.key_sets import KeySets
from mayfly.services.apis.http import checks, parameters, refusals
from mayfly.services.apis.http.actions import ActionIntegration
from mayfly.services.apis.http.compiled import Authorize, Authorizing, Building, Place, Respond, with_variables
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.apis.http.function_authorizer import FunctionAuthorizer
from mayfly.services.apis.http.functions import FunctionIntegration
from mayfly.services.apis.http.identity_sources import source
from mayfly.services.apis.http.measures import Metering
from mayfly.services.apis.http.model import HTTP_TIMEOUT_MS, Part
from mayfly.services.apis.http.signature_authorizer import SignatureAuthorizer
from mayfly.services.apis.http.token_authorizer import TokenAuthorizer
from mayfly.services.apis.http.web import Answers, WebIntegration
from mayfly.services.apis.integrations.backends import backends
from mayfly.services.apis.parts import Parts
from mayfly.services.contract import HttpResponse


class Builders:
    """Everything that integrations and authorizers need."""

    def __init__(self, parts: Parts, metering: Metering) -> None:
        self._parts = parts
        self._clock: Clock = parts.clock
        self._backends = backends(parts)
        self._roles = self._backends.roles
        self._keys = KeySets(parts.outgoing, parts.clock)
        self._signed = SignatureAuthorizer(parts.signatures, parts.settings.account).authorize
        self.building = Building(self.integration, self.authorizer, self.authorization, metering.of)

    def integration(self, place: Place, part: Part) -> Respond:
        """What answers for an integration."""
        members = part.members
        uri = with_variables(members.get("IntegrationUri", ""), place.variables)
        timeout_s = members.get("TimeoutInMillis", HTTP_TIMEOUT_MS) / 1000
        if members["IntegrationType"] == "AWS_PROXY" and "IntegrationSubtype" not in members:
            function = checks.function_of(uri)
            if function is None:
                return _broken(f"{uri!r} names no function")
            return FunctionIntegration(
                self._parts.functions,
                self._clock,
                function,
                members["PayloadFormatVersion"],
                timeout_s,
                place.source,
                members.get("CredentialsArn"),
                self._roles.assume,
            ).respond
        answers = Answers(parameters.response_changes(members.get("ResponseParameters", {})))
        given = members.get("RequestParameters", {})
        if "IntegrationSubtype" in members:
            return ActionIntegration(
                self._backends.actions,
                self._clock,
                members["IntegrationSubtype"],
                given,
                members["CredentialsArn"],
                timeout_s,
                answers,
            ).respond
        method = members.get("IntegrationMethod", "ANY")
        changes = parameters.request_changes(given)
        return WebIntegration(self._backends.web, self._clock, uri, method, timeout_s, changes, answers).respond

    def authorizer(self, place: Place, part: Part) -> Authorizing:
        """What the routes of a stage share that name an authorizer."""
        members = part.members
        sources = [source(text) for text in members.get("IdentitySource", ())]
        if members["AuthorizerType"] == "JWT":
            jwt = members["JwtConfiguration"]

            def by_token(scopes: Sequence[str]) -> Authorize:
                return TokenAuthorizer(
                    self._keys, self._clock, sources[0], jwt["Issuer"], jwt["Audience"], scopes
                ).authorize

            return by_token
        function = checks.function_of(with_variables(members["AuthorizerUri"], place.variables))
        if function is None:
            return lambda scopes: _refuse(refusals.internal("the authorizer names no function", "AUTHORIZER_FAILURE"))
        shared = FunctionAuthorizer(
            self._parts.functions,
            self._clock,
            function,
            members["AuthorizerPayloadFormatVersion"],
            sources,
            float(members.get("AuthorizerResultTtlInSeconds", 0)),
            place.source,
            f"{place.source.rpartition('/')[0]}/authorizers/{part.id}",
            members.get("AuthorizerCredentialsArn"),
            self._roles.assume,
            simple=bool(members.get("EnableSimpleResponses")),
        ).authorize
        return lambda scopes: shared

    def authorization(self, route: Part, authorizing: Authorizing | None) -> Authorize | None:
        """What decides who may call a route; None: anybody."""
        kind = route.members.get("AuthorizationType", "NONE")
        if kind == "NONE":
            return None
        if kind == "AWS_IAM":
            return self._signed
        if authorizing is None:
            return _refuse(refusals.internal("the route has no authorizer", "AUTHORIZER_CONFIGURATION_ERROR"))
        return authorizing(route.members.get("AuthorizationScopes", ()))


def _refuse(refusal: refusals.GatewayError) -> Authorize:
    async def refuse(exchange: Exchange) -> None:
        raise refusal

    return refuse


def _broken(why: str) -> Respond:
    async def respond(exchange: Exchange) -> HttpResponse:
        raise refusals.internal(why)

    return respond
