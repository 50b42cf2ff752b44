"""AWS::Events::Rule, with its targets and tags."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.events.event_bus import GONE
from mayfly.services.stacks.resources.reading import document_seen, in_order, observed, tags_of
from mayfly.services.stacks.resources.schema import (
    INTEGER,
    JSON,
    STRING,
    STRINGS,
    TAGS,
    Entries,
    Items,
    Refused,
    fields,
)
from mayfly.services.stacks.resources.tags import retag


def absent(service: str) -> Refused:
    """Parameters of a kind of target that there is none of."""
    return Refused(f"It is for targets of {service}, which Mayfly does not have.")


_TARGET = fields(
    "Arn Id",
    AppSyncParameters=absent("AWS AppSync"),
    Arn=STRING,
    BatchParameters=absent("AWS Batch"),
    DeadLetterConfig=fields(Arn=STRING),
    EcsParameters=absent("Amazon ECS"),
    HttpParameters=fields(
        HeaderParameters=Entries(STRING), PathParameterValues=STRINGS, QueryStringParameters=Entries(STRING)
    ),
    Id=STRING,
    Input=STRING,
    InputPath=STRING,
    InputTransformer=fields("InputTemplate", InputPathsMap=Entries(STRING), InputTemplate=STRING),
    KinesisParameters=fields("PartitionKeyPath", PartitionKeyPath=STRING),
    RedshiftDataParameters=absent("Amazon Redshift"),
    RetryPolicy=fields(MaximumEventAgeInSeconds=INTEGER, MaximumRetryAttempts=INTEGER),
    RoleArn=STRING,
    RunCommandParameters=absent("EC2 Run Command"),
    SageMakerPipelineParameters=absent("Amazon SageMaker"),
    SqsParameters=fields("MessageGroupId", MessageGroupId=STRING),
)
_SAID = ("Description", "RoleArn", "ScheduleExpression", "State")


class Rule:
    name = "AWS::Events::Rule"
    schema = fields(
        Description=STRING,
        EventBusName=STRING,
        EventPattern=JSON,
        Name=STRING,
        RoleArn=STRING,
        ScheduleExpression=STRING,
        State=STRING,
        Tags=TAGS,
        Targets=Items(_TARGET),
    )
    replaced_by = frozenset({"Name", "EventBusName"})
    attributes = frozenset({"Arn", "RuleName"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        """The name, behind that of a bus that is not the default one."""
        name, bus = self._name(target, properties), _bus_name(properties)
        return name if bus == "default" else f"{bus}|{name}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{_bus_name(properties)}|{properties['Name']}" if "Name" in properties else None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        place = {"Name": self._name(target, properties), **_bus(properties)}
        return await call.unless(GONE, "events", "DescribeRule", **place) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self._name(target, properties)
        reply = await self._put(call, name, properties, **picked(properties, "Tags"))
        await self._aim(call, name, properties, {}, properties)
        return Made(self.physical_id(target, properties), {"Arn": reply["RuleArn"], "RuleName": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        name = self._name(target, new)
        if changed(old, new, *_SAID, "EventPattern"):
            await self._put(call, name, new)
        await self._aim(call, name, new, old, new)
        await retag(call, "events", old, new, ResourceARN=made.attributes["Arn"])
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        name, bus = self._name(target, properties), _bus(properties)
        targets = await self._targets(call, name, properties)
        if targets:  # those that others put there, too: a rule with targets is not deleted
            ids = [one["Id"] for one in targets]
            await call.unless(GONE, "events", "RemoveTargets", Rule=name, Ids=ids, **bus)
        if targets is not None:
            await call.unless(GONE, "events", "DeleteRule", Name=name, **bus)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        name = self._name(target, properties)
        found = await call.unless(GONE, "events", "DescribeRule", Name=name, **_bus(properties))
        if found is None:
            return None
        targets = await self._targets(call, name, properties) or []
        return observed(
            properties,
            {
                **picked(found, "Name", *_SAID),
                "EventPattern": document_seen(properties.get("EventPattern"), found.get("EventPattern")),
                "Targets": in_order(properties.get("Targets", ()), targets, lambda one: one["Id"]) or None,
                **await tags_of(call, "events", properties, ResourceARN=made.attributes["Arn"]),
            },
            "EventBusName",  # by name or ARN, which comes to the same
            defaults={"State": "ENABLED", "Name": name},
        )

    def _name(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties.get("Name") or target.name(64))

    async def _put(self, call: Caller, name: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        pattern = properties.get("EventPattern")
        if pattern is not None:
            more["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
        return await call("events", "PutRule", Name=name, **_bus(properties), **picked(properties, *_SAID), **more)

    async def _aim(
        self, call: Caller, name: str, place: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        """Bring the targets from `old` to `new`."""
        before = {one["Id"]: one for one in old.get("Targets", ())}
        after = {one["Id"]: one for one in new.get("Targets", ())}
        if gone := [id_ for id_ in before if id_ not in after]:
            await call("events", "RemoveTargets", Rule=name, Ids=gone, **_bus(place))
        if put := [one for id_, one in after.items() if before.get(id_) != one]:
            await call("events", "PutTargets", Rule=name, Targets=put, **_bus(place))

    async def _targets(self, call: Caller, name: str, properties: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """All targets of the rule; None if there is no such rule."""
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            reply = await call.unless(GONE, "events", "ListTargetsByRule", Rule=name, **_bus(properties), **token)
            if reply is None:
                return None
            found += reply.get("Targets", ())
            if not reply.get("NextToken"):
                return found
            token = {"NextToken": reply["NextToken"]}


def _bus(properties: Mapping[str, Any]) -> dict[str, str]:
    return picked(properties, "EventBusName")


def _bus_name(properties: Mapping[str, Any]) -> str:
    """The name of the bus, which may be given by its ARN."""
    return str(properties.get("EventBusName", "default")).rpartition(":event-bus/")[2]
