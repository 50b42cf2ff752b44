"""Schedules with real clients against the real server: made, fired by the clock, and fired again after kill -9."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess, start_platform
from tests.test_aws_cli import Aws, aws
from tests.test_pipes_over_the_wire import drain, make_queue

__all__ = ["aws"]  # a fixture

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
PUT_ITEM = "arn:aws:scheduler:::aws-sdk:dynamodb:putItem"
OFF = {"Mode": "OFF"}


def make_role(platform: PlatformProcess, name: str) -> str:
    made = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    arn: str = made["Role"]["Arn"]
    return arn


def make_table(platform: PlatformProcess, name: str) -> None:
    platform.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("at(%Y-%m-%dT%H:%M:%S)")


def ids_in(platform: PlatformProcess, table: str) -> set[str]:
    pages = platform.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["id"]["S"] for page in pages for item in page["Items"]}


def wait_until(done: Callable[[], bool]) -> None:
    """Look until it is so; the test's time-out bounds it."""
    while not done():
        time.sleep(0.05)


def test_boto3_makes_a_schedule_that_calls_an_operation_and_is_gone(platform: PlatformProcess) -> None:
    scheduler = platform.client("scheduler")
    make_table(platform, "ticks")
    item = {"TableName": "ticks", "Item": {"id": {"S": "<aws.scheduler.scheduled-time>"}}}
    target = {"Arn": PUT_ITEM, "RoleArn": make_role(platform, "ticks"), "Input": json.dumps(item)}
    when = in_seconds(1)
    scheduler.create_schedule(
        Name="once",
        ScheduleExpression=when,
        FlexibleTimeWindow=OFF,
        Target=target,
        ActionAfterCompletion="DELETE",
    )
    wait_until(lambda: bool(ids_in(platform, "ticks")))
    assert ids_in(platform, "ticks") == {f"{when[3:-1]}Z"}

    def gone() -> bool:
        try:
            scheduler.get_schedule(Name="once")
        except ClientError:
            return True
        return False

    wait_until(gone)
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException) as caught:
        scheduler.delete_schedule(Name="once")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_what_finds_no_target_is_a_dead_letter_with_reasons(platform: PlatformProcess) -> None:
    scheduler, sqs = platform.client("scheduler"), platform.client("sqs")
    url, dead = make_queue(platform, "dead-ticks")
    nothing = dead.replace("dead-ticks", "no-such-queue")
    arn = scheduler.create_schedule(
        Name="lost",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow=OFF,
        Target={
            "Arn": nothing,
            "RoleArn": make_role(platform, "lost"),
            "Input": "hello",
            "RetryPolicy": {"MaximumRetryAttempts": 1},
            "DeadLetterConfig": {"Arn": dead},
        },
    )["ScheduleArn"]
    messages: list[Any] = []
    while not messages:
        reply = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])
        messages = reply.get("Messages", [])
    assert messages[0]["Body"] == "hello"
    said = {name: each["StringValue"] for name, each in messages[0]["MessageAttributes"].items()}
    assert (said["SCHEDULE_ARN"], said["TARGET_ARN"], said["RETRY_ATTEMPTS"]) == (arn, nothing, "1")
    assert said["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert "NonExistentQueue" in said["ERROR_CODE"] or "QueueDoesNotExist" in said["ERROR_CODE"]
    scheduler.delete_schedule(Name="lost")


def test_boto3_sees_errors_pages_and_tags(platform: PlatformProcess) -> None:
    scheduler = platform.client("scheduler")
    role = make_role(platform, "pages")
    group = scheduler.create_schedule_group(Name="pages", Tags=[{"Key": "a", "Value": "b"}])["ScheduleGroupArn"]
    target = {"Arn": f"arn:aws:lambda:us-east-1:{platform.account}:function:f", "RoleArn": role}
    common: dict[str, Any] = {"GroupName": "pages", "FlexibleTimeWindow": OFF, "Target": target}
    for number in range(5):
        scheduler.create_schedule(Name=f"s{number}", ScheduleExpression="rate(1 day)", State="DISABLED", **common)
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName="pages", PaginationConfig={"PageSize": 2})
    assert [each["Name"] for page in pages for each in page["Schedules"]] == [f"s{number}" for number in range(5)]
    assert scheduler.list_tags_for_resource(ResourceArn=group)["Tags"] == [{"Key": "a", "Value": "b"}]
    with pytest.raises(scheduler.exceptions.ConflictException, match="Schedule s1 already exists"):
        scheduler.create_schedule(Name="s1", ScheduleExpression="rate(1 day)", **common)
    with pytest.raises(scheduler.exceptions.ValidationException) as caught:
        scheduler.create_schedule(Name="bad", ScheduleExpression="cron(0 1 * * * *)", **common)
    assert caught.value.response["Error"]["Message"] == "Invalid Schedule Expression cron(0 1 * * * *)."
    scheduler.delete_schedule_group(Name="pages")

    def gone() -> bool:
        return "pages" not in [each["Name"] for each in scheduler.list_schedule_groups()["ScheduleGroups"]]

    wait_until(gone)


def test_the_command_line_makes_changes_and_deletes_schedules(aws: Aws, platform: PlatformProcess) -> None:
    target = json.dumps(
        {
            "Arn": f"arn:aws:lambda:us-east-1:{platform.account}:function:f",
            "RoleArn": make_role(platform, "schedules-cli"),
        }
    )
    options = ("--flexible-time-window", "Mode=FLEXIBLE,MaximumWindowInMinutes=5", "--target", target)
    made = aws(
        "scheduler", "create-schedule", "--name", "cli", "--schedule-expression", "cron(0 12 * * ? *)",
        "--schedule-expression-timezone", "Europe/Berlin", *options,
    )  # fmt: skip
    assert made["ScheduleArn"].endswith(":schedule/default/cli")
    aws("scheduler", "update-schedule", "--name", "cli", "--schedule-expression", "rate(1 day)", *options)
    shown = aws("scheduler", "get-schedule", "--name", "cli")
    assert (shown["ScheduleExpression"], shown["ScheduleExpressionTimezone"]) == ("rate(1 day)", "UTC")
    aws("scheduler", "delete-schedule", "--name", "cli")
    assert "ResourceNotFoundException" in aws("scheduler", "get-schedule", "--name", "cli", fails=True)


@pytest.mark.timeout(240)
def test_every_schedule_runs_exactly_once_although_the_server_is_killed(tmp_path: Path) -> None:
    data, count = tmp_path / "data", 150
    server, platform = start_platform(data)
    try:
        scheduler = platform.client("scheduler")
        url, arn = make_queue(platform, "ticks")
        role = make_role(platform, "ticks")
        for number in range(count):
            scheduler.create_schedule(
                Name=f"s{number}",
                ScheduleExpression=in_seconds(1 + number / 25),
                FlexibleTimeWindow=OFF,
                Target={"Arn": arn, "RoleArn": role, "Input": str(number)},
                ActionAfterCompletion="DELETE",
            )
        ticks: Counter[str] = Counter()
        for share in (0.2, 0.5):
            while ticks.total() < share * count:
                drain(platform, url, ticks)
            server.send_signal(signal.SIGKILL)
            server.wait()
            server, platform = start_platform(data)
            url = url.replace(url.split("/")[2], platform.url.split("/")[2])
        while platform.client("scheduler").list_schedules()["Schedules"] or drain(platform, url, ticks):
            drain(platform, url, ticks)
        assert ticks == Counter(str(number) for number in range(count))
    finally:
        server.terminate()
        server.wait()
