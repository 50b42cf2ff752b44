"""Operations on alarms: their lives, their states, their history."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mayfly.clock import Clock, utc
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, operation
from mayfly.services.metrics import alarms as catalog
from mayfly.services.metrics import faults, reading
from mayfly.services.metrics import statements as sql
from mayfly.services.metrics.alarms import Alarms
from mayfly.services.metrics.described import composite, metric_alarm
from mayfly.services.metrics.model import PAGE_ALARMS, Alarm, dimensions_of
from mayfly.store.api import Reader, Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as cw

_BATCH = 200  # alarms read at once


class AlarmOperations:
    """Alarms."""

    def __init__(self, store: Store, clock: Clock, alarms: Alarms) -> None:
        self._store = store
        self._clock = clock
        self._alarms = alarms

    @operation("PutMetricAlarm")
    async def put(self, context: RequestContext, request: "cw.PutMetricAlarmInputTypeDef") -> dict[str, Any]:
        alarm = reading.metric_alarm(request, self._clock.now())
        await self._store.write(lambda tx: self._alarms.put(tx, alarm))
        return {}

    @operation("PutCompositeAlarm")
    async def put_composite(
        self, context: RequestContext, request: "cw.PutCompositeAlarmInputTypeDef"
    ) -> dict[str, Any]:
        alarm = reading.composite_alarm(request, self._clock.now())
        await self._store.write(lambda tx: self._alarms.put(tx, alarm))
        return {}

    @operation("DeleteAlarms")
    async def delete(self, context: RequestContext, request: "cw.DeleteAlarmsInputTypeDef") -> dict[str, Any]:
        await self._store.write(lambda tx: self._alarms.delete(tx, request["AlarmNames"]))
        return {}

    @operation("SetAlarmState")
    async def set_state(self, context: RequestContext, request: "cw.SetAlarmStateInputTypeDef") -> dict[str, Any]:
        def body(tx: Tx) -> None:
            alarm = catalog.existing(tx, request["AlarmName"])
            data = request.get("StateReasonData", "")
            self._alarms.move(tx, alarm, request["StateValue"], request["StateReason"], _checked_json(data))

        await self._store.write(body)
        return {}

    @operation("EnableAlarmActions")
    async def enable(self, context: RequestContext, request: "cw.EnableAlarmActionsInputTypeDef") -> dict[str, Any]:
        return await self._switch(request["AlarmNames"], enabled=True)

    @operation("DisableAlarmActions")
    async def disable(self, context: RequestContext, request: "cw.DisableAlarmActionsInputTypeDef") -> dict[str, Any]:
        return await self._switch(request["AlarmNames"], enabled=False)

    async def _switch(self, names: Any, *, enabled: bool) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            for name in names:
                alarm = catalog.find(tx, name)
                if alarm is not None and alarm.actions_enabled != enabled:
                    self._alarms.rewrite(tx, replace(alarm, actions_enabled=enabled))

        await self._store.write(body)
        return {}

    @operation("DescribeAlarms")
    async def describe(self, context: RequestContext, request: "cw.DescribeAlarmsInputTypeDef") -> dict[str, Any]:
        if "AlarmNames" in request and "AlarmNamePrefix" in request:
            raise faults.validation("AlarmNames and AlarmNamePrefix are mutually exclusive.")
        if "LogAlarm" in request.get("AlarmTypes", ()):
            raise faults.validation("Mayfly does not implement log alarms.")
        kinds = request.get("AlarmTypes", ("MetricAlarm",))
        limit = request.get("MaxRecords", PAGE_ALARMS)
        after = page_tokens.after(request.get("NextToken"), faults.bad_token)

        def fits(reader: Reader, alarm: Alarm) -> bool:
            if "ChildrenOfAlarmName" in request or "ParentsOfAlarmName" in request:
                return True  # whatever its kind
            return (
                alarm.kind in kinds
                and alarm.state == request.get("StateValue", alarm.state)
                and _acts(alarm, request.get("ActionPrefix"))
            )

        def body(reader: Reader) -> list[Alarm]:
            names = _chosen(reader, request)
            if names is not None:
                found = [alarm for name in sorted(names) if name > after and (alarm := catalog.find(reader, name))]
                return [alarm for alarm in found if fits(reader, alarm)][: limit + 1]
            matching: list[Alarm] = []
            place = after
            while len(matching) <= limit:
                page = catalog.page(reader, request.get("AlarmNamePrefix", ""), place, _BATCH)
                matching += [alarm for alarm in page if fits(reader, alarm)]
                if len(page) < _BATCH:
                    break
                place = page[-1].name
            return matching

        found = await self._store.read(body)
        reply: dict[str, Any] = {"MetricAlarms": [], "CompositeAlarms": []}
        for alarm in found[:limit]:
            arn = self._alarms.arn(alarm.name)
            if alarm.kind == "MetricAlarm":
                reply["MetricAlarms"].append(metric_alarm(alarm, arn))
            else:
                reply["CompositeAlarms"].append(composite(alarm, arn))
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(found[limit - 1].name)
        return reply

    @operation("DescribeAlarmsForMetric")
    async def describe_for_metric(
        self, context: RequestContext, request: "cw.DescribeAlarmsForMetricInputTypeDef"
    ) -> dict[str, Any]:
        dimensions = dimensions_of(request.get("Dimensions", ()))
        statistic = request.get("Statistic", request.get("ExtendedStatistic"))

        def fits(alarm: Alarm) -> bool:
            metric = alarm.metric
            if metric is None or (metric.namespace, metric.name) != (request["Namespace"], request["MetricName"]):
                return False
            return (
                metric.dimensions == dimensions
                and metric.statistic == (statistic or metric.statistic)
                and metric.period_s == request.get("Period", metric.period_s)
                and metric.unit == request.get("Unit", metric.unit)
            )

        def body(reader: Reader) -> list[Alarm]:
            found: list[Alarm] = []
            place = ""
            while True:
                page = catalog.page(reader, "", place, _BATCH)
                found += filter(fits, page)
                if len(page) < _BATCH:
                    return found
                place = page[-1].name

        found = await self._store.read(body)
        return {"MetricAlarms": [metric_alarm(alarm, self._alarms.arn(alarm.name)) for alarm in found]}

    @operation("DescribeAlarmHistory")
    async def history(self, context: RequestContext, request: "cw.DescribeAlarmHistoryInputTypeDef") -> dict[str, Any]:
        down = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        limit = request.get("MaxRecords", 100)
        bounds: dict[str, Any] = {
            "since": reading.seconds(request["StartDate"]) if "StartDate" in request else 0.0,
            "until": reading.seconds(request["EndDate"]) if "EndDate" in request else 1e18,
            "alarm": request.get("AlarmName"),
            "limit": 500,
        }
        start = page_tokens.number_after(request.get("NextToken"), faults.bad_token, 2**62 if down else 0)
        one = "AlarmName" in request
        statement = (
            (sql.HISTORY_OF_DOWN if down else sql.HISTORY_OF_UP)
            if one
            else (sql.HISTORY_DOWN if down else sql.HISTORY_UP)
        )
        kinds = request.get("AlarmTypes", ("MetricAlarm",) if not one else ("MetricAlarm", "CompositeAlarm"))

        def body(reader: Reader) -> list[Row]:
            found: list[Row] = []
            after = start
            while len(found) <= limit:
                rows = reader.all(statement, {**bounds, "after": after})
                found += [row for row in rows if row[2] in kinds and row[4] == request.get("HistoryItemType", row[4])]
                if len(rows) < bounds["limit"]:
                    break
                after = rows[-1][0]
            return found

        rows = await self._store.read(body)
        reply: dict[str, Any] = {"AlarmHistoryItems": [_item(row) for row in rows[:limit]]}
        if len(rows) > limit:
            reply["NextToken"] = page_tokens.encode(str(rows[limit - 1][0]))
        return reply


def _chosen(reader: Reader, request: Any) -> set[str] | None:
    if "ChildrenOfAlarmName" in request:
        return set(catalog.children(reader, request["ChildrenOfAlarmName"]))
    if "ParentsOfAlarmName" in request:
        return set(catalog.parents(reader, request["ParentsOfAlarmName"]))
    return set(request["AlarmNames"]) if "AlarmNames" in request else None


def _acts(alarm: Alarm, prefix: str | None) -> bool:
    taken = (*alarm.ok_actions, *alarm.alarm_actions, *alarm.insufficient_actions)
    return prefix is None or any(action.startswith(prefix) for action in taken)


def _item(row: Row) -> dict[str, Any]:
    _, alarm, kind, at, item, summary, data = row
    return {
        "AlarmName": alarm,
        "AlarmType": kind,
        "Timestamp": utc(at),
        "HistoryItemType": item,
        "HistorySummary": summary,
        "HistoryData": data,
    }


def _checked_json(text: str) -> str:
    if text:
        reading.json_object(text)
    return text
