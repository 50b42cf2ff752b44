"""Logs against a real store and a real journal."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.app.call_records import CallRecords
from mayfly.app.targets import Targets
from mayfly.clock import ManualClock
from mayfly.metering.ledger import Ledger
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import LogLines
from mayfly.services.telemetry.on_the_wire import LogsOnTheWire
from mayfly.services.telemetry.service import LogsService
from mayfly.store.sqlite import SqliteStore
from tests.conftest import OpenStore

GROUP, STREAM = "/aws/lambda/hello", "2026/01/31/[$LATEST]abc"
CONTEXT = RequestContext(
    "id", "000000000000", "us-east-1", Principal("root", "000000000000", "arn", "id"), "http://127.0.0.1:4566"
)


class Logs:
    """The service, called as the wire calls it."""

    def __init__(self, store: SqliteStore, service: LogsService, records: CallRecords, clock: ManualClock) -> None:
        self.service = service
        self.wire = LogsOnTheWire(store, service.book, clock, Targets())
        self.records = records
        self.clock = clock

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.wire.operations[operation](CONTEXT, request)
        return reply

    def write(self, *messages: str, stream: str = STREAM, group: str = GROUP) -> None:
        """Write one event a message, a second apart."""
        for message in messages:
            now = int(self.clock.now() * 1000)
            self.records.append([LogLines(group, stream, [(now, message)])], [])
            self.clock.advance(1)

    async def messages(self, **request: Any) -> list[str]:
        reply = await self("FilterLogEvents", logGroupName=GROUP, **request)
        return [event["message"] for event in reply["events"]]


@pytest.fixture
async def logs(open_store: OpenStore, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Logs]:
    store = await open_store("mayfly.services.telemetry")
    service = LogsService(store, clock)
    records = await CallRecords.open(tmp_path / "journals", store, service.book, Ledger(store, clock), clock)
    yield Logs(store, service, records, clock)
    await records.close()


async def test_what_was_written_is_read_in_order(logs: Logs) -> None:
    logs.write("one", "two", "three")
    assert await logs.messages() == ["one", "two", "three"]


async def test_groups_and_streams_come_into_being_with_their_first_event(logs: Logs) -> None:
    logs.write("one")
    groups = await logs("DescribeLogGroups", logGroupNamePrefix="/aws/lambda/")
    streams = await logs("DescribeLogStreams", logGroupName=GROUP)
    assert [group["logGroupName"] for group in groups["logGroups"]] == [GROUP]
    assert groups["logGroups"][0]["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:*"
    assert [stream["logStreamName"] for stream in streams["logStreams"]] == [STREAM]


async def test_get_log_events_returns_the_newest_unless_told_to_start_from_the_head(logs: Logs) -> None:
    logs.write(*map(str, range(10)))
    newest = await logs("GetLogEvents", logGroupName=GROUP, logStreamName=STREAM, limit=3)
    oldest = await logs("GetLogEvents", logGroupName=GROUP, logStreamName=STREAM, limit=3, startFromHead=True)
    assert [event["message"] for event in newest["events"]] == ["7", "8", "9"]
    assert [event["message"] for event in oldest["events"]] == ["0", "1", "2"]


async def test_tokens_page_in_both_directions_and_rest_at_the_ends(logs: Logs) -> None:
    logs.write(*map(str, range(5)))
    where = {"logGroupName": GROUP, "logStreamName": STREAM, "limit": 3}
    page = await logs("GetLogEvents", **where, startFromHead=True)
    page = await logs("GetLogEvents", **where, nextToken=page["nextForwardToken"])
    assert [event["message"] for event in page["events"]] == ["3", "4"]
    end = await logs("GetLogEvents", **where, nextToken=page["nextForwardToken"])
    assert end["events"] == []
    assert end["nextForwardToken"] == page["nextForwardToken"]
    back = await logs("GetLogEvents", **where, nextToken=page["nextBackwardToken"])
    assert [event["message"] for event in back["events"]] == ["0", "1", "2"]


async def test_filtering_pages_through_everything_exactly_once(logs: Logs) -> None:
    logs.write(*(f"line {number}" for number in range(25)))
    found: list[str] = []
    request: dict[str, Any] = {"logGroupName": GROUP, "limit": 10, "filterPattern": "line"}
    while True:
        page = await logs("FilterLogEvents", **request)
        found += [event["message"] for event in page["events"]]
        if "nextToken" not in page:
            break
        request["nextToken"] = page["nextToken"]
    assert found == [f"line {number}" for number in range(25)]


async def test_filtering_selects_by_stream_and_by_time(logs: Logs) -> None:
    logs.write("a", stream="one")
    middle = int(logs.clock.now() * 1000)
    logs.write("b", stream="two")
    logs.write("c", stream="one")
    assert await logs.messages(logStreamNames=["one"]) == ["a", "c"]
    assert await logs.messages(logStreamNamePrefix="tw") == ["b"]
    assert await logs.messages(startTime=middle) == ["b", "c"]
    assert await logs.messages(endTime=middle - 1) == ["a"]


async def test_streams_are_listed_by_name_or_by_their_last_event(logs: Logs) -> None:
    logs.write("1", stream="b")
    logs.write("2", stream="a")
    logs.write("3", stream="b")

    async def names(**request: Any) -> list[str]:
        reply = await logs("DescribeLogStreams", logGroupName=GROUP, **request)
        return [stream["logStreamName"] for stream in reply["logStreams"]]

    assert await names() == ["a", "b"]
    assert await names(descending=True) == ["b", "a"]
    assert await names(orderBy="LastEventTime", descending=True) == ["b", "a"]
    page = await logs("DescribeLogStreams", logGroupName=GROUP, orderBy="LastEventTime", limit=1)
    assert await names(orderBy="LastEventTime", limit=1, nextToken=page["nextToken"]) == ["b"]


async def test_put_log_events_rejects_what_is_too_old_or_too_new_and_says_which(logs: Logs) -> None:
    await logs("CreateLogGroup", logGroupName=GROUP)
    await logs("CreateLogStream", logGroupName=GROUP, logStreamName="s")
    now = int(logs.clock.now() * 1000)
    day = 86_400_000
    for timestamps, rejected in (
        ([now - 15 * day], {"tooOldLogEventEndIndex": 1}),
        ([now, now + day // 2], {"tooNewLogEventStartIndex": 1}),
    ):
        events = [{"timestamp": timestamp, "message": "m"} for timestamp in timestamps]
        reply = await logs("PutLogEvents", logGroupName=GROUP, logStreamName="s", logEvents=events)
        assert reply["rejectedLogEventsInfo"] == rejected
    assert await logs.messages() == ["m"]


async def test_a_batch_out_of_order_is_refused(logs: Logs) -> None:
    logs.write("x")
    now = int(logs.clock.now() * 1000)
    events = [{"timestamp": now, "message": "2"}, {"timestamp": now - 1, "message": "1"}]
    with pytest.raises(ServiceError, match="chronological order"):
        await logs("PutLogEvents", logGroupName=GROUP, logStreamName=STREAM, logEvents=events)


async def test_retention_drops_what_is_older_and_keeps_the_rest(logs: Logs) -> None:
    logs.write("old")
    await logs("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=1)
    logs.clock.advance(2 * 86_400)
    logs.write("new")
    await logs.service.book.settle()
    await logs.service.book.expire()
    assert await logs.messages() == ["new"]
    group = (await logs("DescribeLogGroups"))["logGroups"][0]
    assert (group["retentionInDays"], group["storedBytes"]) == (1, len("new") + 26)


async def test_deleting_a_group_deletes_its_events(logs: Logs) -> None:
    logs.write("gone")
    await logs("DeleteLogGroup", logGroupName=GROUP)
    with pytest.raises(ServiceError, match="The specified log group does not exist"):
        await logs.messages()
    logs.write("fresh")
    assert await logs.messages() == ["fresh"]


async def test_deleting_a_stream_leaves_the_others(logs: Logs) -> None:
    logs.write("a", stream="one")
    logs.write("b", stream="two")
    await logs("DeleteLogStream", logGroupName=GROUP, logStreamName="one")
    assert await logs.messages() == ["b"]


async def test_a_group_is_made_once(logs: Logs) -> None:
    await logs("CreateLogGroup", logGroupName=GROUP)
    with pytest.raises(ServiceError, match="ResourceAlreadyExistsException"):
        await logs("CreateLogGroup", logGroupName=GROUP)


@pytest.mark.parametrize("name", ["", "a b", "a:b"])
async def test_a_bad_group_name_is_refused(logs: Logs, name: str) -> None:
    with pytest.raises(ServiceError, match="InvalidParameterException"):
        await logs("CreateLogGroup", logGroupName=name)


async def test_groups_are_named_by_arn_as_well(logs: Logs) -> None:
    logs.write("x")
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"
    reply = await logs("FilterLogEvents", logGroupIdentifier=arn)
    assert len(reply["events"]) == 1


@pytest.mark.parametrize("token", ["nonsense", "Zg==", "ZgoxCng="])
async def test_a_forged_token_is_refused(logs: Logs, token: str) -> None:
    logs.write("x")
    with pytest.raises(ServiceError, match="nextToken is invalid"):
        await logs("GetLogEvents", logGroupName=GROUP, logStreamName=STREAM, nextToken=token)


async def test_tags_of_a_group_are_kept(logs: Logs) -> None:
    await logs("CreateLogGroup", logGroupName=GROUP, tags={"a": "1"})
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"
    await logs("TagResource", resourceArn=arn, tags={"b": "2"})
    await logs("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert (await logs("ListTagsForResource", resourceArn=arn))["tags"] == {"b": "2"}
