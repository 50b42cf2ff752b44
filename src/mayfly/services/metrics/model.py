"""The nouns of metrics and alarms, and the limits that CloudWatch documents."""

from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from mayfly.policy.alarms import State
from mayfly.policy.quantiles import Sketch

MAX_DATA: Final = 1000  # of one PutMetricData
MAX_VALUES: Final = 150  # of one datum
OLDEST_S: Final = 14 * 86_400  # data may be that old,
NEWEST_S: Final = 2 * 3600  # or that far ahead
MAX_MAGNITUDE: Final = 2.0**360
MAX_STATISTICS_POINTS: Final = 1440  # of one GetMetricStatistics
MAX_DATA_POINTS: Final = 100_800  # of one page of GetMetricData
MAX_QUERIES: Final = 500
PAGE_METRICS: Final = 500
PAGE_ALARMS: Final = 50
HISTORY_S: Final = 30 * 86_400  # that the history of an alarm is kept
ACTIVE_S: Final = 3 * 3600  # a series is recently active for that long
FORGOTTEN_S: Final = 14 * 86_400  # ListMetrics leaves out what was silent for that long
# Points of each span are kept for so long, and are then joined into those of the next.
SPANS: Final = ((1, 3 * 3600), (60, 15 * 86_400), (300, 63 * 86_400), (3600, 455 * 86_400))

AlarmKind = Literal["MetricAlarm", "CompositeAlarm"]
Dimensions = tuple[tuple[str, str], ...]  # sorted by name


class Datum(NamedTuple):
    """Numbers measured at one time."""

    namespace: str
    name: str
    dimensions: Dimensions
    unit: str
    at: int  # Unix seconds
    high_resolution: bool
    samples: float
    total: float
    minimum: float
    maximum: float
    sketch: Sketch | None  # None: percentiles are not known


class Point(NamedTuple):
    """What one series measured from `at` on, for the span that it was kept with."""

    unit: str
    at: int
    span_s: int
    samples: float
    total: float
    minimum: float
    maximum: float
    sketch: Sketch | None


class Metric(Struct, frozen=True):
    """What an alarm or a query asks for: a statistic of a metric over periods."""

    namespace: str
    name: str
    dimensions: Dimensions
    period_s: int
    statistic: str  # "Average", "p99", ...
    unit: str | None = None


class Query(Struct, frozen=True):
    """One element of MetricDataQueries: a metric or an expression."""

    id: str
    metric: Metric | None = None
    expression: str = ""
    label: str = ""
    returns: bool = True
    period_s: int | None = None  # of an expression without metrics


class Alarm(Struct, frozen=True):
    """An alarm as it is stored; all that DescribeAlarms tells."""

    name: str
    kind: AlarmKind
    revision: int  # rises with every change of configuration or state
    updated_at: float  # configuration
    state: State
    state_reason: str
    state_reason_data: str
    state_at: float  # the last time that state or reason was set
    transition_at: float
    description: str | None = None
    actions_enabled: bool = True
    ok_actions: tuple[str, ...] = ()
    alarm_actions: tuple[str, ...] = ()
    insufficient_actions: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    # Metric alarms.
    metric: Metric | None = None
    queries: tuple[Query, ...] = ()
    comparison: str = ""
    threshold: float = 0.0
    evaluation_periods: int = 1
    datapoints_to_alarm: int | None = None
    missing: str | None = None
    low_samples: str | None = None
    # Composite alarms.
    rule: str = ""

    @property
    def period_s(self) -> int:
        """Of the datapoints that the alarm is about."""
        if self.metric is not None:
            return self.metric.period_s
        periods = [q.metric.period_s if q.metric is not None else q.period_s or 0 for q in self.queries]
        return max([*periods, 0]) or 60

    def actions(self) -> tuple[str, ...]:
        """What is to be told of the state that the alarm is in."""
        if not self.actions_enabled:
            return ()
        return {
            "OK": self.ok_actions,
            "ALARM": self.alarm_actions,
            "INSUFFICIENT_DATA": self.insufficient_actions,
        }[self.state]


def dimensions_of(given: list[dict[str, Any]] | Any) -> Dimensions:
    """Dimensions in the order that makes equal ones equal."""
    return tuple(sorted((one["Name"], one["Value"]) for one in given))
