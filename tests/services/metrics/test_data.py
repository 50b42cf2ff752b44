"""Data in, statistics out."""

from datetime import timedelta
from typing import Any

import pytest

from mayfly.clock import utc
from mayfly.services import page_tokens

from .conftest import MINUTE, Metrics


async def asked(metrics: Metrics, *statistics: str, period: int = 60, minutes: int = 10, **more: Any) -> list[Any]:
    now = utc(metrics.clock.now())
    simple = [name for name in statistics if name[0] != "p"]
    extended = [name for name in statistics if name[0] == "p"]
    request = {
        "Namespace": "Tests",
        "MetricName": "Load",
        "StartTime": now - timedelta(minutes=minutes),
        "EndTime": now + timedelta(minutes=1),
        "Period": period,
        **({"Statistics": simple} if simple else {}),
        **({"ExtendedStatistics": extended} if extended else {}),
        **more,
    }
    found: list[Any] = (await metrics.call("GetMetricStatistics", **request))["Datapoints"]
    return found


async def test_statistics_are_those_of_all_values_of_a_period(metrics: Metrics) -> None:
    await metrics.put(1, 2)
    await metrics.put(6)
    metrics.clock.advance(60)
    await metrics.put(10)
    first, second = await asked(metrics, "SampleCount", "Sum", "Average", "Minimum", "Maximum")
    assert (first["SampleCount"], first["Sum"], first["Average"], first["Minimum"], first["Maximum"]) == (3, 9, 3, 1, 6)
    assert second["Sum"] == 10
    assert second["Timestamp"] - first["Timestamp"] == timedelta(minutes=1)
    assert first["Unit"] == "None"


async def test_percentiles_come_from_values_over_several_writes(metrics: Metrics) -> None:
    for value in range(1, 101):
        await metrics.put(float(value))
    (found,) = await asked(metrics, "p50", "p99", "p100")
    known = found["ExtendedStatistics"]
    assert known["p50"] == pytest.approx(50, rel=0.011)
    assert known["p99"] == pytest.approx(99, rel=0.011)
    assert known["p100"] == 100


async def test_percentiles_are_not_made_up_for_statistic_sets(metrics: Metrics) -> None:
    values = {"SampleCount": 3, "Sum": 9, "Minimum": 1, "Maximum": 6}
    data = [{"MetricName": "Load", "StatisticValues": values}]
    await metrics.call("PutMetricData", Namespace="Tests", MetricData=data)
    assert await asked(metrics, "p50") == []
    (found,) = await asked(metrics, "Average", "p50")
    assert found["Average"] == 3
    assert "ExtendedStatistics" not in found


async def test_values_and_counts_are_many_samples_in_one_datum(metrics: Metrics) -> None:
    data = [{"MetricName": "Load", "Values": [1.0, 5.0], "Counts": [3.0, 1.0]}]
    await metrics.call("PutMetricData", Namespace="Tests", MetricData=data)
    (found,) = await asked(metrics, "SampleCount", "Average")
    assert (found["SampleCount"], found["Average"]) == (4, 2)


async def test_units_are_kept_apart_and_can_be_asked_for(metrics: Metrics) -> None:
    await metrics.put(1, Unit="Seconds")
    await metrics.put(1000, Unit="Milliseconds")
    assert [point["Unit"] for point in await asked(metrics, "Sum")] == ["Milliseconds", "Seconds"]
    assert [point["Sum"] for point in await asked(metrics, "Sum", Unit="Seconds")] == [1]


async def test_the_order_of_dimensions_does_not_matter(metrics: Metrics) -> None:
    one, two = {"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}
    await metrics.put(1, Dimensions=[one, two])
    await metrics.put(2, Dimensions=[two, one])
    (found,) = await asked(metrics, "Sum", Dimensions=[two, one])
    assert found["Sum"] == 3
    assert await asked(metrics, "Sum") == []


async def test_seconds_are_kept_where_asked_for(metrics: Metrics) -> None:
    for second in range(3):
        await metrics.put(second, StorageResolution=1)
        metrics.clock.advance(1)
    assert [point["Sum"] for point in await asked(metrics, "Sum", period=1, minutes=1)] == [0, 1, 2]
    (minute,) = await asked(metrics, "Sum", period=60)
    assert minute["Sum"] == 3


async def test_metrics_are_listed_in_pages_and_by_their_dimensions(metrics: Metrics) -> None:
    for start in range(0, 1200, 300):
        data = [
            {"MetricName": "Load", "Value": 1.0, "Dimensions": [{"Name": "host", "Value": f"{number:05}"}]}
            for number in range(start, start + 300)
        ]
        await metrics.call("PutMetricData", Namespace="Tests", MetricData=data)
    await metrics.put(1, name="Other")
    found: list[Any] = []
    request: dict[str, Any] = {"Namespace": "Tests", "MetricName": "Load"}
    while True:
        page = await metrics.call("ListMetrics", **request)
        assert len(page["Metrics"]) <= 500
        found += page["Metrics"]
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]
    assert [one["Dimensions"][0]["Value"] for one in found] == [f"{number:05}" for number in range(1200)]
    (one,) = (await metrics.call("ListMetrics", Dimensions=[{"Name": "host", "Value": "00007"}]))["Metrics"]
    assert one["Namespace"] == "Tests"
    assert (await metrics.refused("ListMetrics", NextToken="?")).code == "InvalidNextToken"


async def test_metrics_that_were_silent_for_hours_are_not_recently_active(metrics: Metrics) -> None:
    await metrics.put(1)
    assert len((await metrics.call("ListMetrics", RecentlyActive="PT3H"))["Metrics"]) == 1
    metrics.clock.advance(4 * 3600)
    assert (await metrics.call("ListMetrics", RecentlyActive="PT3H"))["Metrics"] == []
    assert len((await metrics.call("ListMetrics"))["Metrics"]) == 1


def queried(metrics: Metrics, *queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    now = utc(metrics.clock.now())
    span = {"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=1)}
    return {"MetricDataQueries": list(queries), "ScanBy": "TimestampAscending", **span, **more}


def stat(id_: str, name: str, stat: str = "Sum", **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "Tests", "MetricName": name}
    return {"Id": id_, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}


async def test_a_question_that_ends_before_it_begins_is_refused_in_each_operations_own_words(metrics: Metrics) -> None:
    now = utc(metrics.clock.now())
    early = now - timedelta(minutes=1)
    for end, words in ((early, "must be less than the parameter EndTime"), (now, "must not equal parameter EndTime")):
        error = await metrics.refused(
            "GetMetricData", **queried(metrics, stat("a", "Load"), StartTime=now, EndTime=end)
        )
        assert (error.code, error.message) == ("ValidationError", f"The parameter StartTime {words}.")
    asked = {"Namespace": "Tests", "MetricName": "Load", "Period": 60, "Statistics": ["Sum"]}
    error = await metrics.refused("GetMetricStatistics", StartTime=now, EndTime=early, **asked)
    assert error.code == "InvalidParameterValueException"


async def test_expressions_work_minute_by_minute(metrics: Metrics) -> None:
    for errors, calls in ((1, 4), (0, 0), (3, 6)):
        await metrics.put(errors, name="Errors")
        await metrics.put(calls, name="Calls")
        metrics.clock.advance(60)
    request = queried(
        metrics,
        stat("e", "Errors", ReturnData=False),
        stat("c", "Calls", ReturnData=False),
        {"Id": "rate", "Expression": "100 * e / c", "Label": "error rate"},
        {"Id": "filled", "Expression": "FILL(rate, 0)"},
        {"Id": "all", "Expression": "SUM(METRICS())"},
    )
    rate, filled, every = (await metrics.call("GetMetricData", **request))["MetricDataResults"]
    assert (rate["Label"], rate["Values"]) == ("error rate", [25.0, 50.0])
    assert [value for value in filled["Values"] if value] == [25.0, 50.0]
    assert len(filled["Values"]) == 11
    assert every["Values"] == [5, 0, 9]


async def test_data_comes_in_pages_over_all_queries(metrics: Metrics) -> None:
    for _ in range(3):
        await metrics.put(1, name="A")
        await metrics.put(2, name="B")
        metrics.clock.advance(60)
    seen: dict[str, list[float]] = {"a": [], "b": []}
    token: dict[str, Any] = {}
    for _ in range(3):
        reply = await metrics.call(
            "GetMetricData", **queried(metrics, stat("a", "A"), stat("b", "B"), MaxDatapoints=2, **token)
        )
        for result in reply["MetricDataResults"]:
            seen[result["Id"]] += result["Values"]
        token = {"NextToken": reply["NextToken"]} if "NextToken" in reply else {}
    assert token == {}
    assert seen == {"a": [1, 1, 1], "b": [2, 2, 2]}


@pytest.mark.parametrize("token", ["x", page_tokens.encode("x"), page_tokens.encode("1", "2")])
async def test_tokens_that_nobody_made_are_refused(metrics: Metrics, token: str) -> None:
    error = await metrics.refused("GetMetricData", **queried(metrics, stat("a", "A"), NextToken=token))
    assert error.code == "InvalidNextToken"


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({"Value": float("nan")}, "InvalidParameterValueException"),
        ({"Value": 1e300}, "InvalidParameterValueException"),
        ({}, "InvalidParameterCombinationException"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombinationException"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValueException"),
        ({"Value": 1.0, "Timestamp": utc(MINUTE - 15 * 86_400)}, "InvalidParameterValueException"),
        ({"Value": 1.0, "Timestamp": utc(MINUTE + 3 * 3600)}, "InvalidParameterValueException"),
        ({"Value": 1.0, "StorageResolution": 7}, "InvalidParameterValueException"),
        ({"Value": 1.0, "Dimensions": [{"Name": "a", "Value": "1"}] * 2}, "InvalidParameterValueException"),
    ],
)
async def test_bad_data_is_refused_whole(metrics: Metrics, datum: dict[str, Any], code: str) -> None:
    data = [{"MetricName": "Load", "Value": 1.0}, {"MetricName": "Load", **datum}]
    error = await metrics.refused("PutMetricData", Namespace="Tests", MetricData=data)
    assert error.code == code
    assert "MetricData.member.2" in error.message
    assert await asked(metrics, "Sum") == []


async def test_the_namespace_of_the_platform_is_reserved(metrics: Metrics) -> None:
    data = [{"MetricName": "Load", "Value": 1.0}]
    error = await metrics.refused("PutMetricData", Namespace="AWS/Lambda", MetricData=data)
    assert "AWS/" in error.message


async def test_too_many_datapoints_are_refused(metrics: Metrics) -> None:
    now = utc(metrics.clock.now())
    span = {"StartTime": now - timedelta(days=2), "EndTime": now, "Period": 60, "Statistics": ["Sum"]}
    error = await metrics.refused("GetMetricStatistics", Namespace="Tests", MetricName="Load", **span)
    assert error.code == "InvalidParameterCombinationException"
    assert "2,880 datapoints" in error.message


async def test_old_points_are_joined_and_still_add_up(metrics: Metrics) -> None:
    for minute in range(10):
        await metrics.put(minute)
        metrics.clock.advance(60)
    metrics.clock.advance(16 * 86_400)
    await metrics.service.tidy()
    then: dict[str, Any] = {"StartTime": utc(MINUTE - 600), "EndTime": utc(MINUTE + 1200)}
    joined = await asked(metrics, "Sum", "SampleCount", "p50", period=300, **then)
    assert sum(point["Sum"] for point in joined) == 45
    assert sum(point["SampleCount"] for point in joined) == 10
    assert len(joined) <= 3
    metrics.clock.advance(460 * 86_400)
    await metrics.service.tidy()
    assert await asked(metrics, "Sum", period=3600, **then) == []
    assert (await metrics.call("ListMetrics"))["Metrics"] == []
