"""Archives, and events that come again."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from mayfly.clock import utc
from tests.services.events.conftest import ACCOUNT, REGION, Events, entry, queue_arn

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
ARCHIVE = f"arn:aws:events:{REGION}:{ACCOUNT}:archive/all"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/"


async def archive(events: Events, name: str = "all", **more: Any) -> dict[str, Any]:
    return await events.call("CreateArchive", ArchiveName=name, EventSourceArn=BUS, **more)


async def replay(events: Events, name: str = "again", **destination: Any) -> dict[str, Any]:
    """A replay of everything until now."""
    now = utc(events.clock.now())
    return await events.call(
        "StartReplay",
        ReplayName=name,
        EventSourceArn=ARCHIVE,
        EventStartTime=now - timedelta(hours=1),
        EventEndTime=now + timedelta(seconds=1),
        Destination={"Arn": BUS, **destination},
    )


async def counts(events: Events, name: str = "all") -> tuple[int, int]:
    shown = await events.call("DescribeArchive", ArchiveName=name)
    return shown["EventCount"], shown["SizeBytes"]


async def state(events: Events, name: str = "again") -> str:
    shown: str = (await events.call("DescribeReplay", ReplayName=name))["State"]
    return shown


async def test_an_archive_keeps_what_matches_and_counts_it(events: Events) -> None:
    made = await archive(events, Description="d", EventPattern=json.dumps({"detail": {"n": [1]}}), RetentionDays=1)
    assert made["State"] == "ENABLED"
    assert made["ArchiveArn"] == ARCHIVE
    await events.put(entry({"n": 1}), entry({"n": 2}), entry({"n": 1}))
    count, size = await counts(events)
    assert count == 2
    assert size > 200
    await events.call("UpdateArchive", ArchiveName="all", EventPattern="")
    await events.put(entry({"n": 2}))
    assert (await counts(events))[0] == 3
    shown = await events.call("DescribeArchive", ArchiveName="all")
    assert (shown["Description"], shown["RetentionDays"], "EventPattern" in shown) == ("d", 1, False)


async def test_archives_are_listed_by_prefix_source_and_state(events: Events) -> None:
    await archive(events, "a")
    await archive(events, "b")
    listed = await events.call("ListArchives", Limit=1)
    assert [one["ArchiveName"] for one in listed["Archives"]] == ["a"]
    rest = await events.call("ListArchives", Limit=1, NextToken=listed["NextToken"])
    assert [one["ArchiveName"] for one in rest["Archives"]] == ["b"]
    assert (await events.call("ListArchives", State="DISABLED"))["Archives"] == []
    assert len((await events.call("ListArchives", EventSourceArn=BUS))["Archives"]) == 2
    error = await events.refused("ListArchives", EventSourceArn=BUS + "2")
    assert error.message == "Event bus default2 does not exist."


async def test_archives_that_cannot_be_are_refused(events: Events) -> None:
    await archive(events)
    assert (await events.refused("CreateArchive", ArchiveName="all", EventSourceArn=BUS)).message == (
        "Archive all already exists."
    )
    gone = await events.refused("CreateArchive", ArchiveName="x", EventSourceArn=BUS + "2")
    assert gone.message == "Event bus default2 does not exist."
    for name in ("DescribeArchive", "DeleteArchive"):
        assert (await events.refused(name, ArchiveName="x")).message == "Archive x does not exist."
    assert (await events.refused("UpdateArchive", ArchiveName="x")).message == (
        "At least one of EventPattern, RetentionDays or Description must be provided."
    )
    pattern = await events.refused("CreateArchive", ArchiveName="x", EventSourceArn=BUS, EventPattern="{}{")
    assert pattern.code == "InvalidEventPatternException"


async def test_a_replay_puts_every_event_on_the_bus_again_once(events: Events) -> None:
    await archive(events)
    await events.put(*[entry({"n": number}) for number in range(9)])
    for _ in range(5):
        await events.put(*[entry({"n": 9})] * 10)
    await events.rule("sales", queue_arn("sales"))
    async with events.running():
        started = await replay(events)
        assert started["State"] == "STARTING"
        await events.until(lambda: len(events.targets.got) >= 59)
        while await state(events) != "COMPLETED":
            pass
    got = events.targets.of(queue_arn("sales"))
    assert [event["detail"]["n"] for event in got] == [*range(9), *[9] * 50]
    assert {event["replay-name"] for event in got} == {"again"}
    assert list(got[0])[-3:] == ["replay-name", "resources", "detail"]
    assert len({event["id"] for event in got}) == 59
    assert (await counts(events))[0] == 59  # what is replayed is not archived again
    shown = await events.call("DescribeReplay", ReplayName="again")
    assert {"ReplayEndTime", "EventLastReplayedTime"} <= shown.keys()


async def test_a_replay_reaches_only_the_rules_that_it_names(events: Events) -> None:
    await archive(events)
    await events.put(entry())
    await events.rule("one", queue_arn("one"))
    await events.rule("two", queue_arn("two"))
    async with events.running():
        await replay(events, FilterArns=[RULE + "two"])
        await events.until(lambda: bool(events.targets.got))
        while await state(events) != "COMPLETED":
            pass
    assert [arn for arn, _, _ in events.targets.got] == [queue_arn("two")]


async def test_a_replay_has_the_times_that_it_was_given(events: Events) -> None:
    await archive(events)
    begin = events.clock.now()
    for number in range(5):
        await events.put(entry({"n": number}))
        events.clock.advance(10)
    await events.rule("sales", queue_arn("sales"))
    async with events.running():
        await events.call(
            "StartReplay",
            ReplayName="again",
            EventSourceArn=ARCHIVE,
            EventStartTime=utc(begin + 10),
            EventEndTime=utc(begin + 30),
            Destination={"Arn": BUS},
        )
        while await state(events) != "COMPLETED":
            pass
        await events.until(lambda: len(events.targets.got) >= 2)
    assert [event["detail"]["n"] for event in events.targets.of(queue_arn("sales"))] == [1, 2]


async def test_a_replay_that_was_interrupted_goes_on_where_it_was(events: Events) -> None:
    await archive(events)
    for _ in range(10):
        await events.put(*[entry()] * 10)
    await events.rule("sales", queue_arn("sales"))
    async with events.running():
        await replay(events)
        await events.until(lambda: len(events.targets.got) >= 20)
    again = Events(events.store, events.clock, events.targets, events.http, events.limits)
    async with again.running():
        while await state(again) != "COMPLETED":
            pass
        await events.until(lambda: len(events.targets.got) >= 100)
    ids = [event["id"] for event in events.targets.of(queue_arn("sales"))]
    assert len(ids) == len(set(ids)) == 100


async def test_a_replay_can_be_cancelled_once(events: Events) -> None:
    await archive(events)
    await events.put(entry())
    await replay(events)
    assert (await events.call("CancelReplay", ReplayName="again"))["State"] == "CANCELLING"
    async with events.running():
        while await state(events) != "CANCELLED":
            pass
    assert (await events.refused("CancelReplay", ReplayName="again")).code == "IllegalStatusException"


async def test_the_events_of_a_deleted_archive_go_and_its_replays_fail(events: Events) -> None:
    await archive(events)
    await events.put(*[entry()] * 10)
    await replay(events)
    await events.call("DeleteArchive", ArchiveName="all")
    await archive(events)
    assert await counts(events) == (0, 0)

    async def left() -> int:
        rows = await events.store.read(lambda reader: reader.all("SELECT id FROM events_archived"))
        return len(rows)

    async with events.running():
        while await left() or await state(events) != "FAILED":
            pass


async def test_events_older_than_the_retention_are_thrown_away(events: Events) -> None:
    await archive(events, RetentionDays=1)
    await archive(events, "ever")
    await events.put(entry())
    events.clock.advance(2 * 86_400)
    await events.put(entry())
    async with events.running():
        while (await counts(events))[0] != 1:
            pass
    assert (await counts(events, "ever"))[0] == 2


async def test_replays_that_cannot_be_are_refused(events: Events) -> None:
    await archive(events)
    now = utc(events.clock.now())
    good = {
        "ReplayName": "x",
        "EventSourceArn": ARCHIVE,
        "EventStartTime": now - timedelta(hours=1),
        "EventEndTime": now,
        "Destination": {"Arn": BUS},
    }
    await events.call("CreateEventBus", Name="other")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"EventSourceArn": ARCHIVE + "2"},
         "Parameter EventSourceArn is not valid. Reason: Archive all2 does not exist."),
        ({"Destination": {"Arn": BUS + "2"}}, "Event bus default2 does not exist."),
        ({"Destination": {"Arn": BUS.replace("default", "other")}},
         "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted."),
        ({"EventEndTime": now - timedelta(hours=1)},
         "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."),
        ({"Destination": {"Arn": BUS, "FilterArns": [RULE + "none"]}}, "Rule none does not exist on EventBus default."),
    ]  # fmt: skip
    for change, message in cases:
        assert (await events.refused("StartReplay", **{**good, **change})).message == message
    for number in range(10):
        await events.call("StartReplay", **{**good, "ReplayName": f"r{number}"})
    assert (await events.refused("StartReplay", **good)).code == "LimitExceededException"
    assert (await events.refused("StartReplay", **{**good, "ReplayName": "r1"})).message == "Replay r1 already exists."
    assert (await events.refused("DescribeReplay", ReplayName="x")).message == "Replay x does not exist."
    listed = await events.call("ListReplays", NamePrefix="r", State="STARTING", Limit=4, EventSourceArn=ARCHIVE)
    assert [one["ReplayName"] for one in listed["Replays"]] == ["r0", "r1", "r2", "r3"]
    assert (await events.call("ListReplays", State="COMPLETED"))["Replays"] == []


async def test_replays_are_forgotten_ninety_days_after_their_end(events: Events) -> None:
    await archive(events)
    async with events.running():
        await replay(events, "old")
        while await state(events, "old") != "COMPLETED":
            pass
    events.clock.advance(80 * 86_400)
    async with events.running():
        await replay(events, "new")
        while await state(events, "new") != "COMPLETED":
            pass
    events.clock.advance(11 * 86_400)
    async with events.running():
        async with asyncio.timeout(20):
            while [one["ReplayName"] for one in (await events.call("ListReplays"))["Replays"]] != ["new"]:
                pass
