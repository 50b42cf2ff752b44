"""AWS::ApplicationAutoScaling::ScalableTarget, with its scheduled actions. Its id says all that it is named by."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mayfly.services.stacks.resources.autoscaling.namespaces import NAMESPACE
from mayfly.services.stacks.resources.base import Caller, Made, Target, Unreadable, changed, picked
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, TAGS, Items, PropertyError, fields

SERVICE = "application-autoscaling"
PLACE = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_GONE = "ObjectNotFoundException"


class ScalableTarget(Unreadable):
    name = "AWS::ApplicationAutoScaling::ScalableTarget"
    schema = fields(
        "MaxCapacity MinCapacity ResourceId ScalableDimension ServiceNamespace",
        MaxCapacity=INTEGER,
        MinCapacity=INTEGER,
        ResourceId=STRING,
        RoleARN=STRING,
        ScalableDimension=STRING,
        ServiceNamespace=NAMESPACE,
        ScheduledActions=Items(
            fields(
                "ScheduledActionName Schedule",
                ScheduledActionName=STRING,
                Schedule=STRING,
                Timezone=STRING,
                StartTime=STRING,
                EndTime=STRING,
                ScalableTargetAction=fields(MinCapacity=INTEGER, MaxCapacity=INTEGER),
            )
        ),
        SuspendedState=fields(
            DynamicScalingInSuspended=BOOLEAN,
            DynamicScalingOutSuspended=BOOLEAN,
            ScheduledScalingSuspended=BOOLEAN,
        ),
        Tags=TAGS,
    )
    replaced_by = frozenset({*PLACE})
    attributes: frozenset[str] = frozenset({"Id"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return "|".join(properties[member] for member in ("ResourceId", "ScalableDimension", "ServiceNamespace"))

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        found = await call(
            SERVICE,
            "DescribeScalableTargets",
            ServiceNamespace=properties["ServiceNamespace"],
            ResourceIds=[properties["ResourceId"]],
        )
        return bool(found["ScalableTargets"])

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
        await self._register(call, properties, {"Tags": tags} if tags else {})
        await self._act(call, {}, properties)
        id_ = self.physical_id(target, properties)
        return Made(id_, {"Id": id_})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._register(call, new, {})
        await self._act(call, old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(_GONE, SERVICE, "DeregisterScalableTarget", **picked(properties, *PLACE))

    async def _register(self, call: Caller, properties: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        members = (*PLACE, "MinCapacity", "MaxCapacity", "RoleARN")
        running = {
            "DynamicScalingInSuspended": False,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        }
        suspended = {**running, **properties.get("SuspendedState", {})}
        await call(SERVICE, "RegisterScalableTarget", **picked(properties, *members), SuspendedState=suspended, **more)

    async def _act(self, call: Caller, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if not changed(old, new, "ScheduledActions"):
            return
        place = picked(new, *PLACE)
        wanted = {one["ScheduledActionName"]: one for one in new.get("ScheduledActions", ())}
        for one in old.get("ScheduledActions", ()):
            if (name := one["ScheduledActionName"]) not in wanted:
                await call.unless(_GONE, SERVICE, "DeleteScheduledAction", **place, ScheduledActionName=name)
        for one in wanted.values():
            times = {name: _moment(one[name]) for name in ("StartTime", "EndTime") if name in one}
            await call(SERVICE, "PutScheduledAction", **place, **{**one, **times})


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise PropertyError(f"{text!r} is no time such as 2026-01-31T12:00:00Z") from None
