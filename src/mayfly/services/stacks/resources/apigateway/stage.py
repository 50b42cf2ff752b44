"""AWS::ApiGateway::Stage: a name under which a deployment is reached, and its settings."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.apigateway.settings import CANARY, OWN, seen, stage_patches
from mayfly.services.stacks.resources.apigateway.tagging import retag, tags_in
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import STRING, fields


class Stage:
    name = "AWS::ApiGateway::Stage"
    schema = fields("RestApiId", CanarySetting=CANARY, DeploymentId=STRING, RestApiId=STRING, StageName=STRING, **OWN)
    replaced_by = frozenset({"RestApiId", "StageName"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        """Stages of different APIs may well have the same name."""
        return str(properties.get("StageName") or target.suffix())

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        name = properties.get("StageName")
        return f"{properties['RestApiId']}/{name}" if name else None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, self.physical_id(target, properties), properties) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        if await self._find(call, name, properties) is None:
            await call(
                "apigateway",
                "CreateStage",
                restApiId=properties["RestApiId"],
                stageName=name,
                deploymentId=properties.get("DeploymentId", ""),
                **tags_in(properties),
            )
        else:
            await self._patch(call, name, properties, [{"op": "remove", "path": "/canarySettings"}])
        await self._patch(call, name, properties, stage_patches({}, properties))
        return Made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        name = made.physical_id
        known = (await self._find(call, name, new) or {}).get("methodSettings", {})
        await self._patch(call, name, new, stage_patches(old, new, known))
        await retag(call, target, f"/restapis/{new['RestApiId']}/stages/{name}", old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        where = {"restApiId": properties["RestApiId"], "stageName": made.physical_id}
        await call.unless(GONE, "apigateway", "DeleteStage", **where)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._find(call, made.physical_id, properties)
        if found is None:
            return None
        truth = {**seen(found, properties), "DeploymentId": found["deploymentId"]}
        defaults = {"CacheClusterEnabled": False, "TracingEnabled": False}
        return observed(properties, truth, "RestApiId", "StageName", defaults=defaults) | tags_seen(
            properties, found.get("tags", {})
        )

    async def _find(self, call: Caller, name: str, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        return await call.unless(GONE, "apigateway", "GetStage", restApiId=properties["RestApiId"], stageName=name)

    async def _patch(
        self, call: Caller, name: str, properties: Mapping[str, Any], patches: list[dict[str, str]]
    ) -> None:
        if patches:
            await call(
                "apigateway",
                "UpdateStage",
                restApiId=properties["RestApiId"],
                stageName=name,
                patchOperations=patches,
            )
