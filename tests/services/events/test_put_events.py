"""PutEvents, and what follows in the same transaction."""

import json
from datetime import UTC, datetime

from mayfly.services.contract import ServiceError
from tests.services.events.conftest import ACCOUNT, REGION, Events, entry, function_arn, queue_arn


async def test_an_event_reaches_the_targets_of_matching_rules_before_it_is_acknowledged(events: Events) -> None:
    await events.rule("sales", queue_arn("sales"), function_arn("book"))
    await events.rule("else", queue_arn("else"), pattern=json.dumps({"source": ["other"]}))
    reply = await events.put(entry({"price": 3}))
    assert reply == {"FailedEntryCount": 0, "Entries": [{"EventId": "event-1"}]}
    expected = {
        "version": "0",
        "id": "event-1",
        "detail-type": "sold",
        "source": "shop",
        "account": ACCOUNT,
        "time": "2023-11-14T22:13:20Z",
        "region": REGION,
        "resources": [],
        "detail": {"price": 3},
    }
    assert events.targets.of(queue_arn("sales")) == [expected]
    assert events.targets.of(function_arn("book")) == [expected]
    assert events.targets.of(queue_arn("else")) == []
    assert list(json.loads(events.targets.got[0][1])) == list(expected)  # AWS's order


async def test_time_and_resources_of_an_entry_are_the_events(events: Events) -> None:
    await events.rule("sales", queue_arn("sales"))
    at = datetime(2022, 1, 1, 12, 30, tzinfo=UTC)
    await events.put({**entry(), "Time": at, "Resources": ["arn:a", "arn:b"]})
    (event,) = events.targets.of(queue_arn("sales"))
    assert (event["time"], event["resources"]) == ("2022-01-01T12:30:00Z", ["arn:a", "arn:b"])


async def test_entries_are_refused_one_by_one(events: Events) -> None:
    await events.rule("sales", queue_arn("sales"))
    good = entry()
    reply = await events.put(
        {**good, "Source": ""},
        {name: value for name, value in good.items() if name != "DetailType"},
        {name: value for name, value in good.items() if name != "Detail"},
        good,
        {**good, "Detail": "NotJSON"},
        {**good, "Detail": "[]"},
        {**good, "Detail": '"text"'},
        {**good, "Source": "aws.s3"},
        {**good, "Source": "mayfly.functions"},
        {**good, "Detail": '{"a":' * 5000 + "1" + "}" * 5000},
    )
    codes = [result.get("ErrorCode") for result in reply["Entries"]]
    assert codes == [
        "InvalidArgument",
        "InvalidArgument",
        "InvalidArgument",
        None,
        "MalformedDetail",
        "MalformedDetail",
        "MalformedDetail",
        "NotAuthorizedForSource",
        "NotAuthorizedForSource",
        "MalformedDetail",
    ]
    assert reply["FailedEntryCount"] == 9
    assert (
        reply["Entries"][0]["ErrorMessage"] == "Parameter Source is not valid. Reason: Source is a required argument."
    )
    assert len(events.targets.of(queue_arn("sales"))) == 1


async def test_a_request_takes_a_mebibyte_counted_as_aws_counts(events: Events) -> None:
    overhead = len("shop") + len("sold") + len('{"x":""}')
    fits = {**entry(), "Detail": json.dumps({"x": "y" * (1024 * 1024 - overhead)}, separators=(",", ":"))}
    assert (await events.put(fits))["FailedEntryCount"] == 0
    error = await events.refused("PutEvents", Entries=[{**fits, "Source": "shops"}])
    assert error.code == "ValidationException"
    assert error.message == "Total size of the entries in the request is over the limit."


async def test_an_entry_for_a_bus_that_is_not_there_is_taken_and_reaches_nobody(events: Events) -> None:
    await events.rule("sales", queue_arn("sales"))
    reply = await events.put(entry(bus="nowhere"), entry())
    assert [set(result) for result in reply["Entries"]] == [{"EventId"}, {"EventId"}]
    assert len(events.targets.got) == 1


async def test_buses_keep_to_themselves_and_may_be_named_by_their_arn(events: Events) -> None:
    arn = (await events.call("CreateEventBus", Name="orders"))["EventBusArn"]
    await events.rule("here", queue_arn("here"), bus="orders")
    await events.rule("there", queue_arn("there"))
    await events.put(entry({"n": 1}, bus=arn), entry({"n": 2}))
    assert [event["detail"]["n"] for event in events.targets.of(queue_arn("here"))] == [1]
    assert [event["detail"]["n"] for event in events.targets.of(queue_arn("there"))] == [2]


async def test_a_disabled_rule_hears_nothing_until_it_is_enabled(events: Events) -> None:
    await events.rule("sales", queue_arn("sales"))
    await events.put(entry({"n": 1}))
    await events.call("DisableRule", Name="sales")
    await events.put(entry({"n": 2}))
    await events.call("EnableRule", Name="sales")
    await events.put(entry({"n": 3}))
    assert [event["detail"]["n"] for event in events.targets.of(queue_arn("sales"))] == [1, 3]


async def test_changed_patterns_and_targets_count_for_the_next_event(events: Events) -> None:
    await events.rule("sales", queue_arn("first"))
    await events.put(entry({"n": 1}))
    await events.rule("sales", queue_arn("second"))
    await events.put(entry({"n": 2}))
    await events.rule("sales", pattern=json.dumps({"source": ["other"]}))
    await events.put(entry({"n": 3}))
    assert [event["detail"]["n"] for event in events.targets.of(queue_arn("first"))] == [1]
    assert [event["detail"]["n"] for event in events.targets.of(queue_arn("second"))] == [2]


async def test_a_policy_that_denies_is_kept_to(events: Events) -> None:
    await events.rule("sales", queue_arn("sales"))
    deny = {"Effect": "Deny", "Principal": "*", "Action": "events:*", "Resource": "*"}
    await events.call("PutPermission", Policy=json.dumps({"Statement": [deny]}))
    reply = await events.put(entry())
    assert reply["Entries"][0]["ErrorCode"] == "AccessDeniedException"
    await events.call("RemovePermission", RemoveAllPermissions=True)
    assert (await events.put(entry()))["FailedEntryCount"] == 0


async def test_a_target_that_fails_fails_nobody_else(events: Events) -> None:
    events.targets.broken[queue_arn("gone")] = ServiceError("QueueDoesNotExist", "no")
    await events.rule("sales", queue_arn("gone"), queue_arn("sales"))
    assert (await events.put(entry()))["FailedEntryCount"] == 0
    assert len(events.targets.of(queue_arn("sales"))) == 1


async def test_an_event_for_thousands_of_targets_is_acknowledged_at_once_and_reaches_all(events: Events) -> None:
    for number in range(120):
        await events.rule(f"rule-{number:03}", queue_arn(f"queue-{number:03}"), queue_arn("all"))
    await events.put(entry())
    assert 16 <= len(events.targets.got) <= 18
    async with events.running():
        await events.until(lambda: len(events.targets.got) >= 240)
    assert len({arn for arn, _, _ in events.targets.got}) == 121
    assert len(events.targets.got) == 240
