"""AWS::CloudWatch::Alarm: an alarm on a metric or on an expression over metrics."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, JSON, NUMBER, STRING, STRINGS, TAGS, Items, fields
from mayfly.services.stacks.resources.tags import retag


class Alarm:
    name = "AWS::CloudWatch::Alarm"
    schema = fields(
        "ComparisonOperator EvaluationPeriods",
        ActionsEnabled=BOOLEAN,
        AlarmActions=STRINGS,
        AlarmDescription=STRING,
        AlarmName=STRING,
        ComparisonOperator=STRING,
        DatapointsToAlarm=INTEGER,
        Dimensions=Items(fields("Name Value", Name=STRING, Value=STRING)),
        EvaluateLowSampleCountPercentile=STRING,
        EvaluationPeriods=INTEGER,
        ExtendedStatistic=STRING,
        InsufficientDataActions=STRINGS,
        MetricName=STRING,
        Metrics=JSON,
        Namespace=STRING,
        OKActions=STRINGS,
        Period=INTEGER,
        Statistic=STRING,
        Tags=TAGS,
        Threshold=NUMBER,
        TreatMissingData=STRING,
        Unit=STRING,
    )
    replaced_by = frozenset({"AlarmName"})
    attributes = frozenset({"Arn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(255)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("AlarmName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        reply = await call("cloudwatch", "DescribeAlarms", AlarmNames=[self.physical_id(target, properties)])
        return bool(reply.get("MetricAlarms") or reply.get("CompositeAlarms"))

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call("cloudwatch", "PutMetricAlarm", **{**properties, "AlarmName": name})
        return Made(name, {"Arn": _arn(target, name)})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        wanted = {key: value for key, value in new.items() if key != "Tags"}
        await call("cloudwatch", "PutMetricAlarm", **{**wanted, "AlarmName": made.physical_id})
        await retag(call, "cloudwatch", old, new, ResourceARN=_arn(target, made.physical_id))
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless("ResourceNotFound", "cloudwatch", "DeleteAlarms", AlarmNames=[made.physical_id])


def _arn(target: Target, name: str) -> str:
    return f"arn:aws:cloudwatch:{target.region}:{target.account}:alarm:{name}"
