"""What a stack has to do with other services, on a real platform: topics that hear of it, the role it acts as, alarms
that take it back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .test_custom_resources import settled

Client = Callable[..., Any]
TEMPLATE = json.dumps({"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup"}}})
OTHER = json.dumps({"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}}})


def trusting(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Statement": [statement]})


def test_topics_hear_of_every_event_of_a_stack(client: Client) -> None:
    sns, sqs, cloudformation = client("sns"), client("sqs"), client("cloudformation")
    topic = sns.create_topic(Name="stack-events")["TopicArn"]
    queue = sqs.create_queue(QueueName="stack-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloudformation.create_stack(StackName="noticed", TemplateBody=TEMPLATE, NotificationARNs=[topic])
    stack = settled(client, "noticed")
    assert stack["NotificationARNs"] == [topic]
    found: list[dict[str, str]] = []
    while len(found) < 5:
        reply = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in reply["Messages"]:
            notice = json.loads(message["Body"])
            assert notice["Subject"] == "AWS CloudFormation Notification"
            found.append(dict(line.split("=", 1) for line in notice["Message"].splitlines()))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    statuses = {(line["LogicalResourceId"], line["ResourceStatus"]) for line in found}
    assert ("'noticed'", "'CREATE_COMPLETE'") in statuses
    assert ("'Logs'", "'CREATE_COMPLETE'") in statuses
    assert {line["StackId"] for line in found} == {f"'{stack['StackId']}'"}
    cloudformation.delete_stack(StackName="noticed")
    settled(client, "noticed")


def test_a_stack_acts_as_its_role_which_has_to_trust_it(client: Client) -> None:
    cloudformation, iam = client("cloudformation"), client("iam")
    other = iam.create_role(RoleName="no-stacks", AssumeRolePolicyDocument=trusting("lambda.amazonaws.com"))
    mine = iam.create_role(RoleName="stacks", AssumeRolePolicyDocument=trusting("cloudformation.amazonaws.com"))
    with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
        cloudformation.create_stack(StackName="acting", TemplateBody=TEMPLATE, RoleARN=other["Role"]["Arn"])
    cloudformation.create_stack(StackName="acting", TemplateBody=TEMPLATE, RoleARN=mine["Role"]["Arn"])
    assert settled(client, "acting")["RoleARN"] == mine["Role"]["Arn"]
    cloudformation.delete_stack(StackName="acting")
    assert settled(client, "acting") == {}


def test_an_alarm_takes_an_update_back(client: Client) -> None:
    cloudformation, cloudwatch = client("cloudformation"), client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="no-good", Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["no-good"])["MetricAlarms"]
    triggers = [{"Arn": alarm["AlarmArn"], "Type": "AWS::CloudWatch::Alarm"}]
    watch = {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": 5}
    cloudformation.create_stack(StackName="watched", TemplateBody=TEMPLATE)
    settled(client, "watched")
    cloudformation.update_stack(StackName="watched", TemplateBody=OTHER, RollbackConfiguration=watch)
    cloudwatch.set_alarm_state(AlarmName="no-good", StateValue="ALARM", StateReason="test")
    stack = settled(client, "watched")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["RollbackConfiguration"] == watch
    events = cloudformation.describe_stack_events(StackName="watched")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("went into ALARM state" in reason for reason in reasons)
    (group,) = client("logs").describe_log_groups(logGroupNamePrefix="watched")["logGroups"]
    assert "retentionInDays" not in group
    cloudformation.delete_stack(StackName="watched")
    assert settled(client, "watched") == {}


def test_the_tags_of_a_stack_are_those_of_its_resources_as_well(client: Client) -> None:
    cloudformation, sqs = client("cloudformation"), client("sqs")
    own = [{"Key": "team", "Value": "mine"}]
    resources = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "tagged", "Tags": own}}}
    tags = [{"Key": "team", "Value": "theirs"}, {"Key": "cost", "Value": "1"}]
    cloudformation.create_stack(StackName="tagged", TemplateBody=json.dumps({"Resources": resources}), Tags=tags)
    settled(client, "tagged")
    url = sqs.get_queue_url(QueueName="tagged")["QueueUrl"]
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "mine", "cost": "1"}
    cloudformation.update_stack(StackName="tagged", UsePreviousTemplate=True, Tags=[{"Key": "cost", "Value": "2"}])
    settled(client, "tagged")
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "mine", "cost": "2"}
    cloudformation.delete_stack(StackName="tagged")
    assert settled(client, "tagged") == {}
