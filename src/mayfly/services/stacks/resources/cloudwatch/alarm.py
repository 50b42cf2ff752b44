"""AWS::CloudWatch::Alarm: an alarm on a metric or on an expression over metrics."""

from mayfly.services.stacks.resources.cloudwatch.alarms import ACTIONS, AnyAlarm
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, NUMBER, STRING, Items, Refused, fields

_DIMENSIONS = Items(fields("Name Value", Name=STRING, Value=STRING))
_METRIC = fields(Dimensions=_DIMENSIONS, MetricName=STRING, Namespace=STRING)
_QUERY = fields(
    "Id",
    AccountId=STRING,
    Expression=STRING,
    Id=STRING,
    Label=STRING,
    MetricStat=fields("Metric Period Stat", Metric=_METRIC, Period=INTEGER, Stat=STRING, Unit=STRING),
    Period=INTEGER,
    ReturnData=BOOLEAN,
)
_PROMETHEUS = Refused("Mayfly does not evaluate queries of Prometheus.")


class Alarm(AnyAlarm):
    name = "AWS::CloudWatch::Alarm"
    operation = "PutMetricAlarm"
    member = "MetricAlarms"
    schema = fields(
        "ComparisonOperator EvaluationPeriods",
        **ACTIONS,
        ComparisonOperator=STRING,
        DatapointsToAlarm=INTEGER,
        Dimensions=_DIMENSIONS,
        EvaluateLowSampleCountPercentile=STRING,
        EvaluationCriteria=_PROMETHEUS,
        EvaluationInterval=_PROMETHEUS,
        EvaluationPeriods=INTEGER,
        EvaluationWindow=Refused("Periods of alarms follow one another by the clock."),
        ExtendedStatistic=STRING,
        MetricName=STRING,
        Metrics=Items(_QUERY),
        Namespace=STRING,
        Period=INTEGER,
        Statistic=STRING,
        Threshold=NUMBER,
        ThresholdMetricId=Refused("Bands are learnt by AWS; Mayfly compares with numbers."),
        TreatMissingData=STRING,
        Unit=STRING,
        WarmUpConfiguration=Refused("Alarms are evaluated from the beginning."),
    )
