"""What targets are told of an alarm's change of state, in the forms of AWS: for functions, topics and event buses.

Sources: "Alarm events and EventBridge" and "Lambda alarm actions" in the CloudWatch user guide, and what CloudWatch
publishes to topics.
"""

import json
from typing import Any

from mayfly.clock import utc
from mayfly.ids import Arn
from mayfly.services.metrics.model import Alarm, Metric
from mayfly.services.metrics.statistics import SIMPLE


def for_action(action: str, after: Alarm, before: Alarm, arn: str, account: str, region: str) -> bytes:
    """The event for the target `action`."""
    if Arn.parse(action).service == "sns":
        return json.dumps(_published(after, before, arn, account, region)).encode()
    return json.dumps(
        {
            "source": "aws.cloudwatch",
            "alarmArn": arn,
            "accountId": account,
            "time": stamp(after.state_at),
            "region": region,
            "alarmData": {"alarmName": after.name, **_change(after, before)},
        }
    ).encode()


def state_change(after: Alarm, before: Alarm) -> dict[str, Any]:
    """The detail of "CloudWatch Alarm State Change"."""
    return {"alarmName": after.name, **_change(after, before)}


def _change(after: Alarm, before: Alarm) -> dict[str, Any]:
    return {
        "state": _state(after),
        "previousState": _state(before),
        "configuration": _configuration(after),
    }


def _state(alarm: Alarm) -> dict[str, Any]:
    told: dict[str, Any] = {"value": alarm.state, "reason": alarm.state_reason}
    if alarm.state_reason_data:
        told["reasonData"] = alarm.state_reason_data
    return {**told, "timestamp": stamp(alarm.state_at)}


def _configuration(alarm: Alarm) -> dict[str, Any]:
    told: dict[str, Any] = {} if alarm.description is None else {"description": alarm.description}
    if alarm.kind == "CompositeAlarm":
        return {**told, "alarmRule": alarm.rule}
    if alarm.metric is not None:
        return {**told, "metrics": [{"id": "m1", "metricStat": _metric(alarm.metric), "returnData": True}]}
    metrics: list[dict[str, Any]] = []
    for query in alarm.queries:
        one: dict[str, Any] = {"id": query.id, "returnData": query.returns}
        if query.metric is not None:
            one["metricStat"] = _metric(query.metric)
        else:
            one["expression"] = query.expression
        metrics.append({**one, **({"label": query.label} if query.label else {})})
    return {**told, "metrics": metrics}


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "metric": {"namespace": metric.namespace, "name": metric.name, "dimensions": dict(metric.dimensions)},
        "period": metric.period_s,
        "stat": metric.statistic,
        **({"unit": metric.unit} if metric.unit is not None else {}),
    }


def _published(after: Alarm, before: Alarm, arn: str, account: str, region: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "AlarmName": after.name,
        "AlarmDescription": after.description,
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": stamp(after.updated_at),
        "NewStateValue": after.state,
        "NewStateReason": after.state_reason,
        "StateChangeTime": stamp(after.state_at),
        "Region": region,
        "AlarmArn": arn,
        "OldStateValue": before.state,
        "OKActions": list(after.ok_actions),
        "AlarmActions": list(after.alarm_actions),
        "InsufficientDataActions": list(after.insufficient_actions),
    }
    if after.kind == "CompositeAlarm":
        return {**told, "AlarmRule": after.rule}
    return {**told, "Trigger": _trigger(after)}


def _trigger(alarm: Alarm) -> dict[str, Any]:
    trigger: dict[str, Any] = {
        "Period": alarm.period_s,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.missing or "missing",
        "EvaluateLowSampleCountPercentile": alarm.low_samples or "",
    }
    metric = alarm.metric
    if metric is None:
        return {**trigger, "Metrics": _configuration(alarm)["metrics"]}
    statistic: dict[str, Any] = {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": metric.statistic}
    if metric.statistic in SIMPLE:
        statistic = {"StatisticType": "Statistic", "Statistic": metric.statistic.upper()}
    dimensions = [{"value": value, "name": name} for name, value in metric.dimensions]
    return {
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        **statistic,
        "Unit": metric.unit,
        "Dimensions": dimensions,
        **trigger,
    }


def stamp(timestamp: float) -> str:
    """`2026-01-31T12:00:00.000+0000`, as CloudWatch writes times in what it sends."""
    moment = utc(timestamp)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
