"""AWS::ApiGateway::Resource: a part of the paths of an API."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, fields


class Resource(Unnamed):
    name = "AWS::ApiGateway::Resource"
    schema = fields("ParentId PathPart RestApiId", ParentId=STRING, PathPart=STRING, RestApiId=STRING)
    replaced_by = frozenset({"ParentId", "PathPart", "RestApiId"})
    attributes = frozenset({"ResourceId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        made = await call.once(
            target,
            "apigateway",
            "CreateResource",
            restApiId=properties["RestApiId"],
            parentId=properties["ParentId"],
            pathPart=properties["PathPart"],
        )
        return Made(made["id"], {"ResourceId": made["id"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(
            GONE, "apigateway", "DeleteResource", restApiId=properties["RestApiId"], resourceId=made.physical_id
        )

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(
            GONE, "apigateway", "GetResource", restApiId=properties["RestApiId"], resourceId=made.physical_id
        )
        if found is None:
            return None
        truth = {"ParentId": found.get("parentId"), "PathPart": found.get("pathPart")}
        return observed(properties, truth, "RestApiId")
