"""Functions that are driven by streams: positions, order, retries, failures, windows, resharding."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from mayfly.engine.api import Failure
from mayfly.services.contract import RequestContext
from mayfly.streams.log import HASHES
from tests.services.functions.conftest import OpenStage
from tests.services.functions.mappings.log_streams import LogStreams, stream_arn
from tests.services.functions.mappings.staging import CALLER, MappingStage, queue_arn
from tests.services.functions.stage import ACCOUNT, ARN, REGION, ROLE, Stage, failed, ok

FAILS = failed(Failure("raised", payload=b'{"errorType":"E"}'))


class StreamStage(MappingStage):
    """With streams, whose records are texts."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.streams = LogStreams(stage.store, stage.clock)
        stage.shards["kinesis"] = self.streams.source
        self.payloads: list[dict[str, Any]] = []

    async def put(self, *texts: str, key: str = "k", name: str = "s") -> None:
        await self.streams.put(*((key, text.encode()) for text in texts), name=name)

    async def map(self, **params: Any) -> Any:
        asked = {"EventSourceArn": stream_arn("s"), "StartingPosition": "TRIM_HORIZON", **params}
        return await super().map(**asked)

    async def calls(self, count: int) -> list[list[str]]:
        """The texts of each call, once there were so many."""
        return [texts(batch) for batch in await self.batches_of(count)]

    async def time_passes(self, holds: Callable[[], Any], step_s: float = 1.0) -> None:
        """Let time pass until something holds."""
        async with asyncio.timeout(60):
            while not holds():
                self.stage.clock.advance(step_s)
                await self.put("", name="elsewhere")
                await asyncio.sleep(0.01)

    async def until(self, holds: Callable[[], Any]) -> None:
        """Return once something holds."""
        async with asyncio.timeout(30):
            while True:
                if holds():
                    return
                await asyncio.sleep(0)

    async def messages(self, queue: str) -> list[dict[str, Any]]:
        """What a queue holds, parsed, once there is something."""
        async with asyncio.timeout(30):
            while True:
                reply = await self.queue("ReceiveMessage", QueueUrl=self.url(queue), MaxNumberOfMessages=10)
                if reply:
                    return [json.loads(message["Body"]) for message in reply["Messages"]]
                await asyncio.sleep(0.01)


def texts(batch: list[dict[str, Any]]) -> list[str]:
    return [base64.b64decode(record["kinesis"]["data"]).decode() for record in batch]


def report(record: dict[str, Any]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}


@pytest.fixture
async def at(open_stage: OpenStage) -> StreamStage:
    stage = StreamStage(await open_stage())
    await stage.stage.create()
    await stage.streams.create()
    await stage.streams.create("elsewhere")
    return stage


async def test_a_mapping_of_a_stream_has_the_defaults_of_streams(at: StreamStage) -> None:
    made = await at.map()
    uuid = made.pop("UUID")
    assert made | {"LastModified": None, "EventSourceMappingArn": None} == {
        "EventSourceMappingArn": None,
        "EventSourceArn": stream_arn("s"),
        "FunctionArn": f"{ARN}f",
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "FunctionResponseTypes": [],
        "LastModified": None,
        "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
    }
    await at.put("a")
    await at.calls(1)
    async with asyncio.timeout(30):
        while True:
            shown = await at.stage.call("GetEventSourceMapping", UUID=uuid)
            if shown["LastProcessingResult"] == "OK":
                break
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {"StartingPosition": None},
            "InvalidParameterValueException",
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null.",
        ),
        (
            {"EventSourceArn": stream_arn("absent")},
            "InvalidParameterValueException",
            f"Stream not found: {stream_arn('absent')}",
        ),
        (
            {"StartingPosition": "AT_TIMESTAMP"},
            "InvalidParameterValueException",
            "StartingPositionTimestamp must be given with AT_TIMESTAMP.",
        ),
        (
            {"MaximumRecordAgeInSeconds": 30},
            "InvalidParameterValueException",
            "MaximumRecordAgeInSeconds must be -1 or between 60 and 604800, not 30.",
        ),
        (
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            "InvalidParameterValueException",
            "Unsupported ScalingConfig parameter for given event source mapping type.",
        ),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": queue_arn("q")}}},
            "InvalidParameterValueException",
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
    ],
)
async def test_what_a_stream_cannot_be_mapped_with_is_refused(
    at: StreamStage, params: dict[str, Any], code: str, message: str
) -> None:
    asked = {"FunctionName": "f", "EventSourceArn": stream_arn("s"), "StartingPosition": "LATEST", **params}
    error = await at.stage.refusal(
        "CreateEventSourceMapping", **{name: value for name, value in asked.items() if value is not None}
    )
    assert (error.code, error.message) == (code, message)


async def test_the_stream_of_a_table_cannot_be_read_from_a_moment(at: StreamStage) -> None:
    arn = f"arn:aws:dynamodb:{REGION}:000000000000:table/t/stream/2026-01-01T00:00:00.000"
    error = await at.stage.refusal(
        "CreateEventSourceMapping",
        FunctionName="f",
        EventSourceArn=arn,
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=1.0,
    )
    assert error.message == f"Unsupported starting position for arn type: {arn}"


async def test_a_second_mapping_of_a_stream_for_a_function_is_refused(at: StreamStage) -> None:
    uuid = (await at.map())["UUID"]
    error = await at.stage.refusal(
        "CreateEventSourceMapping", FunctionName="f", EventSourceArn=stream_arn("s"), StartingPosition="LATEST"
    )
    assert error.message == (
        f'The event source arn (" {stream_arn("s")} ") and function (" f ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {uuid}"
    )


async def test_a_record_has_the_members_that_aws_gives_it(at: StreamStage) -> None:
    await at.put("hello")
    await at.map()
    [[record]] = await at.batches_of(1)
    sequence = record["kinesis"]["sequenceNumber"]
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "k",
            "sequenceNumber": sequence,
            "data": "aGVsbG8=",
            "approximateArrivalTimestamp": at.stage.clock.now(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": REGION,
        "eventSourceARN": stream_arn("s"),
    }


async def test_latest_begins_with_what_comes_after(at: StreamStage) -> None:
    await at.put("before")
    uuid = (await at.map(StartingPosition="LATEST"))["UUID"]
    async with asyncio.timeout(30):
        while True:  # until the place is kept
            if await at.stage.store.read(lambda reader: reader.all("SELECT shard FROM mappings_shard")):
                break
            await asyncio.sleep(0)
    await at.put("after")
    assert await at.calls(1) == [["after"]]
    assert uuid


async def test_a_moment_begins_with_what_came_from_then_on(at: StreamStage) -> None:
    await at.put("before")
    at.stage.clock.advance(10)
    moment = at.stage.clock.now()
    at.stage.clock.advance(10)
    await at.put("after")
    await at.map(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment)
    assert await at.calls(1) == [["after"]]


async def test_a_batch_that_fails_stops_its_shard_until_it_goes_well(at: StreamStage) -> None:
    at.answer = lambda records: FAILS if len(at.batches) < 3 else None
    await at.put("a", "b")
    await at.map(BatchSize=2)
    await at.calls(1)
    await at.put("c")
    await at.time_passes(lambda: len(at.batches) >= 4)
    assert [texts(batch) for batch in at.batches] == [["a", "b"], ["a", "b"], ["a", "b"], ["c"]]


async def test_a_batch_is_given_up_after_its_retries_and_a_queue_hears_of_it(at: StreamStage) -> None:
    await at.make_queue("dead")
    at.answer = lambda records: FAILS if "bad" in texts(records) else None
    await at.put("bad", "worse")
    await at.map(
        BatchSize=2,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn("dead")}},
    )
    await at.put("good")
    await at.time_passes(lambda: len(at.batches) >= 3)
    assert [texts(batch) for batch in at.batches] == [["bad", "worse"], ["bad", "worse"], ["good"]]
    [told] = await at.messages("dead")
    first, last = (record["kinesis"]["sequenceNumber"] for record in at.batches[0])
    told["requestContext"].pop("requestId")
    assert told.pop("timestamp").endswith("Z")
    arrived = told["KinesisBatchInfo"].pop("approximateArrivalOfFirstRecord")
    assert told["KinesisBatchInfo"].pop("approximateArrivalOfLastRecord") == arrived
    assert told == {
        "requestContext": {
            "functionArn": f"{ARN}f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": first,
            "endSequenceNumber": last,
            "batchSize": 2,
            "streamArn": stream_arn("s"),
        },
    }


async def test_records_that_are_too_old_are_given_up_uncalled(at: StreamStage) -> None:
    await at.make_queue("dead")
    await at.put("old")
    at.stage.clock.advance(100)
    await at.put("new")
    await at.map(MaximumRecordAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": queue_arn("dead")}})
    assert await at.calls(1) == [["new"]]
    [told] = await at.messages("dead")
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"
    assert told["requestContext"]["approximateInvokeCount"] == 1
    assert "responseContext" not in told
    assert told["KinesisBatchInfo"]["batchSize"] == 1


async def test_a_bad_record_is_found_by_bisecting_and_the_others_go_through(at: StreamStage) -> None:
    at.answer = lambda records: FAILS if "bad" in texts(records) else None
    await at.put("a", "b", "bad", "c")
    await at.map(BisectBatchOnFunctionError=True, MaximumRetryAttempts=0)
    await at.time_passes(lambda: len(at.batches) >= 5)
    assert [texts(batch) for batch in at.batches] == [
        ["a", "b", "bad", "c"],
        ["a", "b"],
        ["bad", "c"],
        ["bad"],
        ["c"],
    ]


async def test_reading_goes_on_at_the_first_record_that_a_function_reports(at: StreamStage) -> None:
    at.answer = lambda records: report(records[1]) if len(records) == 3 else None
    await at.put("a", "b", "c")
    await at.map(BatchSize=3, FunctionResponseTypes=["ReportBatchItemFailures"])
    await at.time_passes(lambda: len(at.batches) >= 2)
    assert [texts(batch) for batch in at.batches] == [["a", "b", "c"], ["b", "c"]]


async def test_what_is_filtered_out_is_passed_over(at: StreamStage) -> None:
    await at.put('{"kind": "bad"}', '{"kind": "good"}', "no json")
    uuid = (
        await at.map(
            FilterCriteria={"Filters": [{"Pattern": '{"data": {"kind": ["good"]}}'}]},
            MetricsConfig={"Metrics": ["EventCount"]},
        )
    )["UUID"]
    assert await at.calls(1) == [['{"kind": "good"}']]
    where = (("EventSourceMappingUUID", uuid),)
    async with asyncio.timeout(30):
        while True:
            counted = {name: count for (name, place), count in at.stage.counts.totals.items() if place == where}
            if counted == {"PolledEventCount": 3, "FilteredOutEventCount": 2, "InvokedEventCount": 1}:
                break
            await asyncio.sleep(0)


async def test_lanes_of_a_shard_are_worked_on_side_by_side_and_keep_the_order_of_keys(at: StreamStage) -> None:
    for number in range(30):
        await at.put(f"{number % 5}-{number}", key=f"k{number % 5}")
    under_way = most = 0

    async def before() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(50):
            await asyncio.sleep(0)
        under_way -= 1

    at.stage.engine.before = before
    await at.map(ParallelizationFactor=4, BatchSize=2)
    await at.until(lambda: sum(map(len, at.batches)) >= 30)
    assert 2 <= most <= 4
    seen = [text for batch in at.batches for text in texts(batch)]
    for key in range(5):
        numbers = [int(text.split("-")[1]) for text in seen if text.startswith(f"{key}-")]
        assert numbers == list(range(key, 30, 5))


async def test_children_of_a_split_shard_are_read_after_it(at: StreamStage) -> None:
    await at.put("a1", key="a")
    await at.put("b1", key="b")
    await at.stage.store.write(lambda tx: at.streams.log.split(tx, "s", 0, HASHES // 2))
    await at.put("a2", key="a")
    await at.put("b2", key="b")
    at.answer = lambda records: FAILS if len(at.batches) == 1 else None
    await at.map()
    await at.time_passes(lambda: sum(map(len, at.batches)) >= 6)
    seen = [texts(batch) for batch in at.batches]
    assert seen[:2] == [["a1", "b1"], ["a1", "b1"]]
    assert sorted(text for batch in seen[2:] for text in batch) == ["a2", "b2"]


async def test_shards_that_are_merged_while_they_are_read_are_followed_by_their_child(at: StreamStage) -> None:
    await at.streams.create("m", 2)
    await at.map(EventSourceArn=stream_arn("m"))
    await at.put("a1", key="a", name="m")
    await at.put("b1", key="b", name="m")
    await at.until(lambda: sum(map(len, at.batches)) >= 2)
    await at.stage.store.write(lambda tx: at.streams.log.merge(tx, "m", 0, 1))
    await at.put("a2", key="a", name="m")
    await at.until(lambda: sum(map(len, at.batches)) >= 3)
    assert texts(at.batches[-1]) == ["a2"]
    assert at.batches[-1][0]["eventID"].startswith("shardId-000000000002:")


async def test_reading_goes_on_after_a_restart_where_it_was_with_the_attempts_that_were_made(
    at: StreamStage, open_stage: OpenStage
) -> None:
    at.answer = lambda records: FAILS if "bad" in texts(records) else None
    await at.put("a")
    await at.map(MaximumRetryAttempts=2)
    await at.calls(1)
    await at.put("bad")
    await at.time_passes(lambda: len(at.batches) >= 3)
    await at.stage.stop(grace_s=1)
    again = StreamStage(await open_stage())
    again.answer = lambda records: FAILS if "bad" in texts(records) else None
    again.stage.clock.advance(100)
    await again.put("b")
    await again.time_passes(lambda: ["b"] in [texts(batch) for batch in again.batches])
    calls = [texts(batch) for batch in (*at.batches, *again.batches)]
    assert calls == [["a"], ["bad"], ["bad"], ["bad"], ["b"]]


async def test_a_window_carries_its_state_on_and_ends_with_a_last_call(at: StreamStage) -> None:
    payloads: list[dict[str, Any]] = []

    def script(target: Any, call: Any) -> Any:
        event = json.loads(call.payload)
        payloads.append(event)
        return ok(json.dumps({"state": {"count": event["state"].get("count", 0) + len(event["Records"])}}).encode())

    at.stage.engine.script = script
    at.stage.clock.advance(30 - at.stage.clock.now() % 30)
    began = at.stage.clock.now()
    await at.put("a", "b")
    await at.map(TumblingWindowInSeconds=30, BatchSize=1)
    await at.until(lambda: len(payloads) >= 2)
    at.stage.clock.advance(31)
    await at.put("c")
    await at.until(lambda: len(payloads) >= 4)
    assert [event["state"] for event in payloads] == [{}, {"count": 1}, {"count": 2}, {}]
    assert [event["isFinalInvokeForWindow"] for event in payloads] == [False, False, True, False]
    assert [len(event["Records"]) for event in payloads] == [1, 1, 0, 1]
    assert payloads[0]["window"]["start"].startswith("20")
    assert payloads[0]["window"] == payloads[2]["window"] != payloads[3]["window"]
    assert (payloads[2]["shardId"], payloads[2]["eventSourceARN"]) == ("shardId-000000000000", stream_arn("s"))
    assert payloads[2]["isWindowTerminatedEarly"] is False
    assert began % 30 == 0


async def test_a_call_without_a_state_fails_where_there_are_windows(at: StreamStage) -> None:
    at.answer = lambda records: {"no": "state"} if len(at.batches) < 2 else {"state": {"a": 1}}
    await at.put("a")
    await at.map(TumblingWindowInSeconds=300)
    await at.time_passes(lambda: len(at.batches) >= 2)
    assert [texts(batch) for batch in at.batches[:2]] == [["a"], ["a"]]


async def test_a_stream_that_is_deleted_is_a_problem_that_is_told(at: StreamStage) -> None:
    uuid = (await at.map())["UUID"]
    await at.state(uuid, "Enabled")
    await at.stage.store.write(lambda tx: at.streams.log.delete(tx, "s"))
    async with asyncio.timeout(30):
        while True:
            shown = await at.stage.call("GetEventSourceMapping", UUID=uuid)
            if shown["LastProcessingResult"].startswith("PROBLEM: Stream "):
                break
            await asyncio.sleep(0.01)


async def test_a_bucket_hears_of_failures_with_the_records_themselves(at: StreamStage) -> None:
    context = RequestContext("r", ACCOUNT, REGION, CALLER, "http://127.0.0.1:4566")
    await at.stage.objects.operations["CreateBucket"](context, {"Bucket": "dead"})
    at.answer = lambda records: FAILS
    await at.put("bad")
    uuid = (
        await at.map(MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::dead"}})
    )["UUID"]
    async with asyncio.timeout(30):
        while True:
            listed = await at.stage.objects.operations["ListObjectsV2"](context, {"Bucket": "dead"})
            if listed.get("Contents"):
                break
            await asyncio.sleep(0.01)
    [found] = listed["Contents"]
    assert found["Key"].startswith(f"aws/lambda/{uuid}/shardId-000000000000/")
    error = await at.stage.refusal(
        "UpdateEventSourceMapping",
        UUID=uuid,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::absent"}},
    )
    assert error.message.startswith("The destination ARN arn:aws:s3:::absent is invalid")
