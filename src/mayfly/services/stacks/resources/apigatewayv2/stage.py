"""AWS::ApiGatewayV2::Stage and ::Deployment: what of an API is served, and where."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigatewayv2.api import arn
from mayfly.services.stacks.resources.apigatewayv2.part import GONE, WIRE, Part, change_tags
from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, NUMBER, STRING, Entries, fields

ROUTE_SETTINGS = fields(
    DataTraceEnabled=BOOLEAN,
    DetailedMetricsEnabled=BOOLEAN,
    LoggingLevel=STRING,
    ThrottlingBurstLimit=INTEGER,
    ThrottlingRateLimit=NUMBER,
)
ACCESS_LOGS = fields(DestinationArn=STRING, Format=STRING)


class Stage(Part):
    name = "AWS::ApiGatewayV2::Stage"
    noun = "Stage"
    schema = fields(
        "ApiId StageName",
        AccessLogSettings=ACCESS_LOGS,
        AccessPolicyId=STRING,
        ApiId=STRING,
        AutoDeploy=BOOLEAN,
        ClientCertificateId=STRING,
        DefaultRouteSettings=ROUTE_SETTINGS,
        DeploymentId=STRING,
        Description=STRING,
        RouteSettings=Entries(ROUTE_SETTINGS),
        StageName=STRING,
        StageVariables=Entries(STRING),
        Tags=Entries(STRING),
    )
    replaced_by = frozenset({"ApiId", "StageName"})
    defaults = {"AutoDeploy": False, "RouteSettings": {}, "StageVariables": {}, "Tags": {}}  # noqa: RUF012

    @property
    def id_name(self) -> str:
        return "StageName"

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["StageName"])

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        named = picked(properties, "ApiId", "StageName")
        return await call.unless(GONE, WIRE, "GetStage", **named) is not None

    def parameters(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in properties.items() if name != "AccessPolicyId"}

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        named = {"ApiId": new["ApiId"], "StageName": made.physical_id}
        for key in set(old.get("RouteSettings", {})) - set(new.get("RouteSettings", {})):
            await call.unless(GONE, WIRE, "DeleteRouteSettings", **named, RouteKey=key)
        if "AccessLogSettings" in old and "AccessLogSettings" not in new:
            await call(WIRE, "DeleteAccessLogSettings", **named)
        said = {name: value for name, value in self.parameters(new).items() if name not in ("Tags", *named)}
        variables = dict.fromkeys(old.get("StageVariables", {}), "") | new.get("StageVariables", {})
        if variables:
            said["StageVariables"] = variables
        for name in ("AutoDeploy", "Description"):
            if name in old and name not in new:
                said[name] = self.cleared(name)
        if new.get("AutoDeploy"):
            said.pop("DeploymentId", None)
        await call(WIRE, "UpdateStage", **named, **said)
        await change_tags(call, f"{arn(target, new['ApiId'])}/stages/{made.physical_id}", old, new)
        return made

    def truth(self, found: dict[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        """A deployment that followed by itself, and settings that are always there, nobody asked for."""
        automatic = ("DeploymentId", "DefaultRouteSettings")
        return {name: value for name, value in found.items() if name in properties or name not in automatic}


class Deployment(Part):
    name = "AWS::ApiGatewayV2::Deployment"
    noun = "Deployment"
    attributes = frozenset({"DeploymentId"})
    schema = fields("ApiId", ApiId=STRING, Description=STRING, StageName=STRING)
    replaced_by = frozenset({"ApiId", "StageName"})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        said = {"Description": new.get("Description", "")}
        await call(WIRE, "UpdateDeployment", ApiId=new["ApiId"], DeploymentId=made.physical_id, **said)
        return made

    def truth(self, found: dict[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        return {**found, **picked(properties, "StageName")}
