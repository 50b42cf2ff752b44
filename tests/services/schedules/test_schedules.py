"""Schedules as resources: made, changed, shown, listed, deleted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mayfly.clock import utc
from tests.services.schedules.conftest import DEAD, FUNCTION, HOME, QUEUE, ROLE, Stage

BUS = f"arn:aws:events:us-east-1:{HOME.account}:event-bus/b"


async def test_a_schedule_is_shown_as_it_was_made_with_its_defaults(stage: Stage) -> None:
    arn = await stage.create("cron(0 12 * * ? *)")
    assert arn == "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"
    assert await stage.call("GetSchedule", Name="s") == {
        "Arn": arn,
        "Name": "s",
        "GroupName": "default",
        "State": "ENABLED",
        "CreationDate": utc(stage.start),
        "LastModificationDate": utc(stage.start),
        "ScheduleExpression": "cron(0 12 * * ? *)",
        "ScheduleExpressionTimezone": "UTC",
        "ActionAfterCompletion": "NONE",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": QUEUE,
            "RoleArn": ROLE,
            "Input": "hello",
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        },
    }


async def test_everything_given_is_shown(stage: Stage) -> None:
    start, end = utc(stage.start + 60), utc(stage.start + 3600)
    more: dict[str, Any] = {
        "Description": "d",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "StartDate": start,
        "EndDate": end,
        "State": "DISABLED",
        "ActionAfterCompletion": "DELETE",
        "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
    }
    target = {"DeadLetterConfig": {"Arn": DEAD}, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    await stage.create("rate(1 hour)", target=target, **more)
    shown = await stage.call("GetSchedule", Name="s")
    assert {name: shown[name] for name in more} == more
    assert shown["Target"]["DeadLetterConfig"] == {"Arn": DEAD}
    assert shown["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 3}


async def test_a_name_is_given_once_in_a_group(stage: Stage) -> None:
    await stage.create()
    assert await stage.refused("CreateSchedule", **stage.request()) == (
        "ConflictException",
        "Schedule s already exists.",
    )
    await stage.call("CreateScheduleGroup", Name="g")
    await stage.create(GroupName="g")


async def test_what_is_not_there_is_not_found(stage: Stage) -> None:
    missing = ("ResourceNotFoundException", "Schedule s does not exist.")
    assert await stage.refused("GetSchedule", Name="s") == missing
    assert await stage.refused("DeleteSchedule", Name="s") == missing
    assert await stage.refused("UpdateSchedule", **stage.request()) == missing
    no_group = ("ResourceNotFoundException", "Schedule group g does not exist.")
    assert await stage.refused("CreateSchedule", **stage.request(GroupName="g")) == no_group
    assert await stage.refused("GetSchedule", Name="s", GroupName="g") == no_group
    assert await stage.refused("ListSchedules", GroupName="g") == no_group


async def test_the_same_request_again_with_its_token_does_nothing(stage: Stage) -> None:
    request = stage.request(ClientToken="t")
    first = await stage.call("CreateSchedule", **request)
    assert await stage.call("CreateSchedule", **request) == first
    await stage.call("DeleteSchedule", Name="s", ClientToken="t")
    await stage.call("DeleteSchedule", Name="s", ClientToken="t")
    code, _ = await stage.refused("CreateSchedule", **stage.request("rate(1 day)", ClientToken="t"))
    assert code == "ConflictException"
    stage.clock.advance(9 * 3600)
    await stage.call("CreateSchedule", **request)


async def test_an_update_replaces_everything_but_the_date_of_creation(stage: Stage) -> None:
    await stage.create(Description="d", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5})
    stage.clock.advance(10)
    await stage.call("UpdateSchedule", **stage.request("rate(3 days)"))
    shown = await stage.call("GetSchedule", Name="s")
    assert "Description" not in shown
    assert shown["ScheduleExpression"] == "rate(3 days)"
    assert shown["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert shown["CreationDate"] == utc(stage.start)
    assert shown["LastModificationDate"] == utc(stage.start + 10)


@pytest.mark.parametrize("group", [None, "default"])
async def test_lists_are_in_pages_by_name_prefix_and_state(stage: Stage, group: str | None) -> None:
    for name in ("b2", "a1", "b1", "c", "b3"):
        await stage.create(Name=name, State="DISABLED" if name == "b2" else "ENABLED")
    chosen = {} if group is None else {"GroupName": group}
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = await stage.call("ListSchedules", MaxResults=2, **chosen, **token)
        names += [each["Name"] for each in page["Schedules"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert names == ["a1", "b1", "b2", "b3", "c"]
    found = await stage.call("ListSchedules", NamePrefix="b", State="ENABLED", **chosen)
    assert [each["Name"] for each in found["Schedules"]] == ["b1", "b3"]
    assert found["Schedules"][0]["Target"] == {"Arn": QUEUE}
    assert (await stage.refused("ListSchedules", NextToken="?"))[0] == "ValidationException"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"expression": "cron(0 1 * * * *)"}, "Invalid Schedule Expression cron(0 1 * * * *)."),
        ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "Invalid Schedule Expression Timezone Mars/Olympus."),
        ({"StartDate": datetime(2001, 1, 1, tzinfo=UTC)}, "cannot be earlier than 5 minutes ago."),
        ({"EndDate": datetime(2001, 1, 1, tzinfo=UTC)}, "The EndDate you specify must come after"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes must be specified"),
        ({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 1}}, "MaximumWindowInMinutes cannot be"),
        ({"target": {"Arn": "nothing"}}, "Provided Arn is not in correct format."),
        ({"target": {"Arn": FUNCTION, "Input": "no json"}}, "must be well-formed JSON"),
        ({"target": {"Arn": f"{QUEUE}.fifo"}}, "MessageGroupId must be specified"),
        ({"target": {"Arn": FUNCTION, "Input": "{}", "SqsParameters": {"MessageGroupId": "g"}}}, "Amazon SQS queue"),
        ({"target": {"Arn": BUS, "Input": "{}"}}, "EventBridgeParameters"),
        ({"target": {"Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/c"}}, "is no supported target"),
        ({"target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:getQueueUrl"}}, "only reads"),
        ({"target": {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:runInstances"}}, "does not implement runInstances of ec2"),
        ({"target": {"Arn": "arn:aws:scheduler:::sqs:sendMessage"}}, "is no supported target"),
        ({"target": {"DeadLetterConfig": {"Arn": f"{DEAD}.fifo"}}}, "cannot be a FIFO queue"),
        ({"target": {"RoleArn": "arn:aws:iam::000000000000:role/other"}}, "EventBridge Scheduler to assume the role."),
        ({"target": {"RoleArn": "arn:aws:iam::111111111111:role/r"}}, "EventBridge Scheduler to assume the role."),
    ],
)  # fmt: skip
async def test_a_schedule_that_cannot_run_is_refused(stage: Stage, more: dict[str, Any], message: str) -> None:
    code, found = await stage.refused("CreateSchedule", **stage.request(more.pop("expression", "rate(1 day)"), **more))
    assert code == "ValidationException"
    assert message in found
    assert (await stage.call("ListSchedules"))["Schedules"] == []
