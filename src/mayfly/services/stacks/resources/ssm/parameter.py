"""AWS::SSM::Parameter: a parameter that is no secret: templates, and those of CloudFormation, are read by many."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, Entries, fields

_GONE = "ParameterNotFound"
_SETTINGS = ("Type", "Value", "Description", "AllowedPattern", "DataType", "Policies", "Tier")
_DEFAULTS = {"Tier": "Standard", "DataType": "text", "Description": ""}


class Parameter:
    name = "AWS::SSM::Parameter"
    schema = fields(
        "Type Value",
        Name=STRING,
        Type=STRING,
        Value=STRING,
        Description=STRING,
        AllowedPattern=STRING,
        DataType=STRING,
        Policies=STRING,
        Tier=STRING,
        Tags=Entries(STRING),
    )
    replaced_by = frozenset({"Name"})
    attributes = frozenset({"Type", "Value"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or f"CFN-{target.logical_id}-{target.suffix()}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("Name")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(_GONE, "ssm", "GetParameter", Name=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return await self._put(call, self.physical_id(target, properties), {}, properties)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return await self._put(call, made.physical_id, old, new)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(_GONE, "ssm", "DeleteParameter", Name=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(_GONE, "ssm", "GetParameter", Name=made.physical_id)
        if found is None:
            return None
        name = found["Parameter"]["Name"]
        filters = [{"Key": "Name", "Values": [name]}]
        (described,) = (await call("ssm", "DescribeParameters", ParameterFilters=filters))["Parameters"]
        tags = await call("ssm", "ListTagsForResource", ResourceType="Parameter", ResourceId=name)
        truth = picked(described, "Type", "Description", "AllowedPattern", "DataType", "Tier")
        truth |= {"Value": found["Parameter"]["Value"]} | picked({"Name": name}, *picked(properties, "Name"))
        if tags["TagList"]:
            truth["Tags"] = {tag["Key"]: tag["Value"] for tag in tags["TagList"]}
        return observed(properties, truth, "Policies", defaults=_DEFAULTS)

    async def _put(self, call: Caller, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Bring it from `old` to `new`. Put anew only if something of it differs: each time is a version."""
        if new["Type"] not in ("String", "StringList"):
            raise ServiceError(
                "ValidationException",
                f"AWS::SSM::Parameter does not support the parameter type {new['Type']}: it is String or StringList.",
            )
        if changed(old, new, *_SETTINGS):
            settings = {"Description": "", **picked(new, *_SETTINGS)}
            if "Policies" not in new and old.get("Policies"):
                settings["Policies"] = "[{}]"
            await call("ssm", "PutParameter", Name=name, Overwrite=True, **settings)
        before, after = old.get("Tags", {}), new.get("Tags", {})
        where = {"ResourceType": "Parameter", "ResourceId": name}
        if gone := [key for key in before if key not in after]:
            await call("ssm", "RemoveTagsFromResource", **where, TagKeys=gone)
        if put := [{"Key": key, "Value": value} for key, value in after.items() if before.get(key) != value]:
            await call("ssm", "AddTagsToResource", **where, Tags=put)
        return Made(name, {"Type": new["Type"], "Value": new["Value"]})
