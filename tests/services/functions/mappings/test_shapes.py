"""Records of streams and queues in events, to the letter; Powertools reads all of them."""

import json
from typing import Any

from aws_lambda_powertools.utilities.data_classes import (
    DynamoDBStreamEvent,
    KafkaEvent,
    KinesisStreamEvent,
    SQSEvent,
)
from aws_lambda_powertools.utilities.parser import models
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions.mappings import queue_records
from mayfly.services.functions.mappings.checkpoints import Window
from mayfly.services.functions.mappings.kafka_client import KafkaRecord
from mayfly.services.functions.mappings.kafka_source import KafkaShape
from mayfly.services.functions.mappings.shapes import DynamoDbShape, KinesisShape, Shape
from mayfly.services.functions.mappings.tumbling import MAX_STATE_BYTES, members, moved_on, state_of
from mayfly.services.ports import ShardRecord

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
CHANGE = {
    "eventID": "c4ca4238a0b923820dcc509a6f75849b",
    "eventName": "MODIFY",
    "dynamodb": {
        "Keys": {"id": {"S": "1"}},
        "NewImage": {
            "id": {"S": "1"},
            "bytes": {"B": b"foobar"},
            "many": {"BS": [b"a", b"b"]},
            "deep": {"M": {"list": {"L": [{"B": b"x"}, {"N": "1.5"}, {"NULL": True}, {"BOOL": False}]}}},
        },
        "OldImage": {"id": {"S": "1"}},
        "SizeBytes": 70,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
}


def event_of(shape: Shape, record: ShardRecord, shard: str = "shardId-0") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shape.payload(shard, [shape.encoded(shard, record)], b""))
    return found


def test_a_change_of_an_item_has_the_members_that_aws_gives_it() -> None:
    [record] = event_of(DynamoDbShape(TABLE), ShardRecord("111", "1", 1_700_000_000.75, CHANGE))["Records"]
    assert record == {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_700_000_000,
            "Keys": {"id": {"S": "1"}},
            "NewImage": {
                "id": {"S": "1"},
                "bytes": {"B": "Zm9vYmFy"},
                "many": {"BS": ["YQ==", "Yg=="]},
                "deep": {"M": {"list": {"L": [{"B": "eA=="}, {"N": "1.5"}, {"NULL": True}, {"BOOL": False}]}}},
            },
            "OldImage": {"id": {"S": "1"}},
            "SequenceNumber": "111",
            "SizeBytes": 70,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": TABLE,
    }


def test_a_removal_by_time_to_live_says_who_made_it() -> None:
    who = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    change = {**CHANGE, "eventName": "REMOVE", "userIdentity": who}
    [record] = event_of(DynamoDbShape(TABLE), ShardRecord("1", "1", 0.0, change))["Records"]
    assert record["userIdentity"] == who


def test_times_of_failed_batches_are_written_as_each_kind_of_stream_writes_them() -> None:
    record = ShardRecord("5", "k", 1_700_000_000.25, b"")
    kinesis = KinesisShape(STREAM, "role").info(STREAM, "shardId-0", [record], 0)
    tables = DynamoDbShape(TABLE).info(TABLE, "shardId-0", [record], 0)
    assert kinesis["approximateArrivalOfFirstRecord"] == "2023-11-14T22:13:20.250Z"
    assert tables["approximateArrivalOfFirstRecord"] == "2023-11-14T22:13:20Z"


def test_powertools_reads_every_event() -> None:
    shown = {"MessageId": "m", "ReceiptHandle": "h", "Body": '{"a": 1}', "MD5OfBody": "0" * 32, "Attributes": {}}
    arn = "arn:aws:sqs:us-east-1:000000000000:q"
    queue = SQSEvent({"Records": [queue_records.event(shown, arn, "us-east-1")]})
    assert next(queue.records).json_body == {"a": 1}
    data = KinesisStreamEvent(event_of(KinesisShape(STREAM, "role"), ShardRecord("5", "k", 1.5, b'{"a": 1}')))
    assert next(data.records).kinesis.data_as_json() == {"a": 1}
    change = DynamoDBStreamEvent(event_of(DynamoDbShape(TABLE), ShardRecord("5", "k", 1.5, CHANGE)))
    stream_record = next(change.records).dynamodb
    assert stream_record is not None
    assert stream_record.new_image["bytes"] == "Zm9vYmFy"
    content = KafkaRecord(7, 1_500, "CREATE_TIME", b"key", b'{"a": 1}', [("h", b"\xffv")])
    topic = KafkaEvent(event_of(KafkaShape("t", "one:9092"), ShardRecord("8", "", 1.5, content), "t-0"))
    kafka_record = next(topic.records)
    assert kafka_record.json_value == {"a": 1}
    assert kafka_record.decoded_headers["h"] == b"\xffv"


def test_the_models_of_powertools_parse_every_event() -> None:
    attributes = {
        "SenderId": "s",
        "SentTimestamp": "1500",
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": "1500",
    }
    told = {"A": {"DataType": "String", "StringValue": "x"}, "B": {"DataType": "Binary", "BinaryValue": b"y"}}
    shown = {"MessageId": "m", "ReceiptHandle": "h", "Body": "b", "MD5OfBody": "0" * 32, "Attributes": attributes}
    arn = "arn:aws:sqs:us-east-1:000000000000:q"
    for more in ({}, {"MessageAttributes": told, "MD5OfMessageAttributes": "0" * 32}):
        record = json.loads(queue_records.encoded({**shown, **more}, arn, "us-east-1"))
        models.SqsModel.model_validate({"Records": [record]})
    kinesis = event_of(KinesisShape(STREAM, "role"), ShardRecord("5", "k", 1.5, b"data"))
    models.KinesisDataStreamModel.model_validate(kinesis)
    models.DynamoDBStreamModel.model_validate(event_of(DynamoDbShape(TABLE), ShardRecord("5", "k", 1.5, CHANGE)))
    content = KafkaRecord(7, 1_500, "CREATE_TIME", b"key", b"value", [("h", b"\xffv")])
    topic = event_of(KafkaShape("t", "one:9092"), ShardRecord("8", "", 1.5, content), "t-0")
    models.KafkaSelfManagedEventModel.model_validate(topic)


@given(st.dictionaries(st.text(), st.integers()))
def test_the_state_of_a_window_goes_back_and_forth(state: dict[str, int]) -> None:
    answer = json.dumps({"state": state, "batchItemFailures": []}).encode()
    window = moved_on(Window(60.0), state_of(answer))
    told = json.loads(b'{"Records":[]' + members(window, 30, "shardId-0", STREAM, final=False) + b"}")
    assert told["state"] == state
    assert told["window"] == {"start": "1970-01-01T00:01:00Z", "end": "1970-01-01T00:01:30Z"}


def test_an_answer_without_a_state_has_none() -> None:
    for answer in (b"", b"null", b"{}", b'{"state": null}', b"[]", b"{"):
        assert state_of(answer) is None


def test_a_state_that_is_too_large_ends_its_window_early_with_the_state_before() -> None:
    window = moved_on(Window(0.0, '{"a":1}'), '"' + "x" * MAX_STATE_BYTES + '"')
    assert (window.state, window.early) == ('{"a":1}', True)
    told = json.loads(b'{"Records":[]' + members(window, 30, "s", STREAM, final=True) + b"}")
    assert (told["isFinalInvokeForWindow"], told["isWindowTerminatedEarly"]) == (True, True)
