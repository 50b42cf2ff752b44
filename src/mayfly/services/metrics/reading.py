"""What requests say, checked and in the nouns of `model`: data to record, metrics asked for, alarms to make."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mayfly.policy.alarms import COMPARISONS
from mayfly.policy.quantiles import Sketch, bucket, merge
from mayfly.services.contract import ServiceError
from mayfly.services.metrics import expressions, faults, statistics
from mayfly.services.metrics.model import (
    MAX_MAGNITUDE,
    MAX_QUERIES,
    MAX_VALUES,
    NEWEST_S,
    OLDEST_S,
    Alarm,
    Datum,
    Metric,
    Query,
    dimensions_of,
)
from mayfly.services.ports import Measured

_QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_MISSING = ("breaching", "notBreaching", "ignore", "missing")
_ACTIONS = re.compile(
    r"arn:aws:(?:lambda:[^:]*:[^:]*:function:.+|sns:[^:]*:[^:]*:.+|autoscaling:[^:]*:[^:]*:scalingPolicy:.+)"
)
MAX_ALARM_SPAN_S = 7 * 86_400


def data(request: Mapping[str, Any], now: float) -> Iterator[Datum]:
    """The data of PutMetricData; `ServiceError` for the first that breaks a rule."""
    namespace = request["Namespace"]
    if namespace.startswith("AWS/"):
        raise faults.invalid(
            "The value AWS/ for parameter Namespace is invalid: it is reserved for metrics of the platform."
        )
    told = list(request.get("MetricData", ()))
    for one in request.get("EntityMetricData", ()):
        told += one.get("MetricData", ())
    if not told:
        raise faults.missing("The parameter MetricData is required.")
    for number, datum in enumerate(told, 1):
        yield _datum(namespace, datum, f"MetricData.member.{number}", now)


def measured(found: Measured) -> Datum:
    """What the platform measured on behalf of a user, as data."""
    sketch: Sketch = {}
    for value in found.values:
        merge(sketch, {bucket(value): 1.0})
    return Datum(
        found.namespace,
        found.name,
        found.dimensions,
        found.unit,
        found.at,
        False,
        float(len(found.values)),
        sum(found.values),
        min(found.values),
        max(found.values),
        sketch,
    )


def _datum(namespace: str, told: Mapping[str, Any], where: str, now: float) -> Datum:
    at = told["Timestamp"].timestamp() if "Timestamp" in told else now
    if not now - OLDEST_S <= at <= now + NEWEST_S:
        raise faults.invalid(
            f"The parameter {where}.Timestamp must specify a time no more than two weeks before and no more than two "
            "hours after the current time."
        )
    dimensions = told.get("Dimensions", ())
    if len({one["Name"] for one in dimensions}) != len(dimensions):
        raise faults.invalid(f"No Dimension name can be repeated in {where}.Dimensions.")
    samples, total, minimum, maximum, sketch = _figures(told, where)
    resolution = told.get("StorageResolution", 60)
    if resolution not in (1, 60):
        raise faults.invalid(f"The parameter {where}.StorageResolution must be 1 or 60.")
    return Datum(
        namespace,
        told["MetricName"],
        dimensions_of(dimensions),
        told.get("Unit", "None"),
        int(at),
        resolution == 1,
        samples,
        total,
        minimum,
        maximum,
        sketch,
    )


def _figures(told: Mapping[str, Any], where: str) -> tuple[float, float, float, float, Sketch | None]:
    given = [name for name in ("Value", "Values", "StatisticValues") if name in told]
    if len(given) != 1:
        wanted = "exactly one of Value, Values and StatisticValues"
        raise faults.combination(f"{where} must have {wanted}" + (f", not {' and '.join(given)}." if given else "."))
    if "StatisticValues" in told:
        return _statistic_set(told["StatisticValues"], where)
    values = [_finite(value, where) for value in (told["Values"] if "Values" in told else [told["Value"]])]
    counts = told.get("Counts", [1.0] * len(values))
    if len(values) > MAX_VALUES or not values:
        raise faults.invalid(f"The array {where}.Values must have 1 to {MAX_VALUES} elements.")
    if len(counts) != len(values):
        raise faults.invalid(f"The arrays {where}.Values and {where}.Counts must be of the same length.")
    if any(not 0 < count < MAX_MAGNITUDE for count in counts):
        raise faults.invalid(f"The counts of {where}.Counts must be greater than zero.")
    sketch: Sketch = {}
    for value, count in zip(values, counts, strict=True):
        merge(sketch, {bucket(value): float(count)})
    total = math.fsum(value * count for value, count in zip(values, counts, strict=True))
    return float(sum(counts)), total, min(values), max(values), sketch


def _statistic_set(told: Mapping[str, Any], where: str) -> tuple[float, float, float, float, Sketch | None]:
    samples, total, minimum, maximum = (
        _finite(told[name], where) for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if samples <= 0 or minimum > maximum:
        raise faults.invalid(f"{where}.StatisticValues must have samples, and a minimum below its maximum.")
    # CloudWatch knows percentiles of a set only where it says what every value was.
    known = samples == 1 or minimum == maximum
    return samples, total, minimum, maximum, {bucket(minimum): samples} if known else None


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value) or abs(value) > MAX_MAGNITUDE:
        raise faults.invalid(f"The value {value} for {where} must be a number from -2^360 to 2^360.")
    return float(value)


def metric(told: Mapping[str, Any]) -> Metric:
    """A MetricStat."""
    named = told["Metric"]
    if not named.get("Namespace") or not named.get("MetricName"):
        raise faults.validation("A Metric must have a Namespace and a MetricName.")
    return Metric(
        named["Namespace"],
        named["MetricName"],
        dimensions_of(named.get("Dimensions", ())),
        statistics.check_period(told["Period"]),
        statistics.check(told["Stat"]),
        told.get("Unit"),
    )


def queries(told: Sequence[Mapping[str, Any]]) -> tuple[Query, ...]:
    """MetricDataQueries."""
    if not 1 <= len(told) <= MAX_QUERIES:
        raise faults.validation(f"MetricDataQueries must have 1 to {MAX_QUERIES} elements.")
    found = tuple(_query(one) for one in told)
    if len({query.id for query in found}) != len(found):
        raise faults.validation("The values for parameter id in MetricDataQueries must be unique.")
    return found


def _query(told: Mapping[str, Any]) -> Query:
    if not _QUERY_ID.fullmatch(told["Id"]):
        raise faults.validation(
            f"The value {told['Id']} for parameter Id must be a lowercase letter, then letters, digits and _."
        )
    if ("MetricStat" in told) == ("Expression" in told):
        raise faults.validation(f"The query {told['Id']} must have either a MetricStat or an Expression.")
    period_s = statistics.check_period(told["Period"]) if "Period" in told else None
    return Query(
        told["Id"],
        metric(told["MetricStat"]) if "MetricStat" in told else None,
        told.get("Expression", ""),
        told.get("Label", ""),
        told.get("ReturnData", True),
        period_s,
    )


def metric_alarm(request: Mapping[str, Any], now: float) -> Alarm:
    """The alarm that PutMetricAlarm asks for; `ServiceError` ValidationError and the like."""
    _refuse(request, ("EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria", "EvaluationInterval"))
    _refuse(request, ("ThresholdMetricId", "ActionConfiguration"))
    comparison = request.get("ComparisonOperator")
    if comparison is None:
        raise faults.missing("The parameter ComparisonOperator is required.")
    if comparison not in COMPARISONS:
        raise faults.validation(
            f"Mayfly does not implement anomaly detection, which {comparison} belongs to; the operators of static "
            f"thresholds are {', '.join(COMPARISONS)}."
        )
    if "Threshold" not in request:
        raise faults.validation("The parameter Threshold is required for an alarm with a static threshold.")
    periods = request.get("EvaluationPeriods")
    if periods is None:
        raise faults.missing("The parameter EvaluationPeriods is required.")
    needed = request.get("DatapointsToAlarm")
    if needed is not None and needed > periods:
        raise faults.validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    missing = request.get("TreatMissingData")
    if missing is not None and missing not in _MISSING:
        raise faults.validation(f"Option {missing} is not supported. Supported options are {', '.join(_MISSING)}.")
    alarm = Alarm(
        **_common(request, now),
        kind="MetricAlarm",
        metric=None if "Metrics" in request else _simple_metric(request),
        queries=_alarm_queries(request),
        comparison=comparison,
        threshold=float(request["Threshold"]),
        evaluation_periods=periods,
        datapoints_to_alarm=needed,
        missing=missing,
        low_samples=request.get("EvaluateLowSampleCountPercentile"),
    )
    limit = MAX_ALARM_SPAN_S if alarm.period_s >= 3600 else 86_400
    if alarm.period_s * periods > limit:
        raise faults.validation(
            f"Metrics cannot be checked across more than {limit // 86_400} days (EvaluationPeriods * Period must be <= "
            f"{limit})."
        )
    return alarm


def composite_alarm(request: Mapping[str, Any], now: float) -> Alarm:
    """The alarm that PutCompositeAlarm asks for; its rule is read by whoever stores it."""
    _refuse(request, ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"))
    _refuse(request, ("ActionConfiguration",))
    return Alarm(**_common(request, now), kind="CompositeAlarm", rule=request["AlarmRule"])


def _common(request: Mapping[str, Any], now: float) -> dict[str, Any]:
    actions = {
        "ok_actions": tuple(request.get("OKActions", ())),
        "alarm_actions": tuple(request.get("AlarmActions", ())),
        "insufficient_actions": tuple(request.get("InsufficientDataActions", ())),
    }
    for action in [one for told in actions.values() for one in told]:
        if not _ACTIONS.fullmatch(action):
            raise faults.validation(
                f"Invalid arn syntax: {action}. Mayfly takes functions, topics and scaling policies as actions."
            )
    return {
        "name": request["AlarmName"],
        "revision": 1,
        "updated_at": now,
        "state": "INSUFFICIENT_DATA",
        "state_reason": "Unchecked: Initial alarm creation",
        "state_reason_data": "",
        "state_at": now,
        "transition_at": now,
        "description": request.get("AlarmDescription"),
        "actions_enabled": request.get("ActionsEnabled", True),
        "tags": {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())},
        **actions,
    }


def _simple_metric(request: Mapping[str, Any]) -> Metric:
    for name in ("MetricName", "Namespace", "Period"):
        if name not in request:
            raise faults.missing(f"The parameter {name} is required for an alarm without Metrics.")
    named = [name for name in ("Statistic", "ExtendedStatistic") if name in request]
    if len(named) != 1:
        raise faults.combination("Exactly one of Statistic and ExtendedStatistic must be given.")
    if "EvaluateLowSampleCountPercentile" in request and request["EvaluateLowSampleCountPercentile"] not in (
        "evaluate",
        "ignore",
    ):
        raise faults.validation("EvaluateLowSampleCountPercentile must be evaluate or ignore.")
    period_s = request["Period"]
    if period_s not in (10, 20, 30) and period_s % 60:
        raise faults.validation("Period must be 10, 20, 30, or a multiple of 60.")
    return Metric(
        request["Namespace"],
        request["MetricName"],
        dimensions_of(request.get("Dimensions", ())),
        period_s,
        statistics.check(request[named[0]]),
        request.get("Unit"),
    )


def _alarm_queries(request: Mapping[str, Any]) -> tuple[Query, ...]:
    if "Metrics" not in request:
        return ()
    clashing = [name for name in ("MetricName", "Namespace", "Statistic", "Period", "Dimensions") if name in request]
    if clashing:
        raise faults.combination(f"{', '.join(clashing)} cannot be given together with Metrics.")
    found = queries(request["Metrics"])
    if sum(query.returns for query in found) != 1:
        raise faults.validation("Exactly one element of the metrics list should return data.")
    for query in found:
        unknown = expressions.names(query.expression) - {other.id for other in found}
        if unknown:
            raise faults.validation(
                f"Error in expression '{query.id}': {', '.join(sorted(unknown))} is not the id of a metric."
            )
    return found


def _refuse(request: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if name in request:
            raise faults.validation(f"Mayfly does not implement {name} of alarms.")


def seconds(moment: datetime | str) -> float:
    """Unix seconds of a time, which the wire has parsed."""
    assert isinstance(moment, datetime)
    return moment.timestamp()


def span(start: datetime | str, end: datetime | str) -> tuple[int, int]:
    """Start and end of a question for statistics, in Unix seconds; `ServiceError` unless the start comes first."""
    since, until = int(seconds(start)), math.ceil(seconds(end))
    if since >= until:
        raise faults.invalid("The parameter StartTime must be less than the parameter EndTime.")
    return since, until


def data_span(start: datetime | str, end: datetime | str) -> tuple[int, int]:
    """The same for GetMetricData, which has another error, and words of its own for times that are equal."""
    since, until = int(seconds(start)), math.ceil(seconds(end))
    if since == until:
        raise faults.validation("The parameter StartTime must not equal parameter EndTime.")
    if since > until:
        raise faults.validation("The parameter StartTime must be less than the parameter EndTime.")
    return since, until


def json_object(text: str) -> None:
    """`ServiceError` InvalidFormat unless `text` is JSON."""
    try:
        json.loads(text)
    except ValueError as error:
        raise ServiceError("InvalidFormat", "StateReasonData was not syntactically valid JSON.") from error
