"""AWS::ApiGateway::Authorizer: who decides whether a request may go on."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE, scalars
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import INTEGER, STRING, STRINGS, fields

_WIRE = {
    "AuthType": "authType",
    "AuthorizerCredentials": "authorizerCredentials",
    "AuthorizerResultTtlInSeconds": "authorizerResultTtlInSeconds",
    "AuthorizerUri": "authorizerUri",
    "IdentitySource": "identitySource",
    "IdentityValidationExpression": "identityValidationExpression",
    "Name": "name",
    "ProviderARNs": "providerARNs",
    "Type": "type",
}
_DEFAULTS = {
    "IdentitySource": "method.request.header.Authorization",
    "AuthorizerResultTtlInSeconds": "300",
    "AuthType": "custom",
}


class Authorizer(Unnamed):
    name = "AWS::ApiGateway::Authorizer"
    schema = fields(
        "Name RestApiId Type",
        AuthType=STRING,
        AuthorizerCredentials=STRING,
        AuthorizerResultTtlInSeconds=INTEGER,
        AuthorizerUri=STRING,
        IdentitySource=STRING,
        IdentityValidationExpression=STRING,
        Name=STRING,
        ProviderARNs=STRINGS,
        RestApiId=STRING,
        Type=STRING,
    )
    replaced_by = frozenset({"RestApiId"})
    attributes = frozenset({"AuthorizerId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        said = {wire: properties[name] for name, wire in _WIRE.items() if name in properties}
        made = await call.once(target, "apigateway", "CreateAuthorizer", restApiId=properties["RestApiId"], **said)
        return Made(made["id"], {"AuthorizerId": made["id"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        paths = {name: f"/{wire}" for name, wire in _WIRE.items() if name != "ProviderARNs"}
        patches = scalars(old, new, paths, _DEFAULTS)
        if changed(old, new, "ProviderARNs"):
            patches.append({"op": "replace", "path": "/providerARNs", "value": ",".join(new.get("ProviderARNs", ()))})
        if patches:
            await call("apigateway", "UpdateAuthorizer", **_where(made, new), patchOperations=patches)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteAuthorizer", **_where(made, properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetAuthorizer", **_where(made, properties))
        if found is None:
            return None
        truth = {name: found.get(wire) for name, wire in _WIRE.items()}
        defaults = {
            "IdentitySource": found.get("identitySource"),
            "AuthType": found.get("authType"),
            "AuthorizerResultTtlInSeconds": 300,
        }
        return observed(properties, truth, "RestApiId", defaults=defaults)


def _where(made: Made, properties: Mapping[str, Any]) -> dict[str, str]:
    return {"restApiId": properties["RestApiId"], "authorizerId": made.physical_id}
