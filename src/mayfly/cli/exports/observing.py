"""Log groups with their filters, and alarms."""

from collections.abc import Iterator
from typing import Any

from mayfly.cli.exports.things import Name, Reading, Thing, said, tags_of

GROUP, ALARM, COMPOSITE = "AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
_ALARM = (
    "AlarmDescription Namespace MetricName Dimensions Statistic ExtendedStatistic Period Unit EvaluationPeriods "
    "DatapointsToAlarm ComparisonOperator TreatMissingData EvaluateLowSampleCountPercentile ThresholdMetricId Metrics "
    "AlarmActions OKActions InsufficientDataActions"
)
_COMPOSITE = (
    "AlarmDescription AlarmRule AlarmActions OKActions InsufficientDataActions ActionsSuppressor "
    "ActionsSuppressorWaitPeriod ActionsSuppressorExtensionPeriod"
)
_FURTHER = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions", "emitSystemFields")
_NO_UNIT = ("unit", "None")


def log_groups(reading: Reading) -> Iterator[Thing]:
    """Those that somebody set up. What functions begin by themselves, they begin in another place, too."""
    metric, subscription = "AWS::Logs::MetricFilter", "AWS::Logs::SubscriptionFilter"
    client = reading.client("logs")
    for group in reading.pages("logs", "describe_log_groups", "logGroups"):
        name = group["logGroupName"]
        filters = list(_filters(reading, metric, subscription, name))
        if not reading.is_held(GROUP, name):
            arn = group["arn"].removesuffix(":*")
            tags = tags_of(client.list_tags_for_resource(resourceArn=arn).get("tags"))
            by_itself = name.startswith("/aws/lambda/") and "retentionInDays" not in group and not tags
            if not by_itself or filters:
                properties: dict[str, Any] = {"LogGroupName": name, **tags}
                if "retentionInDays" in group:
                    properties["RetentionInDays"] = group["retentionInDays"]
                if group.get("logGroupClass", "STANDARD") != "STANDARD":
                    properties["LogGroupClass"] = group["logGroupClass"]
                yield Thing(GROUP, f"{name} logs", name, properties, {"Arn": f"{arn}:*"})
        yield from filters


def _filters(reading: Reading, metric: str, subscription: str, group: str) -> Iterator[Thing]:
    for found in reading.pages("logs", "describe_metric_filters", "metricFilters", logGroupName=group):
        name = found["filterName"]
        if not reading.is_held(metric, name):
            shaped = [_transformation(one) for one in found["metricTransformations"]]
            properties = {
                "LogGroupName": Name(GROUP, group), "FilterName": name, "FilterPattern": found["filterPattern"],
                "MetricTransformations": shaped, **_further(found),
            }  # fmt: skip
            yield Thing(metric, f"{name} filter", "", properties)
    for found in reading.pages("logs", "describe_subscription_filters", "subscriptionFilters", logGroupName=group):
        name = found["filterName"]
        if not reading.is_held(subscription, name):
            properties = {
                "LogGroupName": Name(GROUP, group), "FilterName": name, "FilterPattern": found["filterPattern"],
                "DestinationArn": found["destinationArn"],
                **({"RoleArn": found["roleArn"]} if found.get("roleArn") else {}), **_further(found),
            }  # fmt: skip
            if found.get("distribution", "ByLogStream") != "ByLogStream":
                properties["Distribution"] = found["distribution"]
            yield Thing(subscription, f"{name} subscription", "", properties, after=(found["destinationArn"],))


def _further(found: dict[str, Any]) -> dict[str, Any]:
    """What few filters say."""
    return {name[0].upper() + name[1:]: found[name] for name in _FURTHER if found.get(name)}


def _transformation(found: dict[str, Any]) -> dict[str, Any]:
    shaped = {
        name[0].upper() + name[1:]: value
        for name, value in found.items()
        if name != "dimensions" and (name, value) != _NO_UNIT
    }
    if found.get("dimensions"):
        shaped["Dimensions"] = [{"Key": key, "Value": value} for key, value in found["dimensions"].items()]
    return shaped


def log_policies(reading: Reading) -> Iterator[Thing]:
    kind = "AWS::Logs::ResourcePolicy"
    for found in reading.pages("logs", "describe_resource_policies", "resourcePolicies"):
        name = found["policyName"]
        if not reading.is_held(kind, name):
            properties = {"PolicyName": name, "PolicyDocument": found["policyDocument"]}
            yield Thing(kind, f"{name} logs policy", name, properties)


def alarms(reading: Reading) -> Iterator[Thing]:
    client = reading.client("cloudwatch")
    for what, kind, names in (("MetricAlarm", ALARM, _ALARM), ("CompositeAlarm", COMPOSITE, _COMPOSITE)):
        for found in reading.pages("cloudwatch", "describe_alarms", f"{what}s", AlarmTypes=[what]):
            name, arn = found["AlarmName"], found["AlarmArn"]
            if reading.is_held(kind, name):
                continue
            properties = {"AlarmName": name, **said(found, names)}
            if found.get("ActionsEnabled") is False:
                properties["ActionsEnabled"] = False
            if "Threshold" in found and "ThresholdMetricId" not in found:
                properties["Threshold"] = found["Threshold"]
            properties |= tags_of(client.list_tags_for_resource(ResourceARN=arn).get("Tags"))
            yield Thing(kind, f"{name} alarm", name, properties, {"Arn": arn})
