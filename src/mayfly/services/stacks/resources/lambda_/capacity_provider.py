"""AWS::Lambda::CapacityProvider: a part of the machine. Only its scaling can be changed in place, and its tags."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.reading import like, observed, tags_seen
from mayfly.services.stacks.resources.schema import (
    INTEGER,
    NUMBER,
    STRING,
    STRINGS,
    TAGS,
    Ignored,
    Items,
    Refused,
    fields,
)
from mayfly.services.stacks.resources.tags import retag_lambda

_GONE = "ResourceNotFoundException"
_SCALING = "CapacityProviderScalingConfig"
_MEMBERS = ("VpcConfig", "PermissionsConfig", "InstanceRequirements", _SCALING, "KmsKeyArn")


class CapacityProvider:
    name = "AWS::Lambda::CapacityProvider"
    schema = fields(
        "PermissionsConfig VpcConfig",
        CapacityProviderName=STRING,
        VpcConfig=fields("SecurityGroupIds SubnetIds", SecurityGroupIds=STRINGS, SubnetIds=STRINGS),
        PermissionsConfig=fields("CapacityProviderOperatorRoleArn", CapacityProviderOperatorRoleArn=STRING),
        InstanceRequirements=fields(Architectures=STRINGS, AllowedInstanceTypes=STRINGS, ExcludedInstanceTypes=STRINGS),
        CapacityProviderScalingConfig=fields(
            MaxVCpuCount=INTEGER,
            ScalingMode=STRING,
            ScalingPolicies=Items(
                fields("PredefinedMetricType TargetValue", PredefinedMetricType=STRING, TargetValue=NUMBER)
            ),
        ),
        KmsKeyArn=STRING,
        PropagateTags=Ignored("There are no machines to be tagged.", fields(ExplicitTags=TAGS, Mode=STRING)),
        Tags=TAGS,
        TelemetryConfig=Refused("What the platform says of a capacity provider is in the server's own log."),
    )
    replaced_by = frozenset(
        {"CapacityProviderName", "VpcConfig", "PermissionsConfig", "InstanceRequirements", "KmsKeyArn"}
    )
    attributes = frozenset({"Arn", "State"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(64)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("CapacityProviderName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(_GONE, "lambda", "GetCapacityProvider", CapacityProviderName=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        found = await call.unless(_GONE, "lambda", "GetCapacityProvider", CapacityProviderName=name)
        if found is None:
            found = await call(
                "lambda",
                "CreateCapacityProvider",
                CapacityProviderName=name,
                Tags={tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())},
                **picked(properties, *_MEMBERS),
            )
        made = found["CapacityProvider"]
        return Made(name, {"Arn": made["CapacityProviderArn"], "State": made["State"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if changed(old, new, _SCALING) and _SCALING in new:
            await call(
                "lambda", "UpdateCapacityProvider", CapacityProviderName=made.physical_id, **picked(new, _SCALING)
            )
        await retag_lambda(call, made.attributes["Arn"], old, new)
        return made

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        name = made.physical_id
        reply = await call.unless(_GONE, "lambda", "GetCapacityProvider", CapacityProviderName=name)
        if reply is None:
            return None
        found = reply["CapacityProvider"]
        truth = {member: like(properties.get(member, {}), found[member]) for member in _MEMBERS if member in found}
        tags = await call("lambda", "ListTags", Resource=found["CapacityProviderArn"])
        truth |= tags_seen(properties, tags.get("Tags", {}))
        truth = {member: value for member, value in truth.items() if member in properties or value}
        return observed(properties, truth, "CapacityProviderName", "PropagateTags")

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(_GONE, "lambda", "DeleteCapacityProvider", CapacityProviderName=made.physical_id)
