"""What schedules do when their time comes: once a tick, over restarts, refusals and retries."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mayfly.clock import ManualClock, utc
from mayfly.services.contract import ServiceError
from mayfly.services.schedules.rendering import moment
from tests.services.schedules.conftest import DEAD, FUNCTION, HOME, QUEUE, ROLE, Stage

CALL = "arn:aws:scheduler:::aws-sdk:sqs:createQueue"


async def test_a_rate_runs_at_once_and_then_at_its_rate(stage: Stage) -> None:
    await stage.create("rate(5 minutes)", target={"Input": "<aws.scheduler.scheduled-time>"})
    await stage.pass_time()
    await stage.pass_time(299)
    assert len(await stage.got()) == 1
    await stage.pass_time(1)
    await stage.pass_time(300)
    assert await stage.got(QUEUE) == [moment(stage.start + seconds) for seconds in (0, 300, 600)]


async def test_a_rate_with_a_start_runs_first_at_it_and_not_after_its_end(stage: Stage) -> None:
    await stage.create("rate(1 minute)", StartDate=utc(stage.start + 90), EndDate=utc(stage.start + 210))
    await stage.pass_time(89)
    assert await stage.got() == []
    for _ in range(5):
        await stage.pass_time(60)
    assert len(await stage.got()) == 3


async def test_a_date_runs_once(stage: Stage) -> None:
    at = utc(stage.start + 100).strftime("%Y-%m-%dT%H:%M:%S")
    await stage.create(f"at({at})")
    await stage.pass_time(99)
    assert await stage.got() == []
    await stage.pass_time(1)
    await stage.pass_time(86_400)
    assert await stage.got() == ["hello"]
    assert (await stage.call("GetSchedule", Name="s"))["State"] == "ENABLED"


async def test_a_date_is_one_of_its_time_zone(stage: Stage) -> None:
    at = datetime.fromtimestamp(stage.start + 3600, ZoneInfo("Asia/Kathmandu")).strftime("%Y-%m-%dT%H:%M:%S")
    await stage.create(f"at({at})", ScheduleExpressionTimezone="Asia/Kathmandu")
    await stage.pass_time(3599)
    assert await stage.got() == []
    await stage.pass_time(1)
    assert await stage.got() == ["hello"]


async def test_a_date_long_past_is_accepted_and_never_runs(stage: Stage) -> None:
    await stage.create("at(2022-12-31T23:59:59)")
    await stage.pass_time(86_400)
    assert await stage.got() == []


async def test_a_disabled_schedule_waits_until_it_is_enabled(stage: Stage) -> None:
    await stage.create("rate(1 minute)", State="DISABLED")
    await stage.pass_time(3600)
    assert await stage.got() == []
    await stage.call("UpdateSchedule", **stage.request("rate(1 minute)"))
    await stage.pass_time(60)
    assert await stage.got() == ["hello"]


async def test_an_update_of_something_else_keeps_the_rhythm_of_a_rate(stage: Stage) -> None:
    await stage.create("rate(5 minutes)")
    await stage.pass_time()
    await stage.pass_time(100)
    await stage.call("UpdateSchedule", **stage.request("rate(5 minutes)", target={"Input": "new"}))
    await stage.pass_time(199)
    assert await stage.got() == ["hello"]
    await stage.pass_time(1)
    assert await stage.got() == ["hello", "new"]


async def test_a_deleted_schedule_does_not_run(stage: Stage) -> None:
    await stage.create("rate(5 minutes)")
    await stage.call("DeleteSchedule", Name="s")
    await stage.pass_time(600)
    assert await stage.got() == []


async def test_a_completed_schedule_is_deleted_if_it_says_so(stage: Stage) -> None:
    at = utc(stage.start + 100).strftime("%Y-%m-%dT%H:%M:%S")
    await stage.create(f"at({at})", ActionAfterCompletion="DELETE")
    await stage.create("rate(1 minute)", Name="ends", ActionAfterCompletion="DELETE", EndDate=utc(stage.start + 70))
    await stage.pass_time()
    await stage.pass_time(60)
    assert [each["Name"] for each in (await stage.call("ListSchedules"))["Schedules"]] == ["s"]
    await stage.pass_time(40)
    assert (await stage.call("ListSchedules"))["Schedules"] == []
    assert await stage.got() == ["hello"] * 3


async def test_a_schedule_made_anew_while_its_last_delivery_waited_is_kept(stage: Stage) -> None:
    at = utc(stage.start + 100).strftime("%Y-%m-%dT%H:%M:%S")
    await stage.create(f"at({at})", ActionAfterCompletion="DELETE")
    stage.targets.refusal = ServiceError("Busy", "later")
    await stage.pass_time(100)
    await stage.call("DeleteSchedule", Name="s")
    await stage.create("rate(1 day)", ActionAfterCompletion="DELETE")
    stage.targets.refusal = None
    await stage.pass_time(60)
    assert len((await stage.call("ListSchedules"))["Schedules"]) == 1


async def test_a_window_moves_all_runs_by_the_same_part_of_it(stage: Stage) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}
    target = {"Input": "<aws.scheduler.scheduled-time>"}
    for number in range(20):
        await stage.create("rate(1 hour)", Name=f"s{number}", FlexibleTimeWindow=window, target=target)
    counts = []
    for _ in range(11):
        await stage.pass_time(60)
        counts.append(len(await stage.got()))
    assert counts[-1] == 20
    assert len(set(counts)) > 4  # spread over the window
    assert set(await stage.got()) == {moment(stage.start)}
    await stage.pass_time(3600)
    assert sorted(await stage.got()) == [moment(stage.start)] * 20 + [moment(stage.start + 3600)] * 20


async def test_after_a_long_stop_a_schedule_runs_once_for_the_last_moment_missed(stage: Stage) -> None:
    await stage.create("rate(1 minute)", target={"Input": "<aws.scheduler.scheduled-time>"})
    await stage.pass_time()
    stage.clock.advance(7230)
    stage.reopen()
    await stage.pass_time()
    assert await stage.got() == [moment(stage.start), moment(stage.start + 7200)]
    await stage.pass_time(30)
    assert len(await stage.got()) == 3


async def test_what_was_missed_longer_ago_than_the_age_of_an_event_does_not_run(stage: Stage) -> None:
    await stage.create("rate(1 day)", target={"RetryPolicy": {"MaximumEventAgeInSeconds": 600}})
    await stage.pass_time()
    await stage.pass_time(86_400 + 601)
    assert await stage.got() == ["hello"]
    await stage.pass_time(86_400 - 601)
    assert await stage.got() == ["hello"] * 2


async def test_local_days_run_once_over_both_changes_of_the_clock(stage: Stage, clock: ManualClock) -> None:
    zone = ZoneInfo("America/New_York")
    clock.advance(datetime(2026, 10, 31, 12, tzinfo=zone).timestamp() - clock.now())
    target = {"Input": "<aws.scheduler.scheduled-time>"}
    await stage.create("cron(30 1 * * ? *)", ScheduleExpressionTimezone="America/New_York", target=target)
    for _ in range(72):
        await stage.pass_time(3600)
    assert await stage.got() == ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z", "2026-11-03T06:30:00Z"]


async def test_input_carries_what_it_asks_for(stage: Stage) -> None:
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    given = json.dumps({name: f"<aws.scheduler.{name}>" for name in names})
    arn = await stage.create("rate(1 day)", target={"Arn": FUNCTION, "Input": given})
    await stage.pass_time()
    found = json.loads((await stage.got(FUNCTION))[0])
    execution = found.pop("execution-id")
    assert found == {"schedule-arn": arn, "scheduled-time": moment(stage.start), "attempt-number": "1"}
    assert len(execution) == 16


async def test_a_schedule_without_input_sends_a_notification(stage: Stage) -> None:
    request = stage.request("rate(1 day)", target={"Arn": FUNCTION})
    del request["Target"]["Input"]
    arn = (await stage.call("CreateSchedule", **request))["ScheduleArn"]
    await stage.pass_time()
    found = json.loads((await stage.got(FUNCTION))[0])
    assert found.pop("id")
    assert found == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": HOME.account,
        "time": moment(stage.start),
        "region": "us-east-1",
        "resources": [arn],
        "detail": "{}",
    }


async def test_targets_get_their_options(stage: Stage) -> None:
    bus = f"arn:aws:events:us-east-1:{HOME.account}:event-bus/b"
    await stage.create(Name="q", target={"Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}})
    parameters = {"Source": "mine", "DetailType": "Tick"}
    arn = await stage.create(Name="b", target={"Arn": bus, "Input": "{}", "EventBridgeParameters": parameters})
    await stage.pass_time()
    found = {where: more for where, _, more in await stage.rows()}
    assert found == {
        f"{QUEUE}.fifo": {"group_id": "g"},
        bus: {"source": "mine", "detail_type": "Tick", "resources": [arn]},
    }


async def test_a_refused_event_is_tried_again_with_growing_delays(stage: Stage) -> None:
    await stage.create("rate(1 day)", target={"Input": "<aws.scheduler.attempt-number>"})
    stage.targets.refusal = ServiceError("Busy", "later")
    await stage.pass_time()
    for _ in range(4):
        await stage.pass_time(8)
    stage.targets.refusal = None
    await stage.pass_time(300)
    (attempt,) = await stage.got()
    assert 3 <= int(attempt) <= 6
    assert await stage.queue.depth("schedules.deliveries") == 0


@pytest.mark.parametrize(
    ("policy", "wait", "condition"),
    [
        ({"MaximumRetryAttempts": 0}, 0, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 2}, 60, "MaximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 60}, 200, "MaximumEventAgeInSeconds"),
    ],
)
async def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(
    stage: Stage, policy: dict[str, int], wait: int, condition: str
) -> None:
    target: dict[str, Any] = {"DeadLetterConfig": {"Arn": DEAD}, "RetryPolicy": policy}
    arn = await stage.create("rate(1 day)", target=target)
    stage.targets.refusal = ServiceError("Gone", "There is no such queue.")
    await stage.pass_time()
    for _ in range(wait):
        await stage.pass_time(1)
    ((where, body, attributes),) = await stage.rows()
    assert (where, body) == (DEAD, "hello")
    attributes.pop("EXECUTION_ID")
    retries = int(attributes.pop("RETRY_ATTEMPTS"))
    assert retries == policy.get("MaximumRetryAttempts", retries)
    assert attributes == {
        "ERROR_CODE": "Gone",
        "ERROR_MESSAGE": "There is no such queue.",
        "EXHAUSTED_RETRY_CONDITION": condition,
        "IS_PAYLOAD_TRUNCATED": "false",
        "SCHEDULED_TIME": moment(stage.start),
        "SCHEDULE_ARN": arn,
        "TARGET_ARN": QUEUE,
    }


async def test_without_a_dead_letter_queue_it_stays_among_the_dead(stage: Stage) -> None:
    await stage.create("rate(1 day)", target={"RetryPolicy": {"MaximumRetryAttempts": 0}})
    stage.targets.refusal = ServiceError("Gone", "There is no such queue.")
    await stage.pass_time()
    (dead,) = await stage.queue.dead("schedules.deliveries", 10)
    assert "There is no such queue." in dead.reason


async def test_a_role_that_trusts_no_more_is_found_out(stage: Stage) -> None:
    target = {"DeadLetterConfig": {"Arn": DEAD}, "RetryPolicy": {"MaximumRetryAttempts": 0}}
    await stage.create("rate(1 hour)", target=target)
    await stage.pass_time()
    stage.identity.trusted = False
    await stage.pass_time(3600)
    (_, _, attributes) = (await stage.rows())[-1]
    assert attributes["ERROR_CODE"] == "AccessDeniedException"
    stage.identity.trusted = True
    await stage.pass_time(3600)
    assert (await stage.got(QUEUE)) == ["hello"] * 2


async def test_an_event_for_a_role_in_use_is_one_commit_with_its_tick(stage: Stage) -> None:
    await stage.create("rate(1 minute)")
    commits = stage.store.commits
    await stage.service.ticker.settle()
    assert stage.store.commits == commits + 1
    assert await stage.got() == ["hello"]
    assert await stage.queue.depth("schedules.deliveries") == 0


async def test_an_operation_is_called_as_the_role_with_the_input(stage: Stage) -> None:
    await stage.create("rate(1 hour)", target={"Arn": CALL, "Input": '{"QueueName": "<aws.scheduler.attempt-number>"}'})
    stage.calls.failures = 1
    await stage.pass_time()
    await stage.pass_time(5)
    assert [document for _, _, document in stage.calls.calls] == [{"QueueName": "1"}, {"QueueName": "2"}]
    arn, operation, _ = stage.calls.calls[0]
    assert operation == "CreateQueue"
    assert arn.startswith(f"arn:aws:sts::{HOME.account}:assumed-role/{ROLE.rpartition('/')[2]}/")


async def test_a_call_that_was_under_way_when_the_process_died_is_made_again(stage: Stage) -> None:
    await stage.create("rate(1 hour)", target={"Arn": CALL, "Input": "{}"})
    await stage.service.ticker.settle()
    (claim,) = await stage.queue.claim("schedules.deliveries", 10, 15.0)
    assert claim.attempt == 1
    stage.reopen()
    await stage.queue.release_leases()
    await stage.pass_time()
    assert len(stage.calls.calls) == 1
