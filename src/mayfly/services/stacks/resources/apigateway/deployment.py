"""AWS::ApiGateway::Deployment: a copy of an API, and a stage that points to it where the template names one."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.apigateway.settings import CANARY_OVERRIDES, STAGE, stage_patches
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, made_as
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import BOOLEAN, NUMBER, STRING, fields


class Deployment(Unnamed):
    name = "AWS::ApiGateway::Deployment"
    schema = fields(
        "RestApiId",
        DeploymentCanarySettings=fields(
            PercentTraffic=NUMBER, StageVariableOverrides=CANARY_OVERRIDES, UseStageCache=BOOLEAN
        ),
        Description=STRING,
        RestApiId=STRING,
        StageDescription=fields("", **STAGE),
        StageName=STRING,
    )
    replaced_by = frozenset({"RestApiId", "DeploymentCanarySettings"})
    attributes = frozenset({"DeploymentId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        members: dict[str, Any] = {}
        if "Description" in properties:
            members["description"] = properties["Description"]
        if "StageName" in properties:
            members["stageName"] = properties["StageName"]
        if (canary := properties.get("DeploymentCanarySettings")) is not None:
            names = {"PercentTraffic": "percentTraffic", "UseStageCache": "useStageCache"}
            members["canarySettings"] = {names[one]: canary[one] for one in names if one in canary}
            if "StageVariableOverrides" in canary:
                members["canarySettings"]["stageVariableOverrides"] = canary["StageVariableOverrides"]
        made = await call.once(target, "apigateway", "CreateDeployment", restApiId=properties["RestApiId"], **members)
        with made_as(made["id"]):
            await self._settle(call, {}, properties)
        return Made(made["id"], {"DeploymentId": made["id"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        api_id = new["RestApiId"]
        if changed(old, new, "Description"):
            patch = {"op": "replace", "path": "/description", "value": new.get("Description", "")}
            await call(
                "apigateway",
                "UpdateDeployment",
                restApiId=api_id,
                deploymentId=made.physical_id,
                patchOperations=[patch],
            )
        if changed(old, new, "StageName") and "StageName" in new:
            name = new["StageName"]
            await call.unless(
                "ConflictException",
                "apigateway",
                "CreateStage",
                restApiId=api_id,
                stageName=name,
                deploymentId=made.physical_id,
            )
        if changed(old, new, "StageName") and "StageName" in old:
            await self._drop_stage(call, made, old)
        await self._settle(call, old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        """With the stage that came with it, where that points to it still."""
        if "StageName" in properties:
            await self._drop_stage(call, made, properties)
        await call.unless(
            GONE, "apigateway", "DeleteDeployment", restApiId=properties["RestApiId"], deploymentId=made.physical_id
        )

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(
            GONE, "apigateway", "GetDeployment", restApiId=properties["RestApiId"], deploymentId=made.physical_id
        )
        if found is None:
            return None
        unseen = ("RestApiId", "StageName", "StageDescription", "DeploymentCanarySettings")
        return observed(properties, {"Description": found.get("description") or None}, *unseen)

    async def _settle(self, call: Caller, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """The settings of the stage that came with it."""
        if "StageName" not in new or "StageDescription" not in new:
            return
        patches = stage_patches(old.get("StageDescription", {}), _stage(new["StageDescription"]))
        if patches:
            await call(
                "apigateway",
                "UpdateStage",
                restApiId=new["RestApiId"],
                stageName=new["StageName"],
                patchOperations=patches,
            )

    async def _drop_stage(self, call: Caller, made: Made, properties: Mapping[str, Any]) -> None:
        where = {"restApiId": properties["RestApiId"], "stageName": properties["StageName"]}
        stage = await call.unless(GONE, "apigateway", "GetStage", **where)
        if stage is not None and stage["deploymentId"] == made.physical_id:
            await call.unless(GONE, "apigateway", "DeleteStage", **where)


def _stage(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a StageDescription says of all methods stands beside the rest; for a stage it is a setting of `*/*`."""
    everything = {name: given[name] for name in EVERYTHING if name in given}
    said = {name: value for name, value in given.items() if name not in EVERYTHING}
    if everything:
        one = {"HttpMethod": "*", "ResourcePath": "/*", **everything}
        said["MethodSettings"] = [one, *said.get("MethodSettings", ())]
    return said


EVERYTHING = (
    "CacheDataEncrypted",
    "CacheTtlInSeconds",
    "CachingEnabled",
    "DataTraceEnabled",
    "LoggingLevel",
    "MetricsEnabled",
    "ThrottlingBurstLimit",
    "ThrottlingRateLimit",
)
