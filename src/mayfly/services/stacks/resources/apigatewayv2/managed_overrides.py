"""AWS::ApiGatewayV2::ApiGatewayManagedOverrides: other settings for what quick creation of an API has made."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigatewayv2.part import GONE, WIRE
from mayfly.services.stacks.resources.apigatewayv2.stage import ACCESS_LOGS, ROUTE_SETTINGS
from mayfly.services.stacks.resources.base import Caller, Made, Target, Unreadable
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, STRINGS, Entries, fields


class ApiGatewayManagedOverrides(Unnamed, Unreadable):
    name = "AWS::ApiGatewayV2::ApiGatewayManagedOverrides"
    schema = fields(
        "ApiId",
        ApiId=STRING,
        Integration=fields(
            Description=STRING, IntegrationMethod=STRING, PayloadFormatVersion=STRING, TimeoutInMillis=INTEGER
        ),
        Route=fields(
            AuthorizationScopes=STRINGS,
            AuthorizationType=STRING,
            AuthorizerId=STRING,
            OperationName=STRING,
            Target=STRING,
        ),
        Stage=fields(
            AccessLogSettings=ACCESS_LOGS,
            AutoDeploy=BOOLEAN,
            DefaultRouteSettings=ROUTE_SETTINGS,
            Description=STRING,
            RouteSettings=Entries(ROUTE_SETTINGS),
            StageVariables=Entries(STRING),
        ),
    )
    replaced_by = frozenset({"ApiId"})
    attributes: frozenset[str] = frozenset()

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await _override(call, properties)
        return Made(self.physical_id(target, properties))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await _override(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        """What was overridden stays as it is, or goes with its API."""


async def _override(call: Caller, properties: Mapping[str, Any]) -> None:
    api_id = properties["ApiId"]
    for noun, id_name in (("Integration", "IntegrationId"), ("Route", "RouteId"), ("Stage", "StageName")):
        said = properties.get(noun)
        if not said:
            continue
        found = await call.unless(GONE, WIRE, f"Get{noun}s", ApiId=api_id)
        for item in (found or {}).get("Items", ()):
            if item.get("ApiGatewayManaged"):
                await call(WIRE, f"Update{noun}", ApiId=api_id, **{id_name: item[id_name]}, **said)
