"""Operations on metrics: data in, statistics out."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock, utc
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, operation
from mayfly.services.metrics import faults, questions, reading, series, statistics
from mayfly.services.metrics import statements as sql
from mayfly.services.metrics.model import (
    ACTIVE_S,
    FORGOTTEN_S,
    MAX_DATA,
    MAX_DATA_POINTS,
    MAX_STATISTICS_POINTS,
    PAGE_METRICS,
    Point,
    dimensions_of,
)
from mayfly.store.api import Reader, Row, Store

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as cw

# What readers wait for, so that they see what was measured before they asked.
Settle = Callable[[], Awaitable[None]]


class DataOperations:
    """Metrics."""

    def __init__(self, store: Store, clock: Clock, settle: Settle) -> None:
        self._store = store
        self._clock = clock
        self._settle = settle

    @operation("PutMetricData")
    async def put(self, context: RequestContext, request: "cw.PutMetricDataInputTypeDef") -> dict[str, Any]:
        found = list(reading.data(request, self._clock.now()))
        if len(found) > MAX_DATA:
            raise faults.invalid(f"The collection MetricData must not have a size greater than {MAX_DATA}.")
        await self._store.write(lambda tx: series.record(tx, found))
        return {}

    @operation("ListMetrics")
    async def list(self, context: RequestContext, request: "cw.ListMetricsInputTypeDef") -> dict[str, Any]:
        await self._settle()
        since = int(self._clock.now()) - (ACTIVE_S if "RecentlyActive" in request else FORGOTTEN_S)
        wanted = [(one["Name"], one.get("Value")) for one in request.get("Dimensions", ())]
        only = request.get("Namespace")
        after = page_tokens.places(request.get("NextToken"), 3, faults.bad_token)

        def fits(row: Row) -> bool:
            has = dict(json.loads(row[2]))
            named = "MetricName" not in request or row[1] == request["MetricName"]
            return named and all(name in has and value in (None, has[name]) for name, value in wanted)

        def body(reader: Reader) -> list[Row]:
            found: list[Row] = []
            place = after
            while len(found) <= PAGE_METRICS:
                keys = dict(zip(("namespace", "name", "dimensions"), place, strict=True))
                bounds = {**keys, "since": since, "limit": PAGE_METRICS, "only": only}
                statement = sql.LIST_SERIES if only is None else sql.LIST_SERIES_OF_NAMESPACE
                rows = reader.all(statement, bounds)
                found += filter(fits, rows)
                if len(rows) < PAGE_METRICS:
                    break
                place = [str(part) for part in rows[-1][:3]]
            return found

        rows = await self._store.read(body)
        reply: dict[str, Any] = {"Metrics": [_listed(row) for row in rows[:PAGE_METRICS]]}
        if len(rows) > PAGE_METRICS:
            reply["NextToken"] = page_tokens.encode(*rows[PAGE_METRICS - 1][:3])
        return reply

    @operation("GetMetricStatistics")
    async def statistics(
        self, context: RequestContext, request: "cw.GetMetricStatisticsInputTypeDef"
    ) -> dict[str, Any]:
        period_s = statistics.check_period(request["Period"])
        simple, extended = request.get("Statistics", ()), request.get("ExtendedStatistics", ())
        if not simple and not extended:
            raise faults.combination("At least one of the parameters ExtendedStatistics and Statistics is needed.")
        for name in (*simple, *extended):
            statistics.check(name)
        since, until = reading.span(request["StartTime"], request["EndTime"])
        since -= since % period_s
        asked = -(-(until - since) // period_s)
        if asked > MAX_STATISTICS_POINTS:
            raise faults.combination(
                f"You have requested up to {asked:,} datapoints, which exceeds the limit of {MAX_STATISTICS_POINTS:,}. "
                "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        await self._settle()
        metric = (request["Namespace"], request["MetricName"], dimensions_of(request.get("Dimensions", ())))
        points = await self._store.read(lambda reader: series.read(reader, metric, since, until, request.get("Unit")))
        return {
            "Label": request["MetricName"],
            "Datapoints": [
                datapoint
                for unit in sorted({point.unit for point in points})
                for datapoint in _datapoints([p for p in points if p.unit == unit], since, period_s, simple, extended)
            ],
        }

    @operation("GetMetricData")
    async def data(self, context: RequestContext, request: "cw.GetMetricDataInputTypeDef") -> dict[str, Any]:
        asked = reading.queries(request["MetricDataQueries"])
        since, until = reading.data_span(request["StartTime"], request["EndTime"])
        limit = min(request.get("MaxDatapoints", MAX_DATA_POINTS), MAX_DATA_POINTS)
        begin = page_tokens.number_after(request.get("NextToken"), faults.bad_token)
        await self._settle()
        found = await self._store.read(lambda reader: questions.answer(reader, asked, since, until))
        descending = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        results, passed, left = [], 0, limit
        for query in asked:
            if not query.returns:
                continue
            label = query.label or (query.metric.name if query.metric is not None else query.id)
            rows = sorted(found[query.id].items(), reverse=descending)
            # A page is a stretch of all datapoints in the order of queries.
            page = rows[max(0, begin - passed) :][: max(0, left)] if begin < passed + len(rows) or not rows else []
            complete = passed + len(rows) <= begin + limit
            passed += len(rows)
            left -= len(page)
            results.append(
                {
                    "Id": query.id,
                    "Label": label,
                    "Timestamps": [utc(at) for at, _ in page],
                    "Values": [value for _, value in page],
                    "StatusCode": "Complete" if complete else "PartialData",
                }
            )
        reply: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
        if passed > begin + limit:
            reply["NextToken"] = page_tokens.encode(str(begin + limit))
        return reply


def _listed(row: Row) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in json.loads(row[2])]
    return {"Namespace": row[0], "MetricName": row[1], "Dimensions": dimensions}


def _datapoints(
    points: list[Point], since: int, period_s: int, simple: "list[Any] | tuple[Any, ...] | Any", extended: Any
) -> list[dict[str, Any]]:
    found = []
    for period in statistics.by_period(points, since, period_s):
        datapoint: dict[str, Any] = {"Timestamp": utc(period.at), "Unit": points[0].unit}
        datapoint |= {name: period.value(name) for name in simple}
        known = {name: value for name in extended if (value := period.value(name)) is not None}
        if known:
            datapoint["ExtendedStatistics"] = known
        if simple or known:
            found.append(datapoint)
    return found
