"""What boto3 offers beyond clients, for the messaging services: resources, paginators and waiters; and what tools that
describe a wanted state rely on, that creating what is there already is no error."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from tests.conftest import PlatformProcess
from tests.test_pipes_over_the_wire import make_queue, make_role

Resource = Callable[[str], Any]


@pytest.fixture
def resource(platform: PlatformProcess) -> Resource:
    """`resource("sqs")`: boto3's object-oriented face of the service."""
    session: Any = boto3.session.Session(
        aws_access_key_id=platform.access_key_id,
        aws_secret_access_key=platform.secret_access_key,
        region_name=platform.region,
    )
    return lambda service: session.resource(service, endpoint_url=platform.url)


def test_queues_are_objects(resource: Resource) -> None:
    sqs = resource("sqs")
    queue, dead = sqs.create_queue(QueueName="objects"), sqs.create_queue(QueueName="objects-dead")
    redrive = {"deadLetterTargetArn": dead.attributes["QueueArn"], "maxReceiveCount": 2}
    queue.set_attributes(Attributes={"RedrivePolicy": json.dumps(redrive)})
    assert [source.url for source in dead.dead_letter_source_queues.all()] == [queue.url]
    assert sqs.get_queue_by_name(QueueName="objects").url == queue.url
    shape = {"n": {"DataType": "Number", "StringValue": "1"}}
    entries = [{"Id": "0", "MessageBody": "here", "MessageAttributes": shape}]
    late = {"Id": "1", "MessageBody": "late", "DelaySeconds": 901}
    assert [failed["Id"] for failed in queue.send_messages(Entries=[*entries, late])["Failed"]] == ["1"]
    for count in ("1", "2"):
        (message,) = queue.receive_messages(AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5)
        assert (message.body, message.message_attributes) == ("here", shape)
        assert message.attributes["ApproximateReceiveCount"] == count
        message.change_visibility(VisibilityTimeout=0)
    assert queue.receive_messages() == []  # the third delivery goes to the dead letters instead
    (message,) = dead.receive_messages(WaitTimeSeconds=5)
    message.delete()
    with pytest.raises(sqs.meta.client.exceptions.QueueDoesNotExist):
        sqs.get_queue_by_name(QueueName="objects-none")


def test_topics_and_subscriptions_are_objects(resource: Resource, platform: PlatformProcess) -> None:
    sns = resource("sns")
    url, arn = make_queue(platform, "topic-objects")
    topic = sns.create_topic(Name="objects")
    subscription = topic.subscribe(Protocol="sqs", Endpoint=arn)
    subscription.set_attributes(AttributeName="RawMessageDelivery", AttributeValue="true")
    topic.publish(Message=json.dumps({"default": "for all", "sqs": "for queues"}), MessageStructure="json")
    (message,) = platform.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "for queues"
    assert [each.arn for each in topic.subscriptions.all()] == [subscription.arn]
    assert subscription in list(sns.subscriptions.all())
    subscription.delete()
    topic.delete()
    assert topic not in list(sns.topics.all())


def test_metrics_and_alarms_are_objects_that_can_be_waited_for(resource: Resource, platform: PlatformProcess) -> None:
    cloudwatch, client = resource("cloudwatch"), platform.client("cloudwatch")
    metric = cloudwatch.Metric("Objects", "n")
    metric.put_data(MetricData=[{"MetricName": "n", "Value": 3}])
    now, minute = datetime.now(UTC), timedelta(minutes=1)
    found = metric.get_statistics(StartTime=now - minute, EndTime=now + minute, Period=60, Statistics=["Sum"])
    assert sum(point["Sum"] for point in found["Datapoints"]) == 3
    above = {"Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", "Period": 60, "EvaluationPeriods": 1}
    alarm = metric.put_alarm(AlarmName="objects", Statistic="Sum", **above)
    client.put_composite_alarm(AlarmName="objects-all", AlarmRule="ALARM(objects)")
    client.get_waiter("alarm_exists").wait(AlarmNames=["objects"])
    client.get_waiter("composite_alarm_exists").wait(AlarmNames=["objects-all"], AlarmTypes=["CompositeAlarm"])
    alarm.set_state(StateValue="ALARM", StateReason="a trial")
    assert (alarm.state_value, alarm.state_reason) == ("ALARM", "a trial")
    assert [each.name for each in metric.alarms.all()] == ["objects"]
    history = client.get_paginator("describe_alarm_history").paginate(
        AlarmName="objects", PaginationConfig={"PageSize": 1}
    )
    assert [len(page["AlarmHistoryItems"]) for page in history if page["AlarmHistoryItems"]] == [1, 1]
    client.delete_alarms(AlarmNames=["objects-all"])
    alarm.delete()


def test_everything_is_found_when_lists_are_read_in_pages_of_one(platform: PlatformProcess) -> None:
    role, names = make_role(platform, "paged", "scheduler.amazonaws.com"), [f"paged-{n}" for n in range(3)]
    events, scheduler, pipes = platform.client("events"), platform.client("scheduler"), platform.client("pipes")
    queues = [make_queue(platform, name)[1] for name in names]
    events.create_event_bus(Name="paged")
    scheduler.create_schedule_group(Name="paged")
    for name in names:
        target = {"Arn": queues[0], "RoleArn": role}
        off = {"FlexibleTimeWindow": {"Mode": "OFF"}, "State": "DISABLED", "ScheduleExpression": "rate(1 day)"}
        scheduler.create_schedule(Name=name, GroupName="paged", Target=target, **off)
        pipes.create_pipe(Name=name, Source=queues[0], Target=queues[1], RoleArn=role, DesiredState="STOPPED")
        events.put_rule(Name=name, EventBusName="paged", EventPattern='{"source": ["x"]}')
        events.put_targets(Rule=names[0], EventBusName="paged", Targets=[{"Id": name, "Arn": queues[2]}])
        events.put_targets(Rule=name, EventBusName="paged", Targets=[{"Id": "all", "Arn": queues[0]}])

    def listed(client: Any, operation: str, member: str, key: str | None = "Name", **request: Any) -> list[Any]:
        found = list[Any]()
        for page in client.get_paginator(operation).paginate(**request, PaginationConfig={"PageSize": 1}):
            assert len(page.get(member, [])) <= 1
            found += [each[key] if key else each for each in page.get(member, [])]
        return found

    bus = {"EventBusName": "paged"}
    urls = listed(platform.client("sqs"), "list_queues", "QueueUrls", None, QueueNamePrefix="paged-")
    assert [url.rpartition("/")[2] for url in urls] == names
    assert listed(events, "list_rules", "Rules", **bus) == names
    assert listed(events, "list_targets_by_rule", "Targets", "Id", Rule=names[0], **bus) == ["all", *names]
    assert listed(events, "list_rule_names_by_target", "RuleNames", None, TargetArn=queues[0], **bus) == names
    assert listed(scheduler, "list_schedules", "Schedules", GroupName="paged") == names
    assert "paged" in listed(scheduler, "list_schedule_groups", "ScheduleGroups")
    assert listed(pipes, "list_pipes", "Pipes", NamePrefix="paged-") == names


def test_what_is_there_may_be_created_again_as_it_is_and_not_otherwise(platform: PlatformProcess) -> None:
    sqs, sns, events, scheduler, pipes = map(platform.client, ("sqs", "sns", "events", "scheduler", "pipes"))
    url, arn = make_queue(platform, "again", VisibilityTimeout="7")
    assert sqs.create_queue(QueueName="again", Attributes={"VisibilityTimeout": "7"})["QueueUrl"] == url
    assert sqs.create_queue(QueueName="again")["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName="again", Attributes={"VisibilityTimeout": "8"})

    topics = [sns.create_topic(Name="again", Attributes={"DisplayName": "A"})["TopicArn"] for _ in range(2)]
    assert topics[0] == topics[1]
    with pytest.raises(sns.exceptions.InvalidParameterException, match="different attributes"):
        sns.create_topic(Name="again", Attributes={"DisplayName": "B"})
    subscribed = {sns.subscribe(TopicArn=topics[0], Protocol="sqs", Endpoint=arn)["SubscriptionArn"] for _ in range(2)}
    assert len(subscribed) == 1

    for pattern in ('{"source": ["a"]}', '{"source": ["b"]}'):
        events.put_rule(Name="again", EventPattern=pattern)
        events.put_targets(Rule="again", Targets=[{"Id": "1", "Arn": arn}])
    assert events.describe_rule(Name="again")["EventPattern"] == '{"source": ["b"]}'
    assert len(events.list_targets_by_rule(Rule="again")["Targets"]) == 1
    events.remove_targets(Rule="again", Ids=["1"])
    events.delete_rule(Name="again")

    schedule = {
        "Name": "again",
        "ScheduleExpression": "rate(1 day)",
        "State": "DISABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": arn, "RoleArn": make_role(platform, "again", "scheduler.amazonaws.com")},
    }
    made = {scheduler.create_schedule(**schedule, ClientToken="first")["ScheduleArn"] for _ in range(2)}
    assert len(made) == 1
    with pytest.raises(scheduler.exceptions.ConflictException):
        scheduler.create_schedule(**schedule, ClientToken="second")
    scheduler.delete_schedule(Name="again")
    with pytest.raises(pipes.exceptions.NotFoundException):
        pipes.delete_pipe(Name="again")
