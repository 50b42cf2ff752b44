"""Functions that are driven by queues: batches, order, failures, filters, throttles."""

import asyncio
import json
from typing import Any

import pytest

from mayfly.engine.api import Failure, ThrottledError
from mayfly.services.functions import recursion
from tests.services.functions.conftest import OpenStage
from tests.services.functions.mappings.staging import MappingStage, queue_arn
from tests.services.functions.stage import ARN, REGION, failed


@pytest.fixture
async def at(open_stage: OpenStage) -> MappingStage:
    stage = MappingStage(await open_stage())
    await stage.stage.create()
    await stage.make_queue()
    return stage


def bodies(batch: list[dict[str, Any]]) -> list[str]:
    return [record["body"] for record in batch]


def report(*ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in ids]}


async def test_messages_are_handed_over_in_batches_and_deleted_when_the_function_took_them(at: MappingStage) -> None:
    await at.send(*(str(number) for number in range(25)))
    await at.map()
    await at.emptied()
    assert sorted(len(batch) for batch in at.batches) == [5, 10, 10]
    assert sorted(int(body) for batch in at.batches for body in bodies(batch)) == list(range(25))


async def test_a_record_has_the_members_that_aws_gives_it_and_no_others(at: MappingStage) -> None:
    await at.send(
        '{"a": 1}',
        MessageAttributes={
            "Author": {"DataType": "String", "StringValue": "Jane"},
            "Key": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    await at.map()
    [[record]] = await at.batches_of(1)
    assert record.pop("receiptHandle")
    assert len(record.pop("messageId")) == 36
    attributes = record.pop("attributes")
    assert attributes.keys() == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert attributes["ApproximateReceiveCount"] == "1"
    assert record == {
        "body": '{"a": 1}',
        "messageAttributes": {
            "Author": {"stringValue": "Jane", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
            "Key": {"binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
        },
        "md5OfMessageAttributes": record["md5OfMessageAttributes"],
        "md5OfBody": record["md5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn("q"),
        "awsRegion": REGION,
    }
    assert len(record["md5OfBody"]) == len(record["md5OfMessageAttributes"]) == 32


async def test_what_the_function_failed_on_comes_again_when_its_visibility_timeout_is_over(at: MappingStage) -> None:
    at.answer = lambda records: failed(Failure("raised", payload=b'{"errorType":"E"}'))
    await at.send("a")
    await at.map()
    [[first]] = await at.batches_of(1)
    at.answer = lambda records: None
    at.stage.clock.advance(29)
    await at.send("b")
    assert bodies((await at.batches_of(2))[1]) == ["b"]
    at.stage.clock.advance(2)
    await at.send("c")
    again = [record for batch in (await at.batches_of(3))[2:] for record in batch]
    await at.emptied()
    found = next(record for record in again if record["body"] == "a")
    assert found["messageId"] == first["messageId"]
    assert found["attributes"]["ApproximateReceiveCount"] == "2"


async def test_what_fails_too_often_goes_to_the_dead_letters_of_the_queue(at: MappingStage) -> None:
    await at.make_queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": 2})
    await at.make_queue("r", RedrivePolicy=redrive)
    at.answer = lambda records: failed(Failure("raised", payload=b"{}")) if "bad" in bodies(records) else None
    await at.map(EventSourceArn=queue_arn("r"), BatchSize=1)
    await at.send("bad", queue="r")
    await at.batches_of(1)
    for count in (2, 3):
        at.stage.clock.advance(31)
        await at.send(f"nudge {count}", queue="r")
        await at.batches_of(count)
    async with asyncio.timeout(30):
        while True:
            if await at.left("dead"):
                break
            await asyncio.sleep(0)


async def test_messages_that_are_reported_come_again_and_the_others_are_deleted(at: MappingStage) -> None:
    at.answer = lambda records: report(*(each["messageId"] for each in records if each["body"] == "b"))
    await at.send("a", "b", "c")
    await at.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    await at.batches_of(1)
    async with asyncio.timeout(30):
        while True:
            if await at.left() == 1:
                break
            await asyncio.sleep(0)


async def test_without_report_batch_item_failures_what_is_reported_is_not_listened_to(at: MappingStage) -> None:
    at.answer = lambda records: report(*(each["messageId"] for each in records))
    await at.send("a")
    await at.map()
    await at.emptied()


async def test_ids_that_were_not_in_the_batch_fail_all_of_it(at: MappingStage) -> None:
    at.answer = lambda records: report("somebody else's")
    await at.send("a", "b")
    uuid = (await at.map(FunctionResponseTypes=["ReportBatchItemFailures"]))["UUID"]
    await at.batches_of(1)
    await at.stage.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
    await at.state(uuid, "Disabled")
    assert await at.left() == 2


async def test_a_group_of_a_fifo_queue_stops_at_its_first_failure_and_comes_again_in_order(at: MappingStage) -> None:
    await at.make_queue("q.fifo")
    for group, body in (("x", "x1"), ("y", "y1"), ("x", "x2"), ("y", "y2"), ("x", "x3")):
        await at.send(body, queue="q.fifo", MessageGroupId=group)
    at.answer = lambda records: report(*(each["messageId"] for each in records if each["body"] == "x2"))
    await at.map(EventSourceArn=queue_arn("q.fifo"), FunctionResponseTypes=["ReportBatchItemFailures"])
    [first] = await at.batches_of(1)
    assert bodies(first) == ["x1", "x2", "x3", "y1", "y2"]
    at.answer = lambda records: None
    async with asyncio.timeout(30):
        while True:
            if await at.left("q.fifo") == 2:
                break
            await asyncio.sleep(0)
    at.stage.clock.advance(31)
    await at.send("z1", queue="q.fifo", MessageGroupId="z")
    await at.emptied("q.fifo")
    assert [body for batch in at.batches[1:] for body in bodies(batch) if body[0] == "x"] == ["x2", "x3"]


async def test_of_a_group_of_a_fifo_queue_one_batch_is_under_way_at_a_time(at: MappingStage) -> None:
    await at.make_queue("q.fifo")
    for number in range(30):
        await at.send(str(number), queue="q.fifo", MessageGroupId="x")
    under_way = most = 0

    async def before() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(20):
            await asyncio.sleep(0)
        under_way -= 1

    at.stage.engine.before = before
    await at.map(EventSourceArn=queue_arn("q.fifo"), BatchSize=4)
    await at.emptied("q.fifo")
    assert most == 1
    assert [int(body) for batch in at.batches for body in bodies(batch)] == list(range(30))


async def test_groups_of_a_fifo_queue_are_worked_on_side_by_side(at: MappingStage) -> None:
    await at.make_queue("q.fifo")
    await at.send("a", queue="q.fifo", MessageGroupId="x")
    await at.send("b", queue="q.fifo", MessageGroupId="y")
    both = asyncio.Barrier(2)

    async def before() -> None:
        await both.wait()

    at.stage.engine.before = before
    await at.map(EventSourceArn=queue_arn("q.fifo"), BatchSize=1)
    await at.emptied("q.fifo")


async def test_no_more_batches_are_under_way_than_the_maximum_concurrency(at: MappingStage) -> None:
    await at.send(*(str(number) for number in range(20)))
    under_way = most = 0
    pair = asyncio.Barrier(2)

    async def before() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await pair.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        under_way -= 1

    at.stage.engine.before = before
    await at.map(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    await at.emptied()
    assert most == 2


async def test_what_is_filtered_out_is_deleted_and_never_seen(at: MappingStage) -> None:
    await at.send('{"kind": "good"}', '{"kind": "bad"}', "no json", '{"kind": "good", "n": 2}')
    await at.map(
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"kind": ["good"]}}'}]},
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    await at.emptied()
    assert [json.loads(body)["kind"] for batch in at.batches for body in bodies(batch)] == ["good", "good"]


async def test_text_that_is_no_json_is_matched_as_text(at: MappingStage) -> None:
    await at.send("plain", '{"plain": 1}', "other")
    await at.map(FilterCriteria={"Filters": [{"Pattern": '{"body": ["plain"]}'}]})
    await at.emptied()
    assert [bodies(batch) for batch in at.batches] == [["plain"]]


async def test_a_throttled_batch_is_tried_again_while_it_is_held_and_counts_one_delivery(at: MappingStage) -> None:
    refusals = 2

    def answer(records: list[dict[str, Any]]) -> Any:
        nonlocal refusals
        if refusals:
            refusals -= 1
            return ThrottledError("function", 1)
        return None

    at.answer = answer
    await at.send("a")
    await at.map()
    await at.emptied()
    assert [batch[0]["attributes"]["ApproximateReceiveCount"] for batch in at.batches] == ["1", "1", "1"]


async def test_a_batch_is_gathered_until_it_is_full(at: MappingStage) -> None:
    await at.map(BatchSize=15, MaximumBatchingWindowInSeconds=300)
    for start in (0, 5, 10):
        await at.send(*(str(number) for number in range(start, start + 5)))
    await at.emptied()
    assert [len(batch) for batch in at.batches] == [15]


async def test_what_was_gathered_is_handed_over_when_the_window_closes(at: MappingStage) -> None:
    uuid = (await at.map(BatchSize=100, MaximumBatchingWindowInSeconds=2))["UUID"]
    await at.state(uuid, "Enabled")
    await at.send("a", "b")
    async with asyncio.timeout(30):
        while True:  # until both are held by the mapping
            reply = await at.queue("GetQueueAttributes", QueueUrl=at.url("q"), AttributeNames=["All"])
            if reply["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "2":
                break
            await asyncio.sleep(0)
    assert at.batches == []
    at.stage.clock.advance(3)
    await at.emptied()
    assert [sorted(body for batch in at.batches for body in bodies(batch))] == [["a", "b"]]


async def test_what_was_gathered_is_given_back_when_the_mapping_is_disabled(at: MappingStage) -> None:
    uuid = (await at.map(BatchSize=100, MaximumBatchingWindowInSeconds=300))["UUID"]
    await at.send("a")
    async with asyncio.timeout(30):
        while True:
            reply = await at.queue("GetQueueAttributes", QueueUrl=at.url("q"), AttributeNames=["All"])
            if reply["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1":
                break
            await asyncio.sleep(0)
    await at.stage.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
    await at.state(uuid, "Disabled")
    reply = await at.queue("ReceiveMessage", QueueUrl=at.url("q"), WaitTimeSeconds=0)
    assert [message["Body"] for message in reply["Messages"]] == ["a"]


async def test_a_batch_is_never_larger_than_a_call_may_be(at: MappingStage) -> None:
    for _ in range(8):
        await at.send("x" * 1_000_000)
    await at.map(BatchSize=100, MaximumBatchingWindowInSeconds=1)
    await at.batches_of(1)
    at.stage.clock.advance(2)
    await at.emptied()
    assert sum(map(len, at.batches)) == 8
    assert max(map(len, at.batches)) == 6


async def test_a_disabled_mapping_takes_nothing_and_an_enabled_one_what_came_meanwhile(at: MappingStage) -> None:
    uuid = (await at.map(Enabled=False))["UUID"]
    await at.send("a")
    assert at.batches == []
    await at.stage.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
    await at.emptied()
    assert len(at.batches) == 1


async def test_a_mapping_goes_on_after_a_restart(at: MappingStage, open_stage: OpenStage) -> None:
    uuid = (await at.map())["UUID"]
    await at.state(uuid, "Enabled")
    await at.stage.stop(grace_s=0)
    again = MappingStage(await open_stage())
    await again.send("a")
    await again.emptied()
    assert bodies(again.batches[0]) == ["a"]


async def test_a_mapping_tells_that_its_function_fails_and_that_it_does_no_more(at: MappingStage) -> None:
    at.answer = lambda records: failed(Failure("raised", payload=b"{}"))
    uuid = (await at.map())["UUID"]
    await at.send("a")

    async def result() -> str | None:
        shown = await at.stage.call("GetEventSourceMapping", UUID=uuid)
        found: str | None = shown.get("LastProcessingResult")
        return found

    async with asyncio.timeout(30):
        while True:
            if await result() == "PROBLEM: Function call failed":
                break
            await asyncio.sleep(0)
    at.answer = lambda records: None
    at.stage.clock.advance(2)
    await at.send("b")
    async with asyncio.timeout(30):
        while True:
            if await result() is None:
                break
            await asyncio.sleep(0)


async def test_events_are_counted_where_that_is_asked_for(at: MappingStage) -> None:
    at.answer = lambda records: report(*(each["messageId"] for each in records if "2" in each["body"]))
    await at.send('{"n": 1}', '{"n": 2}', '{"m": 3}')
    uuid = (
        await at.map(
            FilterCriteria={"Filters": [{"Pattern": '{"body": {"n": [{"exists": true}]}}'}]},
            FunctionResponseTypes=["ReportBatchItemFailures"],
            MetricsConfig={"Metrics": ["EventCount"]},
        )
    )["UUID"]
    await at.batches_of(1)
    await at.stage.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
    await at.state(uuid, "Disabled")
    where = (("EventSourceMappingUUID", uuid),)
    assert {name: count for (name, place), count in at.stage.counts.totals.items() if place == where} == {
        "PolledEventCount": 3,
        "FilteredOutEventCount": 1,
        "InvokedEventCount": 2,
        "FailedInvokeEventCount": 1,
        "DeletedEventCount": 2,
    }


async def test_a_queue_that_is_deleted_is_a_problem_until_it_is_there_again(at: MappingStage) -> None:
    uuid = (await at.map())["UUID"]
    await at.state(uuid, "Enabled")
    await at.queue("DeleteQueue", QueueUrl=at.url("q"))

    async def result() -> str:
        return str((await at.stage.call("GetEventSourceMapping", UUID=uuid)).get("LastProcessingResult", ""))

    async with asyncio.timeout(30):
        while True:
            if (await result()).startswith("PROBLEM: "):
                break
            await asyncio.sleep(0)
    at.stage.clock.advance(61)
    await at.make_queue()
    await at.send("a")
    await at.emptied()
    assert bodies(at.batches[0]) == ["a"]


async def test_what_was_taken_ahead_is_no_delivery_when_the_mapping_is_changed(at: MappingStage) -> None:
    gate = asyncio.Event()
    at.stage.engine.before = gate.wait
    await at.send(*(str(number) for number in range(60)))
    uuid = (await at.map(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2}))["UUID"]
    async with asyncio.timeout(30):
        while True:
            if len(at.stage.engine.calls) == 2:
                break
            await asyncio.sleep(0)
    change = asyncio.create_task(at.stage.call("UpdateEventSourceMapping", UUID=uuid, BatchSize=2))
    await change
    gate.set()
    await at.emptied()
    counts = {record["attributes"]["ApproximateReceiveCount"] for batch in at.batches for record in batch}
    assert counts == {"1"}
    assert sorted(int(body) for batch in at.batches for body in bodies(batch)) == list(range(60))


async def test_a_loop_through_a_queue_is_cut_and_its_message_stays_with_the_queue(at: MappingStage) -> None:
    header = f"Root=1-5759e988-bd862e3fe1be46a994272793;Lineage={recursion.mark(f'{ARN}f')}:15"
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
    await at.send("last", MessageSystemAttributes=trace)
    uuid = (await at.map())["UUID"]
    await at.emptied()
    carried = at.stage.engine.calls[0][1].trace_id
    assert carried is not None
    assert recursion.turns(carried, f"{ARN}f") == 16
    again = {"AWSTraceHeader": {"DataType": "String", "StringValue": carried}}
    await at.send("one too many", MessageSystemAttributes=again)
    async with asyncio.timeout(30):
        while True:
            shown = await at.stage.call("GetEventSourceMapping", UUID=uuid)
            if shown.get("LastProcessingResult") == "PROBLEM: Function call failed":
                break
            at.stage.clock.advance(0.1)
            await asyncio.sleep(0)
    assert len(at.batches) == 1
    assert await at.left() == 1


async def test_a_function_of_tenants_is_driven_by_nobody(at: MappingStage) -> None:
    await at.stage.create("shared", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    error = await at.stage.refusal("CreateEventSourceMapping", FunctionName="shared", EventSourceArn=queue_arn("q"))
    assert error.message == "An event source mapping is not supported for functions with tenant isolation mode."


async def test_a_mapping_is_disabling_until_what_is_under_way_has_ended(at: MappingStage) -> None:
    gate = asyncio.Event()
    at.stage.engine.before = gate.wait
    await at.send("a")
    uuid = (await at.map())["UUID"]
    async with asyncio.timeout(30):
        while True:
            if at.stage.engine.calls:
                break
            await asyncio.sleep(0)
    await at.stage.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
    for _ in range(50):
        await asyncio.sleep(0)
    assert (await at.stage.call("GetEventSourceMapping", UUID=uuid))["State"] == "Disabling"
    gate.set()
    await at.state(uuid, "Disabled")
    assert await at.left() == 0
