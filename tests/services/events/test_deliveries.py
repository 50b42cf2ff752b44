"""Attempts after the first, lanes, dead letters."""

import asyncio
import json
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.events.http_targets import HttpDelivery, HttpTargetError
from mayfly.services.events.lanes import IDLE_S
from tests.services.events.conftest import Events, destination_arn, entry, function_arn, queue_arn

BUSY = ServiceError("ThrottlingException", "later")
GONE = ServiceError("AWS.SimpleQueueService.NonExistentQueue", "no such queue")


async def rule_with(events: Events, **target: Any) -> None:
    await events.rule("sales")
    await events.call("PutTargets", Rule="sales", Targets=[{"Id": "t", **target}])


def said(events: Events) -> list[dict[str, str]]:
    """The attributes of the dead letters."""
    return [
        {name: str(attribute.value) for name, attribute in message.attributes.items()}
        for _, message in events.targets.letters
    ]


async def test_a_target_that_was_busy_gets_the_event_later(events: Events) -> None:
    await rule_with(events, Arn=queue_arn("slow"))
    events.targets.broken[queue_arn("slow")] = BUSY
    async with events.running():
        await events.put(entry({"n": 1}))
        del events.targets.broken[queue_arn("slow")]
        assert events.targets.got == []
        await events.pass_time(2)
        await events.until(lambda: bool(events.targets.got))
    assert events.targets.of(queue_arn("slow"))[0]["detail"] == {"n": 1}
    assert events.targets.letters == []


async def test_an_event_for_what_is_not_there_is_a_dead_letter_at_once(events: Events) -> None:
    await rule_with(events, Arn=queue_arn("gone"), DeadLetterConfig={"Arn": queue_arn("dead")})
    events.targets.broken[queue_arn("gone")] = GONE
    await events.put(entry({"n": 1}))
    ((arn, message),) = events.targets.letters
    assert arn == queue_arn("dead")
    assert json.loads(message.body)["detail"] == {"n": 1}
    assert said(events) == [
        {
            "RULE_ARN": "arn:aws:events:us-east-1:000000000000:rule/sales",
            "TARGET_ARN": queue_arn("gone"),
            "ERROR_CODE": "NO_RESOURCE",
            "ERROR_MESSAGE": "no such queue",
            "RETRY_ATTEMPTS": "0",
        }
    ]


async def test_attempts_that_run_out_end_in_the_dead_letters(events: Events) -> None:
    await rule_with(
        events,
        Arn=queue_arn("slow"),
        DeadLetterConfig={"Arn": queue_arn("dead")},
        RetryPolicy={"MaximumRetryAttempts": 2},
    )
    events.targets.broken[queue_arn("slow")] = BUSY
    async with events.running():
        await events.put(entry())
        for _ in range(200):
            if events.targets.letters:
                break
            await events.pass_time(10)
            await asyncio.sleep(0.01)
    (attributes,) = said(events)
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert (attributes["ERROR_CODE"], attributes["RETRY_ATTEMPTS"]) == ("THROTTLING", "2")


async def test_no_retries_means_none(events: Events) -> None:
    await rule_with(
        events,
        Arn=queue_arn("slow"),
        DeadLetterConfig={"Arn": queue_arn("dead")},
        RetryPolicy={"MaximumRetryAttempts": 0},
    )
    events.targets.broken[queue_arn("slow")] = BUSY
    await events.put(entry())
    assert said(events)[0]["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"


async def test_an_event_that_grows_too_old_is_a_dead_letter(events: Events) -> None:
    await rule_with(
        events,
        Arn=queue_arn("slow"),
        DeadLetterConfig={"Arn": queue_arn("dead")},
        RetryPolicy={"MaximumEventAgeInSeconds": 60},
    )
    events.targets.broken[queue_arn("slow")] = BUSY
    async with events.running():
        await events.put(entry())
        await events.pass_time(61)
        await events.until(lambda: bool(events.targets.letters))
    assert said(events)[0]["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


async def test_a_dead_letter_queue_that_is_broken_breaks_nothing(events: Events) -> None:
    await rule_with(events, Arn=queue_arn("gone"), DeadLetterConfig={"Arn": queue_arn("dead")})
    events.targets.broken |= {queue_arn("gone"): GONE, queue_arn("dead"): GONE}
    assert (await events.put(entry()))["FailedEntryCount"] == 0
    assert events.targets.letters == []


async def test_retries_outlive_the_server(events: Events) -> None:
    await rule_with(events, Arn=queue_arn("slow"))
    events.targets.broken[queue_arn("slow")] = BUSY
    await events.put(entry({"n": 1}))
    events.targets.broken.clear()
    again = Events(events.store, events.clock, events.targets, events.http, limits=events.limits)
    await events.pass_time(5)
    async with again.running():
        await again.until(lambda: bool(events.targets.got))
    assert len(events.targets.of(queue_arn("slow"))) == 1


async def test_a_rule_that_is_deleted_meanwhile_changes_nothing_for_what_matched_it(events: Events) -> None:
    await rule_with(events, Arn=queue_arn("slow"))
    events.targets.broken[queue_arn("slow")] = BUSY
    await events.put(entry({"n": 1}))
    await events.call("RemoveTargets", Rule="sales", Ids=["t"])
    await events.call("DeleteRule", Name="sales")
    events.targets.broken.clear()
    await events.pass_time(5)
    async with events.running():
        await events.until(lambda: bool(events.targets.got))


async def test_an_input_that_is_no_json_never_reaches_a_function(events: Events) -> None:
    transformer = {"InputPathsMap": {"d": "$.detail"}, "InputTemplate": '"one <d>"\n"two"'}
    await rule_with(
        events,
        Arn=function_arn("f"),
        InputTransformer=transformer,
        DeadLetterConfig={"Arn": queue_arn("dead")},
    )
    await events.put(entry())
    assert events.targets.got == []
    assert said(events)[0]["ERROR_CODE"] == "INVALID_JSON"


async def test_inputs_are_what_targets_get(events: Events) -> None:
    await events.rule("sales")
    targets = [
        {"Id": "1", "Arn": queue_arn("constant"), "Input": '{"x": 1}'},
        {"Id": "2", "Arn": queue_arn("path"), "InputPath": "$.detail"},
        {
            "Id": "3",
            "Arn": queue_arn("made"),
            "InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"n is <n>"'},
        },
        {"Id": "4", "Arn": queue_arn("ordered.fifo"), "SqsParameters": {"MessageGroupId": "g"}},
    ]
    await events.call("PutTargets", Rule="sales", Targets=targets)
    await events.put(entry({"n": 7}))
    got = {arn: body for arn, body, _ in events.targets.got}
    assert got[queue_arn("constant")] == b'{"x": 1}'
    assert json.loads(got[queue_arn("path")]) == {"n": 7}
    assert got[queue_arn("made")] == b'"n is 7"'
    (options,) = [options for arn, _, options in events.targets.got if arn == queue_arn("ordered.fifo")]
    assert options.group_id == "g"


async def test_api_destinations_are_asked_after_the_commit_with_what_the_rule_adds(events: Events) -> None:
    await rule_with(
        events,
        Arn=destination_arn("shop"),
        HttpParameters={
            "PathParameterValues": ["$.detail.id", "fixed"],
            "HeaderParameters": {"x-kind": "$.detail-type", "x-all": "$.detail"},
            "QueryStringParameters": {"none": "$.detail.missing"},
        },
        InputPath="$.detail",
    )
    async with events.running():
        await events.put(entry({"id": 42}))
        await events.until(lambda: bool(events.http.got))
    ((arn, delivery),) = events.http.got
    assert arn == destination_arn("shop")
    assert delivery.event is not None
    assert json.loads(delivery.event)["detail-type"] == "sold"
    assert delivery == HttpDelivery(
        b'{"id":42}', ("42", "fixed"), {"x-kind": "sold", "x-all": '{"id":42}'}, {"none": ""}, delivery.event
    )


async def test_an_endpoint_that_fails_is_asked_again_and_given_up_by_its_policy(events: Events) -> None:
    await rule_with(
        events,
        Arn=destination_arn("shop"),
        DeadLetterConfig={"Arn": queue_arn("dead")},
        RetryPolicy={"MaximumRetryAttempts": 1},
    )
    events.http.answer = lambda _: HttpTargetError("ERROR_FROM_TARGET", "503", retry=True)
    async with events.running():
        await events.put(entry())
        for _ in range(200):
            if events.targets.letters:
                break
            await events.pass_time(2)
            await asyncio.sleep(0.01)
    assert len(events.http.got) == 2
    assert said(events)[0]["ERROR_CODE"] == "ERROR_FROM_TARGET"
    assert said(events)[0]["RETRY_ATTEMPTS"] == "1"


async def test_what_a_rate_limit_holds_back_does_not_count_as_an_attempt(events: Events) -> None:
    await rule_with(
        events,
        Arn=destination_arn("shop"),
        DeadLetterConfig={"Arn": queue_arn("dead")},
        RetryPolicy={"MaximumRetryAttempts": 0},
    )
    held = HttpTargetError("THROTTLING", "rate", retry=True, after_s=1.0, counted=False)
    events.http.answer = lambda _: held if len(events.http.got) < 4 else None
    async with events.running():
        await events.put(entry())
        for _ in range(200):
            if len(events.http.got) == 4:
                break
            await events.pass_time(1.5)
            await asyncio.sleep(0.01)
    assert len(events.http.got) == 4
    assert events.targets.letters == []


async def test_a_dead_endpoint_holds_up_nobody_else(events: Events) -> None:
    never = asyncio.Event()
    events.http.answer = lambda arn: never.wait() if arn == destination_arn("dead") else None
    await events.rule("sales", destination_arn("dead"), destination_arn("alive"))
    async with events.running():
        for _ in range(4):
            await events.put(*[entry()] * 10)
        await events.until(lambda: sum(arn == destination_arn("alive") for arn, _ in events.http.got) == 40)
        assert sum(arn == destination_arn("dead") for arn, _ in events.http.got) <= 8


async def test_a_lane_that_is_empty_is_forgotten(events: Events) -> None:
    await events.rule("sales", destination_arn("shop"))
    async with events.running():
        await events.put(entry())
        await events.until(lambda: bool(events.http.got))

        async def lanes() -> int:
            rows = await events.store.read(lambda reader: reader.all("SELECT lane FROM events_lanes"))
            return len(rows)

        async with asyncio.timeout(10):
            while await lanes():
                await events.pass_time(IDLE_S + 1)
                await asyncio.sleep(0.005)
        await events.put(entry())
        await events.until(lambda: len(events.http.got) == 2)


async def test_events_go_from_bus_to_bus_and_keep_their_id(events: Events) -> None:
    await events.call("CreateEventBus", Name="a")
    await events.call("CreateEventBus", Name="b")
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/"
    await events.rule("to-a", bus + "a")
    await events.rule("to-b", bus + "b", bus="a")
    await events.rule("end", queue_arn("end"), bus="b")
    reply = await events.put(entry({"n": 1}))
    (event,) = events.targets.of(queue_arn("end"))
    assert event["id"] == reply["Entries"][0]["EventId"]


async def test_an_event_that_comes_back_to_a_bus_is_a_dead_letter(events: Events) -> None:
    await events.call("CreateEventBus", Name="a")
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/"
    dead = {"Arn": queue_arn("dead")}
    await events.rule("out")
    await events.call("PutTargets", Rule="out", Targets=[{"Id": "t", "Arn": bus + "a"}])
    await events.rule("back", bus="a")
    back = [{"Id": "t", "Arn": bus + "default", "DeadLetterConfig": dead}]
    await events.call("PutTargets", Rule="back", EventBusName="a", Targets=back)
    assert (await events.put(entry()))["FailedEntryCount"] == 0
    assert [attributes["ERROR_CODE"] for attributes in said(events)] == ["LOOP_DETECTED"]


async def test_a_bus_that_is_gone_is_no_target(events: Events) -> None:
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/nowhere"
    await rule_with(events, Arn=bus, DeadLetterConfig={"Arn": queue_arn("dead")})
    await events.put(entry())
    assert said(events)[0]["ERROR_CODE"] == "NO_RESOURCE"


async def test_the_trace_of_an_event_goes_along_to_its_targets_and_over_retries(events: Events) -> None:
    await events.rule("sales", queue_arn("now"), queue_arn("later"))
    events.targets.broken[queue_arn("later")] = BUSY
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    async with events.running():
        await events.put({**entry(), "TraceHeader": trace})
        events.targets.broken.clear()
        await events.pass_time(2)
        await events.until(lambda: len(events.targets.got) == 2)
    assert {arn: options.trace_header for arn, _, options in events.targets.got} == {
        queue_arn("now"): trace,
        queue_arn("later"): trace,
    }
