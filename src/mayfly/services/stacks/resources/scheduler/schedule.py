"""AWS::Scheduler::Schedule."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.events.rule import absent
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import INTEGER, STRING, PropertyError, Refused, fields

_GONE = "ResourceNotFoundException"
_TIMES = ("StartDate", "EndDate")
_SAID = (
    "Description",
    "FlexibleTimeWindow",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "State",
    "Target",
)


class Schedule:
    name = "AWS::Scheduler::Schedule"
    schema = fields(
        "FlexibleTimeWindow ScheduleExpression Target",
        Description=STRING,
        EndDate=STRING,
        FlexibleTimeWindow=fields("Mode", MaximumWindowInMinutes=INTEGER, Mode=STRING),
        GroupName=STRING,
        KmsKeyArn=Refused("Mayfly has no KMS; encrypt the disk under its data."),
        Name=STRING,
        ScheduleExpression=STRING,
        ScheduleExpressionTimezone=STRING,
        StartDate=STRING,
        State=STRING,
        Target=fields(
            "Arn RoleArn",
            Arn=STRING,
            DeadLetterConfig=fields(Arn=STRING),
            EcsParameters=absent("Amazon ECS"),
            EventBridgeParameters=fields("DetailType Source", DetailType=STRING, Source=STRING),
            Input=STRING,
            KinesisParameters=fields("PartitionKey", PartitionKey=STRING),
            RetryPolicy=fields(MaximumEventAgeInSeconds=INTEGER, MaximumRetryAttempts=INTEGER),
            RoleArn=STRING,
            SageMakerPipelineParameters=absent("Amazon SageMaker"),
            SqsParameters=fields(MessageGroupId=STRING),
        ),
    )
    replaced_by = frozenset({"Name", "GroupName"})
    attributes = frozenset({"Arn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties.get("Name") or target.name(64))

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{_group(properties)}/{properties['Name']}" if "Name" in properties else None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        place = {"Name": self.physical_id(target, properties), "GroupName": _group(properties)}
        return await call.unless(_GONE, "scheduler", "GetSchedule", **place) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        place = {"Name": name, "GroupName": _group(properties)}
        await call.unless("ConflictException", "scheduler", "CreateSchedule", **place, **_said(properties))
        found = await call("scheduler", "GetSchedule", **place)
        return Made(name, {"Arn": found["Arn"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        place = {"Name": made.physical_id, "GroupName": _group(new)}
        await call("scheduler", "UpdateSchedule", **place, **_said(new))
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        place = {"Name": made.physical_id, "GroupName": _group(properties)}
        await call.unless(_GONE, "scheduler", "DeleteSchedule", **place)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        place = {"Name": made.physical_id, "GroupName": _group(properties)}
        found = await call.unless(_GONE, "scheduler", "GetSchedule", **place)
        if found is None:
            return None
        times = {
            name: properties[name] if name in properties and _moment(properties[name]) == found[name] else
            found[name].isoformat()
            for name in _TIMES
            if name in found
        }  # fmt: skip
        truth = picked(found, "Name", "GroupName", *_SAID) | times
        truth["Target"] = like(properties["Target"], found["Target"])
        filled_in = {"Name": made.physical_id, "GroupName": "default", "State": "ENABLED"}
        return observed(properties, truth, defaults={**filled_in, "ScheduleExpressionTimezone": "UTC"})


def _group(properties: Mapping[str, Any]) -> str:
    return str(properties.get("GroupName", "default"))


def _said(properties: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: _moment(properties[name]) for name in _TIMES if name in properties}
    return picked(properties, *_SAID) | times


def _moment(text: str) -> datetime:
    """A time as a template has it; one without an offset is of UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise PropertyError(f"{text!r} is no time such as 2026-01-31T12:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
