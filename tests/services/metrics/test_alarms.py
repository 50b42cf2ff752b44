"""Alarms: when they change, who is told, and what is kept of it."""

import json
from typing import Any

import pytest

from .conftest import Metrics

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:mend"
TOPIC = "arn:aws:sns:us-east-1:000000000000:people"
BROKEN = "arn:aws:lambda:us-east-1:000000000000:function:broken"
ARN = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:high"


async def test_an_alarm_goes_off_and_back_and_tells_its_targets_once_each(metrics: Metrics) -> None:
    await metrics.alarm(AlarmActions=[FUNCTION, TOPIC], OKActions=[TOPIC], AlarmDescription="too much")
    assert await metrics.state() == "INSUFFICIENT_DATA"
    for value, expected in ((5, "ALARM"), (7, "ALARM"), (1, "OK")):
        await metrics.put(value)
        await metrics.look()
        assert await metrics.state() == expected
    assert [arn for arn, _ in metrics.told.events] == [FUNCTION, TOPIC, TOPIC]
    invoked = metrics.told.events[0][1]
    assert invoked["source"] == "aws.cloudwatch"
    assert invoked["alarmArn"] == ARN
    assert invoked["alarmData"]["state"]["value"] == "ALARM"
    assert invoked["alarmData"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert invoked["alarmData"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "Load"
    assert metrics.told.subjects[1:] == ['ALARM: "high" in us-east-1', 'OK: "high" in us-east-1']
    published = metrics.told.events[1][1]
    assert (published["NewStateValue"], published["OldStateValue"]) == ("ALARM", "INSUFFICIENT_DATA")
    assert "1 out of the last 1 datapoint [5.0] was greater than the threshold (3.0)" in published["NewStateReason"]
    assert published["Trigger"]["MetricName"] == "Load"
    assert [(source, kind) for source, kind, _ in metrics.told.emitted] == [
        ("aws.cloudwatch", "CloudWatch Alarm State Change")
    ] * 2
    assert metrics.told.emitted[1][2]["previousState"]["value"] == "ALARM"


async def test_missing_data_leads_back_to_insufficient_data(metrics: Metrics) -> None:
    await metrics.alarm()
    await metrics.put(5)
    await metrics.look()
    assert await metrics.state() == "ALARM"
    for _ in range(3):
        await metrics.look()
    assert await metrics.state() == "INSUFFICIENT_DATA"


async def test_missing_data_is_no_news_to_an_alarm_that_expects_none(metrics: Metrics) -> None:
    await metrics.alarm(TreatMissingData="notBreaching")
    await metrics.look()
    assert await metrics.state() == "OK"


async def test_an_alarm_takes_as_many_datapoints_as_it_says(metrics: Metrics) -> None:
    await metrics.alarm(EvaluationPeriods=3, DatapointsToAlarm=2)
    states = []
    for value in (5, 1, 5, 1, 1):
        await metrics.put(value)
        await metrics.look()
        states.append(await metrics.state())
    assert states[1:] == ["OK", "ALARM", "OK", "OK"]


async def test_alarms_with_short_periods_are_looked_at_within_the_minute(metrics: Metrics) -> None:
    await metrics.alarm(Period=10)
    await metrics.put(5, StorageResolution=1)
    metrics.clock.advance(10)
    await metrics.service.evaluation.look(int(metrics.clock.now()))
    assert await metrics.state() == "ALARM"


async def test_an_alarm_on_an_expression_sees_its_result(metrics: Metrics) -> None:
    def stat(id_: str, name: str) -> dict[str, Any]:
        metric = {"Namespace": "Tests", "MetricName": name}
        return {"Id": id_, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False}

    settings = {
        "AlarmName": "rate",
        "Metrics": [stat("e", "Errors"), stat("c", "Calls"), {"Id": "rate", "Expression": "e / c"}],
        "EvaluationPeriods": 1,
        "Threshold": 0.5,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    await metrics.call("PutMetricAlarm", **settings)
    await metrics.put(1, name="Errors")
    await metrics.put(2, name="Calls")
    await metrics.look()
    assert await metrics.state("rate") == "ALARM"
    (described,) = (await metrics.call("DescribeAlarms"))["MetricAlarms"]
    assert described["Metrics"][2] == {"Id": "rate", "Expression": "e / c", "ReturnData": True}


async def test_a_target_that_is_gone_loses_nothing_but_its_own_action(metrics: Metrics) -> None:
    await metrics.alarm(AlarmActions=[BROKEN, FUNCTION])
    await metrics.put(5)
    await metrics.look()
    assert [arn for arn, _ in metrics.told.events] == [FUNCTION]
    items = (await metrics.call("DescribeAlarmHistory", AlarmName="high"))["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [
        f"Successfully executed action {FUNCTION}",
        f"Failed to execute action {BROKEN}",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        'Alarm "high" created',
    ]
    assert json.loads(items[2]["HistoryData"])["newState"]["stateValue"] == "ALARM"


async def test_actions_can_be_turned_off_and_on(metrics: Metrics) -> None:
    await metrics.alarm(AlarmActions=[FUNCTION])
    await metrics.call("DisableAlarmActions", AlarmNames=["high", "unknown"])
    await metrics.put(5)
    await metrics.look()
    assert (await metrics.state(), metrics.told.events) == ("ALARM", [])
    await metrics.call("EnableAlarmActions", AlarmNames=["high"])
    await metrics.call("SetAlarmState", AlarmName="high", StateValue="OK", StateReason="tried")
    await metrics.call("SetAlarmState", AlarmName="high", StateValue="ALARM", StateReason="tried again")
    assert [event["alarmData"]["state"]["reason"] for _, event in metrics.told.events] == ["tried again"]


async def test_composite_alarms_follow_their_children_at_once(metrics: Metrics) -> None:
    await metrics.alarm("one")
    await metrics.alarm("two words")
    rule = 'ALARM(one) AND NOT OK("two words")'
    await metrics.call("PutCompositeAlarm", AlarmName="both", AlarmRule=rule, AlarmActions=[TOPIC])
    await metrics.call("PutCompositeAlarm", AlarmName="above", AlarmRule="ALARM(both) OR FALSE")
    for name, state in (("one", "ALARM"), ("two words", "OK"), ("two words", "ALARM")):
        await metrics.call("SetAlarmState", AlarmName=name, StateValue=state, StateReason="tried")
    assert (await metrics.state("both"), await metrics.state("above")) == ("ALARM", "ALARM")
    states = [event["NewStateValue"] for _, event in metrics.told.events]
    assert states == ["ALARM", "ALARM"]  # it was on, off, and on again
    assert metrics.told.events[0][1]["AlarmRule"] == rule
    refused = await metrics.refused("DeleteAlarms", AlarmNames=["one"])
    assert refused.code == "ResourceConflict"
    children = await metrics.call("DescribeAlarms", ChildrenOfAlarmName="both")
    assert [alarm["AlarmName"] for alarm in children["MetricAlarms"]] == ["one", "two words"]
    over = await metrics.call("DescribeAlarms", ParentsOfAlarmName="both")
    assert [alarm["AlarmName"] for alarm in over["CompositeAlarms"]] == ["above"]


async def test_composite_alarms_cannot_look_at_themselves(metrics: Metrics) -> None:
    await metrics.call("PutCompositeAlarm", AlarmName="a", AlarmRule="ALARM(b)")
    error = await metrics.refused("PutCompositeAlarm", AlarmName="b", AlarmRule="OK(c) OR ALARM(a)")
    assert "leads back to itself" in error.message
    assert (await metrics.call("DescribeAlarms", AlarmTypes=["CompositeAlarm"]))["CompositeAlarms"][1:] == []


@pytest.mark.parametrize("rule", ["ALARM(a", "ALARM()", "a AND b", "NOT", 'ALARM("a)', "(" * 60 + "TRUE", "TRUE FALSE"])
async def test_rules_that_say_nothing_are_refused(metrics: Metrics, rule: str) -> None:
    error = await metrics.refused("PutCompositeAlarm", AlarmName="a", AlarmRule=rule)
    assert error.code == "ValidationError"
    assert "AlarmRule is not valid" in error.message


async def test_alarms_are_described_in_pages_and_by_what_they_are(metrics: Metrics) -> None:
    for number in range(7):
        await metrics.alarm(f"load-{number}", AlarmActions=[TOPIC] if number % 2 else [FUNCTION])
    await metrics.alarm("other")
    first = await metrics.call("DescribeAlarms", AlarmNamePrefix="load-", MaxRecords=5)
    second = await metrics.call("DescribeAlarms", AlarmNamePrefix="load-", MaxRecords=5, NextToken=first["NextToken"])
    names = [alarm["AlarmName"] for page in (first, second) for alarm in page["MetricAlarms"]]
    assert names == [f"load-{number}" for number in range(7)]
    assert "NextToken" not in second
    topics = await metrics.call("DescribeAlarms", ActionPrefix="arn:aws:sns")
    assert [alarm["AlarmName"] for alarm in topics["MetricAlarms"]] == ["load-1", "load-3", "load-5"]
    found = await metrics.call("DescribeAlarmsForMetric", Namespace="Tests", MetricName="Load", Statistic="Average")
    assert len(found["MetricAlarms"]) == 8
    assert (await metrics.call("DescribeAlarmsForMetric", Namespace="Tests", MetricName="No"))["MetricAlarms"] == []


async def test_pages_go_on_after_a_name_in_any_script(metrics: Metrics) -> None:
    for name in ("é", "中"):
        await metrics.alarm(name)
    first = await metrics.call("DescribeAlarms", MaxRecords=1)
    second = await metrics.call("DescribeAlarms", MaxRecords=1, NextToken=first["NextToken"])
    assert [alarm["AlarmName"] for page in (first, second) for alarm in page["MetricAlarms"]] == ["é", "中"]


async def test_an_alarm_that_is_put_again_keeps_its_state_and_tags(metrics: Metrics) -> None:
    await metrics.alarm(Tags=[{"Key": "team", "Value": "a"}])
    await metrics.put(5)
    await metrics.look()
    await metrics.alarm(Threshold=4.0, Tags=[{"Key": "ignored", "Value": "on updates"}])
    assert await metrics.state() == "ALARM"
    await metrics.call("TagResource", ResourceARN=ARN, Tags=[{"Key": "b", "Value": "2"}])
    await metrics.call("UntagResource", ResourceARN=ARN, TagKeys=["team"])
    assert (await metrics.call("ListTagsForResource", ResourceARN=ARN))["Tags"] == [{"Key": "b", "Value": "2"}]
    assert (await metrics.refused("ListTagsForResource", ResourceARN=ARN + "x")).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "sometimes"}, "Option sometimes is not supported"),
        ({"Period": 90}, "Period must be"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "functions, topics and scaling policies"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"Period": 3600, "EvaluationPeriods": 200}, "7 days"),
        ({"ExtendedStatistic": "p99"}, "Exactly one of"),
    ],
)
async def test_bad_alarms_are_refused(metrics: Metrics, change: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        await metrics.alarm(**change)
    assert (await metrics.call("DescribeAlarms"))["MetricAlarms"] == []


async def test_deleting_is_all_or_nothing(metrics: Metrics) -> None:
    await metrics.alarm("a")
    assert (await metrics.refused("DeleteAlarms", AlarmNames=["a", "b"])).code == "ResourceNotFound"
    assert await metrics.state("a") == "INSUFFICIENT_DATA"
    await metrics.call("DeleteAlarms", AlarmNames=["a"])
    assert (await metrics.call("DescribeAlarms"))["MetricAlarms"] == []
    assert (await metrics.refused("SetAlarmState", AlarmName="a", StateValue="OK", StateReason="")).code == (
        "ResourceNotFound"
    )
