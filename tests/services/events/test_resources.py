"""Buses, rules, targets, permissions, tags: what is kept, what is refused, and with which words."""

import json
from typing import Any

import pytest

from mayfly.settings import EventLimits
from tests.services.events.conftest import ACCOUNT, PATTERN, REGION, Events, destination_arn, function_arn, queue_arn

ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:"


@pytest.fixture
def limits() -> EventLimits:
    return EventLimits(buses=3, rules_per_bus=3)


async def test_the_default_bus_is_always_there_and_cannot_be_deleted(events: Events) -> None:
    assert await events.call("DescribeEventBus") == {"Name": "default", "Arn": ARN + "event-bus/default"}
    assert [bus["Name"] for bus in (await events.call("ListEventBuses"))["EventBuses"]] == ["default"]
    error = await events.refused("DeleteEventBus", Name="default")
    assert (error.code, error.message) == ("ValidationException", "Cannot delete event bus default.")
    error = await events.refused("CreateEventBus", Name="default")
    assert error.message == "Event bus default already exists."


async def test_a_bus_makes_the_round_trip(events: Events) -> None:
    dead = {"Arn": queue_arn("dead")}
    made = await events.call("CreateEventBus", Name="orders", Description="d", DeadLetterConfig=dead)
    assert made == {"EventBusArn": ARN + "event-bus/orders", "Description": "d", "DeadLetterConfig": dead}
    events.clock.advance(5)
    changed = await events.call("UpdateEventBus", Name="orders", Description="e")
    assert changed == {"Name": "orders", "Arn": made["EventBusArn"], "Description": "e", "DeadLetterConfig": dead}
    shown = await events.call("DescribeEventBus", Name=made["EventBusArn"])
    assert (shown["LastModifiedTime"] - shown["CreationTime"]).total_seconds() == 5
    assert (await events.refused("CreateEventBus", Name="orders")).code == "ResourceAlreadyExistsException"
    await events.call("DeleteEventBus", Name="orders")
    for name in ("DescribeEventBus", "DeleteEventBus"):
        error = await events.refused(name, Name="orders")
        assert (error.code, error.message) == ("ResourceNotFoundException", "Event bus orders does not exist.")


async def test_buses_are_listed_in_order_by_prefix_and_page(events: Events) -> None:
    await events.call("CreateEventBus", Name="alpha")
    await events.call("CreateEventBus", Name="zeta")
    first = await events.call("ListEventBuses", Limit=2)
    assert [bus["Name"] for bus in first["EventBuses"]] == ["alpha", "default"]
    second = await events.call("ListEventBuses", Limit=2, NextToken=first["NextToken"])
    assert [bus["Name"] for bus in second["EventBuses"]] == ["zeta"]
    assert "NextToken" not in second
    named = await events.call("ListEventBuses", NamePrefix="ze")
    assert [bus["Name"] for bus in named["EventBuses"]] == ["zeta"]
    assert (await events.refused("ListEventBuses", NextToken="%")).code == "ValidationException"


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"Name": "a/b"}, "'/'"),
        ({"Name": "a", "KmsKeyIdentifier": "key"}, "KMS"),
        ({"Name": "a", "LogConfig": {"Level": "INFO"}}, "LogConfig"),
        ({"Name": "a", "DeadLetterConfig": {"Arn": queue_arn("dead.fifo")}}, "standard queue"),
    ],
)
async def test_what_a_bus_cannot_have_is_refused_by_name(events: Events, request_: dict[str, Any], word: str) -> None:
    error = await events.refused("CreateEventBus", **request_)
    assert error.code == "ValidationException"
    assert word in error.message


async def test_a_bus_with_rules_stays(events: Events) -> None:
    await events.call("CreateEventBus", Name="orders")
    await events.rule("r", bus="orders")
    assert (await events.refused("DeleteEventBus", Name="orders")).code == "ValidationException"
    await events.call("DeleteRule", Name="r", EventBusName="orders")
    await events.call("DeleteEventBus", Name="orders")


async def test_quotas_are_kept(events: Events) -> None:
    for name in ("a", "b", "c"):
        await events.call("CreateEventBus", Name=name)
        await events.rule(name)
    assert (await events.refused("CreateEventBus", Name="d")).code == "LimitExceededException"
    assert (await events.refused("PutRule", Name="d", EventPattern=PATTERN)).code == "LimitExceededException"
    await events.rule("a")  # a change is no further rule
    six = [{"Id": str(number), "Arn": queue_arn(str(number))} for number in range(6)]
    error = await events.refused("PutTargets", Rule="a", Targets=six)
    assert error.code == "LimitExceededException"
    assert error.message == "The requested resource exceeds the maximum number allowed."
    assert (await events.call("ListTargetsByRule", Rule="a"))["Targets"] == []


async def test_a_rule_makes_the_round_trip_and_is_replaced_as_a_whole(events: Events) -> None:
    tags = [{"Key": "k", "Value": "v"}]
    reply = await events.call("PutRule", Name="r", EventPattern=PATTERN, Description="d", RoleArn="arn:r", Tags=tags)
    assert reply == {"RuleArn": ARN + "rule/r"}
    assert await events.call("DescribeRule", Name="r") == {
        "Name": "r",
        "Arn": ARN + "rule/r",
        "State": "ENABLED",
        "EventBusName": "default",
        "EventPattern": PATTERN,
        "Description": "d",
        "RoleArn": "arn:r",
        "CreatedBy": ACCOUNT,
    }
    await events.call("PutRule", Name="r", EventPattern=PATTERN, State="DISABLED", Tags=[])
    shown = await events.call("DescribeRule", Name="r")
    assert "Description" not in shown
    assert shown["State"] == "DISABLED"
    assert (await events.call("ListTagsForResource", ResourceARN=ARN + "rule/r"))["Tags"] == tags


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({}, "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified."),
        ({"ScheduleExpression": "cron(0 1 * * * *)"}, "ValidationException",
         "Parameter ScheduleExpression is not valid."),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException",
         "Parameter ScheduleExpression is not valid."),
        (
            {"ScheduleExpression": "rate(1 minute)", "EventBusName": "orders"},
            "ValidationException",
            "ScheduleExpression is supported only on the default event bus.",
        ),
        ({"EventPattern": PATTERN, "EventBusName": "nowhere"}, "ResourceNotFoundException",
         "Event bus nowhere does not exist."),
    ],
)  # fmt: skip
async def test_what_is_no_rule_is_refused(events: Events, request_: dict[str, Any], code: str, message: str) -> None:
    error = await events.refused("PutRule", Name="r", **request_)
    assert (error.code, error.message) == (code, message)


async def test_a_pattern_that_is_none_is_refused_with_a_reason(events: Events) -> None:
    error = await events.refused("PutRule", Name="r", EventPattern='{"source": "shop"}')
    assert error.code == "InvalidEventPatternException"
    assert error.message.startswith("Event pattern is not valid. Reason: ")


async def test_rules_are_listed_in_order_and_a_missing_one_is_missed_by_name(events: Events) -> None:
    for name in ("b", "a", "c"):
        await events.rule(name)
    first = await events.call("ListRules", Limit=2)
    assert [rule["Name"] for rule in first["Rules"]] == ["a", "b"]
    second = await events.call("ListRules", Limit=2, NextToken=first["NextToken"])
    assert [rule["Name"] for rule in second["Rules"]] == ["c"]
    for name in ("DescribeRule", "DeleteRule", "EnableRule", "DisableRule"):
        error = await events.refused(name, Name="x")
        assert (error.code, error.message) == (
            "ResourceNotFoundException",
            "Rule x does not exist on EventBus default.",
        )


async def test_targets_make_the_round_trip(events: Events) -> None:
    await events.rule("r")
    targets = [
        {"Id": "a", "Arn": function_arn("not-there-yet"), "Input": '{"x":1}'},
        {
            "Id": "b",
            "Arn": queue_arn("q.fifo"),
            "InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"n":<n>}'},
            "SqsParameters": {"MessageGroupId": "g"},
            "DeadLetterConfig": {"Arn": queue_arn("dead")},
            "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
        },
        {
            "Id": "c",
            "Arn": destination_arn("shop"),
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "HttpParameters": {
                "PathParameterValues": ["x"],
                "HeaderParameters": {"h": "v"},
                "QueryStringParameters": {"q": "v"},
            },
        },
    ]
    assert await events.call("PutTargets", Rule="r", Targets=targets) == {"FailedEntryCount": 0, "FailedEntries": []}
    assert (await events.call("ListTargetsByRule", Rule="r"))["Targets"] == targets
    names = await events.call("ListRuleNamesByTarget", TargetArn=queue_arn("q.fifo"))
    assert names == {"RuleNames": ["r"]}
    error = await events.refused("DeleteRule", Name="r")
    assert error.message == "Rule can't be deleted since it has targets."
    removed = await events.call("RemoveTargets", Rule="r", Ids=["a", "b", "c", "d"])
    assert [(one["TargetId"], one["ErrorCode"]) for one in removed["FailedEntries"]] == [
        ("d", "ResourceNotFoundException")
    ]
    await events.call("DeleteRule", Name="r")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Arn": "nonsense"}, "Provided Arn is not in correct format."),
        ({"Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}, "Mayfly cannot send events to"),
        ({"Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:s"}, "Mayfly cannot send events to"),
        ({"Arn": queue_arn("q"), "Input": "{}", "InputPath": "$"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"Arn": queue_arn("q"), "Input": "{"}, "JSON syntax error"),
        ({"Arn": queue_arn("q"), "InputPath": "detail"}, "Invalid InputPath for target t"),
        ({"Arn": queue_arn("q"), "InputTransformer": {"InputTemplate": '"<x>"'}}, "invalid placeholder x"),
        ({"Arn": queue_arn("q"), "InputTransformer": {"InputTemplate": "{"}}, "Invalid InputTransformer"),
        ({"Arn": queue_arn("q"), "KinesisParameters": {"PartitionKeyPath": "$.id"}}, "KinesisParameters not valid"),
        ({"Arn": function_arn("f"), "SqsParameters": {"MessageGroupId": "g"}}, "SqsParameters not valid"),
        ({"Arn": queue_arn("q.fifo")}, "SqsParameters must be specified"),
        ({"Arn": queue_arn("q"), "DeadLetterConfig": {"Arn": function_arn("f")}}, "must be a standard queue"),
        ({"Arn": ARN + "event-bus/b", "InputPath": "$.detail"}, "event bus, which gets events as they are"),
    ],
)
async def test_what_is_no_target_is_refused(events: Events, target: dict[str, Any], message: str) -> None:
    await events.rule("r")
    error = await events.refused("PutTargets", Rule="r", Targets=[{"Id": "t", **target}])
    assert error.code == "ValidationException"
    assert message in error.message
    assert (await events.call("ListTargetsByRule", Rule="r"))["Targets"] == []


async def test_permissions_are_statements_of_the_policy(events: Events) -> None:
    allow = {"Action": "events:PutEvents", "Principal": "111122223333", "StatementId": "one"}
    await events.call("PutPermission", **allow)
    await events.call("PutPermission", **{**allow, "StatementId": "two", "Principal": "*"})
    policy = json.loads((await events.call("DescribeEventBus"))["Policy"])
    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "events:PutEvents",
                "Resource": ARN + "event-bus/default",
            },
            {
                "Sid": "two",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "events:PutEvents",
                "Resource": ARN + "event-bus/default",
            },
        ],
    }
    await events.call("RemovePermission", StatementId="one")
    error = await events.refused("RemovePermission", StatementId="one")
    assert (error.code, error.message) == (
        "ResourceNotFoundException",
        "Statement with the provided id does not exist.",
    )
    await events.call("RemovePermission", RemoveAllPermissions=True)
    assert "Policy" not in await events.call("DescribeEventBus")
    assert (await events.refused("PutPermission", EventBusName="x", **allow)).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "policy",
    [
        "{",
        "[]",
        '{"Statement": ["x"]}',
        '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Condition": {"Bool": {"a": "b"}}}}',
        '{"Statement": {"Effect": "Deny", "NotPrincipal": "*", "Action": "*"}}',
    ],
)
async def test_policies_that_cannot_be_kept_to_are_refused(events: Events, policy: str) -> None:
    assert (await events.refused("PutPermission", Policy=policy)).code == "ValidationException"


async def test_tags_are_of_rules_and_buses(events: Events) -> None:
    await events.rule("r")
    bus = (await events.call("CreateEventBus", Name="b", Tags=[{"Key": "a", "Value": "1"}]))["EventBusArn"]
    for arn in (bus, ARN + "rule/r", ARN + "event-bus/default"):
        await events.call("TagResource", ResourceARN=arn, Tags=[{"Key": "k", "Value": "v"}])
        await events.call("UntagResource", ResourceARN=arn, TagKeys=["a"])
        assert (await events.call("ListTagsForResource", ResourceARN=arn))["Tags"] == [{"Key": "k", "Value": "v"}]
    error = await events.refused("ListTagsForResource", ResourceARN=ARN + "rule/x")
    assert error.message == "Rule x does not exist on EventBus default."
    error = await events.refused("TagResource", ResourceARN=ARN + "event-bus/x", Tags=[])
    assert error.message == "Event bus x does not exist."
    assert (await events.refused("ListTagsForResource", ResourceARN="x")).code == "ValidationException"


async def test_patterns_can_be_tried(events: Events) -> None:
    event = json.dumps({"source": "shop", "detail": {"n": 1}})
    assert await events.call("TestEventPattern", EventPattern=PATTERN, Event=event) == {"Result": True}
    assert await events.call("TestEventPattern", EventPattern='{"source":["x"]}', Event=event) == {"Result": False}
    for wrong in ("text", "[]", '"text"'):
        error = await events.refused("TestEventPattern", EventPattern=PATTERN, Event=wrong)
        assert (error.code, error.message) == ("ValidationException", "Parameter Event is not valid.")


@pytest.mark.parametrize(
    ("name", "request_", "code"),
    [
        ("PutPartnerEvents", {"Entries": [{}]}, "OperationDisabledException"),
        ("CreatePartnerEventSource", {"Name": "aws.partner/x/y", "Account": ACCOUNT}, "OperationDisabledException"),
        ("ActivateEventSource", {"Name": "aws.partner/x/y"}, "ResourceNotFoundException"),
        ("DescribeEndpoint", {"Name": "x"}, "ResourceNotFoundException"),
        ("CreateEndpoint", {"Name": "x"}, "ValidationException"),
        ("PutEvents", {"Entries": [], "EndpointId": "a.b"}, "ValidationException"),
    ],
)
async def test_what_belongs_to_aws_is_refused(events: Events, name: str, request_: dict[str, Any], code: str) -> None:
    assert (await events.refused(name, **request_)).code == code
