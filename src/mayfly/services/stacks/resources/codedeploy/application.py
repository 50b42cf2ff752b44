"""AWS::CodeDeploy::Application: a name under which deployment groups are found."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, Unreadable, picked
from mayfly.services.stacks.resources.schema import STRING, TAGS, fields
from mayfly.services.stacks.resources.tags import retag

_GONE = "ApplicationDoesNotExistException"


class Application(Unreadable):
    name = "AWS::CodeDeploy::Application"
    schema = fields("ComputePlatform", ApplicationName=STRING, ComputePlatform=STRING, Tags=TAGS)
    replaced_by = frozenset({"ApplicationName", "ComputePlatform"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("ApplicationName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(_GONE, "codedeploy", "GetApplication", applicationName=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless(
            "ApplicationAlreadyExistsException",
            "codedeploy",
            "CreateApplication",
            applicationName=name,
            computePlatform=properties["ComputePlatform"],
            tags=picked(properties, "Tags").get("Tags", []),
        )
        return Made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        arn = f"arn:aws:codedeploy:{target.region}:{target.account}:application:{made.physical_id}"
        await retag(call, "codedeploy", old, new, ResourceArn=arn)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call("codedeploy", "DeleteApplication", applicationName=made.physical_id)
