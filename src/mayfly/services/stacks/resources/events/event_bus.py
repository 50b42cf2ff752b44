"""AWS::Events::EventBus, with its policy and tags."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.iam.grants import text
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import document_seen, observed, tags_of
from mayfly.services.stacks.resources.schema import JSON, STRING, TAGS, Refused, fields
from mayfly.services.stacks.resources.tags import retag

GONE = "ResourceNotFoundException"
NO_KEYS = Refused("Mayfly has no KMS; encrypt the disk under its data.")
_SETTINGS = ("Description", "DeadLetterConfig", "LogConfig")


class EventBus(Named):
    name = "AWS::Events::EventBus"
    schema = fields(
        "Name",
        DeadLetterConfig=fields(Arn=STRING),
        Description=STRING,
        EventSourceName=Refused("Partner event sources are of AWS's partners; Mayfly has none."),
        KmsKeyIdentifier=NO_KEYS,
        LogConfig=fields(IncludeDetail=STRING, Level=STRING),
        Name=STRING,
        Policy=JSON,
        Tags=TAGS,
    )
    replaced_by = frozenset({"Name"})
    attributes = frozenset({"Arn", "Name", "Policy"})
    named_by = "Name"
    most_characters = 256

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await call.unless(GONE, "events", "DescribeEventBus", Name=properties["Name"]) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = properties["Name"]
        await call.unless(
            "ResourceAlreadyExistsException",
            "events",
            "CreateEventBus",
            Name=name,
            **picked(properties, *_SETTINGS, "Tags"),
        )
        await self._permit(call, name, {}, properties)
        return self._made(target, properties)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if changed(old, new, *_SETTINGS):
            nothing = {"Description": "", "DeadLetterConfig": {}, "LogConfig": {"Level": "OFF"}}
            kept = {name: new.get(name, nothing[name]) for name in _SETTINGS if name in old or name in new}
            await call("events", "UpdateEventBus", Name=made.physical_id, **kept)
        await self._permit(call, made.physical_id, old, new)
        await retag(call, "events", old, new, ResourceARN=made.attributes["Arn"])
        return self._made(target, new)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "events", "DeleteEventBus", Name=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "events", "DescribeEventBus", Name=made.physical_id)
        if found is None:
            return None
        policy = document_seen(properties["Policy"], found.get("Policy")) if "Policy" in properties else None
        return observed(
            properties,
            {
                **picked(found, "Name", "Description", "DeadLetterConfig"),
                "Policy": policy,
                **await tags_of(call, "events", properties, ResourceARN=made.attributes["Arn"]),
            },
            "LogConfig",
        )

    async def _permit(self, call: Caller, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if not changed(old, new, "Policy"):
            return
        if "Policy" in new:
            await call("events", "PutPermission", EventBusName=name, Policy=text(new["Policy"]))
        else:
            await call.unless(GONE, "events", "RemovePermission", EventBusName=name, RemoveAllPermissions=True)

    def _made(self, target: Target, properties: Mapping[str, Any]) -> Made:
        name = properties["Name"]
        policy = {"Policy": text(properties["Policy"])} if "Policy" in properties else {}
        arn = f"arn:aws:events:{target.region}:{target.account}:event-bus/{name}"
        return Made(name, {"Arn": arn, "Name": name, **policy})
