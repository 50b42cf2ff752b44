"""AWS::Scheduler::ScheduleGroup. Deleting one takes its schedules with it, which may take a moment."""

import asyncio
from collections.abc import Mapping
from typing import Any

from mayfly.clock import iso_millis
from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import observed, tags_of
from mayfly.services.stacks.resources.schema import STRING, TAGS, fields
from mayfly.services.stacks.resources.tags import retag

_GONE = "ResourceNotFoundException"
_POLL_S = 0.1


class ScheduleGroup(Named):
    name = "AWS::Scheduler::ScheduleGroup"
    schema = fields(Name=STRING, Tags=TAGS)
    replaced_by = frozenset({"Name"})
    attributes = frozenset({"Arn", "CreationDate", "LastModificationDate", "State"})
    named_by = "Name"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(_GONE, "scheduler", "GetScheduleGroup", Name=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless(
            "ConflictException", "scheduler", "CreateScheduleGroup", Name=name, **picked(properties, "Tags")
        )
        return await self._made(call, name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await retag(call, "scheduler", old, new, ResourceArn=made.attributes["Arn"])
        return await self._made(call, made.physical_id)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        name = made.physical_id
        await call.unless(_GONE, "scheduler", "DeleteScheduleGroup", Name=name)
        while await self.exists(call, target, properties):  # noqa: ASYNC110  # another service deletes it
            await asyncio.sleep(_POLL_S)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(_GONE, "scheduler", "GetScheduleGroup", Name=made.physical_id)
        if found is None:
            return None
        tags = await tags_of(call, "scheduler", properties, ResourceArn=found["Arn"])
        return observed(properties, {"Name": found["Name"], **tags}, defaults={"Name": made.physical_id})

    async def _made(self, call: Caller, name: str) -> Made:
        found = await call("scheduler", "GetScheduleGroup", Name=name)
        times = {member: iso_millis(found[member].timestamp()) for member in ("CreationDate", "LastModificationDate")}
        return Made(name, {"Arn": found["Arn"], "State": found["State"], **times})
