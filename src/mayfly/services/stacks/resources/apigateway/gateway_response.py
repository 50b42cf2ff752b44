"""AWS::ApiGateway::GatewayResponse: what an API answers by itself, customised."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, Entries, fields

_WIRE = {
    "StatusCode": "statusCode",
    "ResponseParameters": "responseParameters",
    "ResponseTemplates": "responseTemplates",
}


class GatewayResponse:
    name = "AWS::ApiGateway::GatewayResponse"
    schema = fields(
        "ResponseType RestApiId",
        ResponseParameters=Entries(STRING),
        ResponseTemplates=Entries(STRING),
        ResponseType=STRING,
        RestApiId=STRING,
        StatusCode=STRING,
    )
    replaced_by = frozenset({"ResponseType", "RestApiId"})
    attributes = frozenset({"Id"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(80)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{properties['RestApiId']}/{properties['ResponseType']}"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        found = await call.unless(GONE, "apigateway", "GetGatewayResponse", **_where(properties))
        return found is not None and not found["defaultResponse"]

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        said = {wire: properties[name] for name, wire in _WIRE.items() if name in properties}
        await call("apigateway", "PutGatewayResponse", **_where(properties), **said)
        name = self.physical_id(target, properties)
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return await self.create(call, target, new)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteGatewayResponse", **_where(properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetGatewayResponse", **_where(properties))
        if found is None or found["defaultResponse"]:
            return None
        truth = {name: found.get(wire) for name, wire in _WIRE.items()}
        return observed(properties, truth, "ResponseType", "RestApiId", defaults=truth)


def _where(properties: Mapping[str, Any]) -> dict[str, str]:
    return {"restApiId": properties["RestApiId"], "responseType": properties["ResponseType"]}
