"""Alarms as DescribeAlarms tells of them."""

from typing import Any

from mayfly.clock import utc
from mayfly.services.metrics.model import Alarm, Metric, Query
from mayfly.services.metrics.statistics import SIMPLE


def metric_alarm(alarm: Alarm, arn: str) -> dict[str, Any]:
    """A MetricAlarm."""
    told = {
        **_common(alarm, arn),
        "ComparisonOperator": alarm.comparison,
        "Threshold": alarm.threshold,
        "EvaluationPeriods": alarm.evaluation_periods,
    }
    optional = {
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "TreatMissingData": alarm.missing,
        "EvaluateLowSampleCountPercentile": alarm.low_samples,
    }
    told |= {name: value for name, value in optional.items() if value is not None}
    if alarm.metric is None:
        return {**told, "Metrics": [_query(query) for query in alarm.queries]}
    told |= _named(alarm.metric)
    told["Period"] = alarm.metric.period_s
    told["Statistic" if alarm.metric.statistic in SIMPLE else "ExtendedStatistic"] = alarm.metric.statistic
    if alarm.metric.unit is not None:
        told["Unit"] = alarm.metric.unit
    return told


def composite(alarm: Alarm, arn: str) -> dict[str, Any]:
    """A CompositeAlarm."""
    return {**_common(alarm, arn), "AlarmRule": alarm.rule}


def _common(alarm: Alarm, arn: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmArn": arn,
        "AlarmConfigurationUpdatedTimestamp": utc(alarm.updated_at),
        "ActionsEnabled": alarm.actions_enabled,
        "OKActions": list(alarm.ok_actions),
        "AlarmActions": list(alarm.alarm_actions),
        "InsufficientDataActions": list(alarm.insufficient_actions),
        "StateValue": alarm.state,
        "StateReason": alarm.state_reason,
        "StateUpdatedTimestamp": utc(alarm.state_at),
        "StateTransitionedTimestamp": utc(alarm.transition_at),
    }
    if alarm.description is not None:
        told["AlarmDescription"] = alarm.description
    if alarm.state_reason_data:
        told["StateReasonData"] = alarm.state_reason_data
    return told


def _named(metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def _query(query: Query) -> dict[str, Any]:
    told: dict[str, Any] = {"Id": query.id, "ReturnData": query.returns}
    if query.label:
        told["Label"] = query.label
    if query.period_s is not None:
        told["Period"] = query.period_s
    if query.metric is None:
        return {**told, "Expression": query.expression}
    asked: dict[str, Any] = {
        "Metric": _named(query.metric),
        "Period": query.metric.period_s,
        "Stat": query.metric.statistic,
    }
    if query.metric.unit is not None:
        asked["Unit"] = query.metric.unit
    return {**told, "MetricStat": asked}
