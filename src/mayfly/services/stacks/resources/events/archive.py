"""AWS::Events::Archive: the events of a bus, kept to be replayed."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.events.event_bus import GONE, NO_KEYS
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import document_seen, observed
from mayfly.services.stacks.resources.schema import INTEGER, JSON, STRING, fields


class Archive(Named):
    name = "AWS::Events::Archive"
    schema = fields(
        "SourceArn",
        ArchiveName=STRING,
        Description=STRING,
        EventPattern=JSON,
        KmsKeyIdentifier=NO_KEYS,
        RetentionDays=INTEGER,
        SourceArn=STRING,
    )
    replaced_by = frozenset({"ArchiveName", "SourceArn"})
    attributes = frozenset({"Arn", "ArchiveName"})
    named_by = "ArchiveName"
    most_characters = 48

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, "events", "DescribeArchive", ArchiveName=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless(
            "ResourceAlreadyExistsException",
            "events",
            "CreateArchive",
            ArchiveName=name,
            EventSourceArn=properties["SourceArn"],
            **picked(properties, "Description", "RetentionDays"),
            **_pattern(properties),
        )
        arn = f"arn:aws:events:{target.region}:{target.account}:archive/{name}"
        return Made(name, {"Arn": arn, "ArchiveName": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        nothing = {"Description": "", "RetentionDays": 0, "EventPattern": ""}
        said = nothing | picked(new, "Description", "RetentionDays") | _pattern(new)
        await call("events", "UpdateArchive", ArchiveName=made.physical_id, **said)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "events", "DeleteArchive", ArchiveName=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "events", "DescribeArchive", ArchiveName=made.physical_id)
        if found is None:
            return None
        return observed(
            properties,
            {
                "ArchiveName": found["ArchiveName"],
                "SourceArn": found["EventSourceArn"],
                "Description": found.get("Description") or None,
                "RetentionDays": found.get("RetentionDays") or properties.get("RetentionDays"),
                "EventPattern": document_seen(properties.get("EventPattern"), found.get("EventPattern")),
            },
            defaults={"ArchiveName": made.physical_id},
        )


def _pattern(properties: Mapping[str, Any]) -> dict[str, str]:
    pattern = properties.get("EventPattern")
    if pattern is None:
        return {}
    return {"EventPattern": pattern if isinstance(pattern, str) else json.dumps(pattern)}
