"""AWS::Logs::LogGroup: a log group and how long it keeps events."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, tag_changes
from mayfly.services.stacks.resources.schema import INTEGER, STRING, TAGS, fields

_GONE = "ResourceNotFoundException"


class LogGroup:
    name = "AWS::Logs::LogGroup"
    schema = fields(LogGroupName=STRING, RetentionInDays=INTEGER, Tags=TAGS)
    replaced_by = frozenset({"LogGroupName"})
    attributes = frozenset({"Arn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(512)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("LogGroupName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        reply = await call("logs", "DescribeLogGroups", logGroupNamePrefix=name)
        return any(group["logGroupName"] == name for group in reply.get("logGroups", ()))

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
        await call.unless(
            "ResourceAlreadyExistsException",
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            **({"tags": tags} if tags else {}),
        )
        await self._retain(call, name, {}, properties)
        return Made(name, {"Arn": f"arn:aws:logs:{target.region}:{target.account}:log-group:{name}:*"})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._retain(call, made.physical_id, old, new)
        put, remove = tag_changes(old, new)
        arn = made.attributes["Arn"].removesuffix(":*")
        if put:
            await call("logs", "TagResource", resourceArn=arn, tags={tag["Key"]: tag["Value"] for tag in put})
        if remove:
            await call("logs", "UntagResource", resourceArn=arn, tagKeys=remove)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(_GONE, "logs", "DeleteLogGroup", logGroupName=made.physical_id)

    async def _retain(self, call: Caller, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if not changed(old, new, "RetentionInDays"):
            return
        if "RetentionInDays" in new:
            await call("logs", "PutRetentionPolicy", logGroupName=name, retentionInDays=new["RetentionInDays"])
        else:
            await call("logs", "DeleteRetentionPolicy", logGroupName=name)
