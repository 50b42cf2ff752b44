"""Queries answered: series of metrics and of expressions over them, for GetMetricData and for alarms."""

from collections.abc import Mapping, Sequence

from mayfly.services.metrics import expressions, faults, series, statistics
from mayfly.services.metrics.expressions import Series
from mayfly.services.metrics.model import Metric, Query
from mayfly.store.api import Reader


def of_metric(reader: Reader, metric: Metric, since: int, until: int) -> Series:
    """The statistic of a metric by period, in [since, until); periods without data are left out."""
    place = (metric.namespace, metric.name, metric.dimensions)
    points = series.read(reader, place, since, until, metric.unit)
    found = statistics.by_period(points, since, metric.period_s)
    values = ((period.at, period.value(metric.statistic)) for period in found)
    return {at: value for at, value in values if value is not None}


def answer(reader: Reader, queries: Sequence[Query], since: int, until: int) -> Mapping[str, Series]:
    """The series of every query by its id; `ServiceError` for an expression that cannot be worked out."""
    found: dict[str, Series] = {}
    waiting = {query.id: query for query in queries}
    metrics: dict[str, Series] = {}
    for query in queries:
        if query.metric is not None:
            start = since - since % query.metric.period_s
            found[query.id] = metrics[query.id] = of_metric(reader, query.metric, start, until)
            del waiting[query.id]
    while waiting:
        ready = [query for query in waiting.values() if not expressions.names(query.expression) & waiting.keys()]
        if not ready:
            raise faults.validation(f"The expressions {', '.join(sorted(waiting))} refer to each other in a circle.")
        for query in ready:
            period_s = period_of(query, queries)
            times = range(since - since % period_s, until, period_s)
            # METRICS() means the metrics alone; other expressions are known by their ids.
            known = {**metrics, **{id_: found[id_] for id_ in expressions.names(query.expression) & found.keys()}}
            found[query.id] = expressions.evaluate(query.expression, known, times, period_s)
            del waiting[query.id]
    return found


def period_of(query: Query, queries: Sequence[Query]) -> int:
    """The period of a query: its own, or for an expression the longest of the metrics beside it."""
    if query.metric is not None:
        return query.metric.period_s
    return query.period_s or max([q.metric.period_s for q in queries if q.metric is not None], default=60)
