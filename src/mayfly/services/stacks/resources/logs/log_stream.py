"""AWS::Logs::LogStream."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.logs.log_group import GONE
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, fields


class LogStream:
    name = "AWS::Logs::LogStream"
    schema = fields("LogGroupName", LogGroupName=STRING, LogStreamName=STRING)
    replaced_by = frozenset({"LogGroupName", "LogStreamName"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties.get("LogStreamName") or target.name(512))

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        named = "LogStreamName" in properties
        return f"{properties['LogGroupName']}|{properties['LogStreamName']}" if named else None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._there(call, self.physical_id(target, properties), properties)

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        place = {"logGroupName": properties["LogGroupName"], "logStreamName": name}
        await call.unless("ResourceAlreadyExistsException", "logs", "CreateLogStream", **place)
        return Made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        place = {"logGroupName": properties["LogGroupName"], "logStreamName": made.physical_id}
        await call.unless(GONE, "logs", "DeleteLogStream", **place)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        if not await self._there(call, made.physical_id, properties):
            return None
        truth = {"LogGroupName": properties["LogGroupName"], "LogStreamName": made.physical_id}
        return observed(properties, truth, defaults={"LogStreamName": made.physical_id})

    async def _there(self, call: Caller, name: str, properties: Mapping[str, Any]) -> bool:
        place = {"logGroupName": properties["LogGroupName"], "logStreamNamePrefix": name}
        reply = await call.unless(GONE, "logs", "DescribeLogStreams", **place)
        return reply is not None and any(one["logStreamName"] == name for one in reply.get("logStreams", ()))
