"""AWS::ApplicationAutoScaling::ScalingPolicy: of a target by its id, or by its parts. Its own id is its ARN."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.autoscaling.namespaces import NAMESPACE
from mayfly.services.stacks.resources.autoscaling.target import PLACE, SERVICE
from mayfly.services.stacks.resources.base import Caller, Made, Target, Unreadable, picked
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, NUMBER, STRING, Items, fields

_CONFIGS = ("TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration")


class ScalingPolicy(Unreadable):
    name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    schema = fields(
        "PolicyName PolicyType",
        PolicyName=STRING,
        PolicyType=STRING,
        ResourceId=STRING,
        ScalableDimension=STRING,
        ServiceNamespace=NAMESPACE,
        ScalingTargetId=STRING,
        TargetTrackingScalingPolicyConfiguration=fields(
            "TargetValue",
            TargetValue=NUMBER,
            DisableScaleIn=BOOLEAN,
            ScaleInCooldown=INTEGER,
            ScaleOutCooldown=INTEGER,
            PredefinedMetricSpecification=fields(
                "PredefinedMetricType", PredefinedMetricType=STRING, ResourceLabel=STRING
            ),
            CustomizedMetricSpecification=fields(
                MetricName=STRING,
                Namespace=STRING,
                Statistic=STRING,
                Unit=STRING,
                Dimensions=Items(fields("Name Value", Name=STRING, Value=STRING)),
            ),
        ),
        StepScalingPolicyConfiguration=fields(
            AdjustmentType=STRING,
            Cooldown=INTEGER,
            MetricAggregationType=STRING,
            MinAdjustmentMagnitude=INTEGER,
            StepAdjustments=Items(
                fields(
                    "ScalingAdjustment",
                    ScalingAdjustment=INTEGER,
                    MetricIntervalLowerBound=NUMBER,
                    MetricIntervalUpperBound=NUMBER,
                )
            ),
        ),
    )
    replaced_by = frozenset({"PolicyName", "PolicyType", "ScalingTargetId", *PLACE})
    attributes: frozenset[str] = frozenset({"Arn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["PolicyName"])

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        place = _place(properties)
        named = {"ServiceNamespace": place["ServiceNamespace"], "ResourceId": place["ResourceId"]}
        asked = {**named, "PolicyNames": [properties["PolicyName"]]}
        return bool((await call(SERVICE, "DescribeScalingPolicies", **asked))["ScalingPolicies"])

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        arn = await self._put(call, properties)
        return Made(arn, {"Arn": arn})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(
            "ObjectNotFoundException",
            SERVICE,
            "DeleteScalingPolicy",
            **_place(properties),
            PolicyName=properties["PolicyName"],
        )

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> str:
        asked = picked(properties, "PolicyName", "PolicyType", *_CONFIGS)
        return str((await call(SERVICE, "PutScalingPolicy", **_place(properties), **asked))["PolicyARN"])


def _place(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Where the policy is: what its target's id says, or what stands beside it."""
    if "ScalingTargetId" not in properties:
        return picked(properties, *PLACE)
    resource, _, rest = properties["ScalingTargetId"].partition("|")
    dimension, _, namespace = rest.partition("|")
    return {"ServiceNamespace": namespace, "ResourceId": resource, "ScalableDimension": dimension}
