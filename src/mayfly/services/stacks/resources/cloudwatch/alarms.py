"""What alarms of both kinds have in common as resources."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import like, observed, tags_of
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, STRINGS, Fields, Refused, Schema, fields
from mayfly.services.stacks.resources.schema import TAGS as _TAGS
from mayfly.services.stacks.resources.tags import retag

ACTIONS: Mapping[str, Schema] = {
    "ActionConfiguration": Refused("Alarms of Mayfly do not pass their tags on to what they do."),
    "ActionsEnabled": BOOLEAN,
    "AlarmActions": STRINGS,
    "AlarmDescription": STRING,
    "AlarmName": STRING,
    "InsufficientDataActions": STRINGS,
    "OKActions": STRINGS,
    "Tags": _TAGS,
}
_SUPPRESSOR = Refused("No alarm keeps another from acting; say so in the AlarmRule.")
_KINDS = ["MetricAlarm", "CompositeAlarm"]


class AnyAlarm(Named):
    """An alarm, put by an operation that replaces what was there."""

    operation: str
    member: str  # of what is described
    schema: Fields
    # What DescribeAlarms fills in, and nobody asked for.
    filled_in: Mapping[str, Any] = {
        "ActionsEnabled": True, "AlarmActions": [], "InsufficientDataActions": [], "OKActions": [], "Dimensions": [],
    }  # fmt: skip
    replaced_by = frozenset({"AlarmName"})
    attributes = frozenset({"Arn"})
    named_by = "AlarmName"
    most_characters = 255

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        reply = await call("cloudwatch", "DescribeAlarms", AlarmNames=[name], AlarmTypes=_KINDS)
        return bool(reply.get("MetricAlarms") or reply.get("CompositeAlarms"))

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call("cloudwatch", self.operation, **{**properties, "AlarmName": name})
        return Made(name, {"Arn": _arn(target, name)})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        wanted = {key: value for key, value in new.items() if key != "Tags"}
        await call("cloudwatch", self.operation, **{**wanted, "AlarmName": made.physical_id})
        await retag(call, "cloudwatch", old, new, ResourceARN=_arn(target, made.physical_id))
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless("ResourceNotFound", "cloudwatch", "DeleteAlarms", AlarmNames=[made.physical_id])

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        reply = await call("cloudwatch", "DescribeAlarms", AlarmNames=[made.physical_id], AlarmTypes=_KINDS)
        found = reply.get(self.member)
        if not found:
            return None
        truth = picked(found[0], *self.schema.members)
        if "Metrics" in truth:
            truth["Metrics"] = like(properties.get("Metrics", []), truth["Metrics"])
        truth |= await tags_of(call, "cloudwatch", properties, ResourceARN=_arn(target, made.physical_id))
        return observed(properties, truth, defaults={**self.filled_in, "AlarmName": made.physical_id})


class CompositeAlarm(AnyAlarm):
    name = "AWS::CloudWatch::CompositeAlarm"
    operation = "PutCompositeAlarm"
    member = "CompositeAlarms"
    schema = fields(
        "AlarmRule",
        **ACTIONS,
        ActionsSuppressor=_SUPPRESSOR,
        ActionsSuppressorExtensionPeriod=_SUPPRESSOR,
        ActionsSuppressorWaitPeriod=_SUPPRESSOR,
        AlarmRule=STRING,
    )


def _arn(target: Target, name: str) -> str:
    return f"arn:aws:cloudwatch:{target.region}:{target.account}:alarm:{name}"
