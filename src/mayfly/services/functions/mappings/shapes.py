"""How records of streams look in events: one shape a kind of stream, to the letter. Pure."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from mayfly.clock import iso_millis
from mayfly.services.functions.mappings import filters
from mayfly.services.ports import ShardRecord

_encode = msgspec.json.Encoder().encode


class Shape(Protocol):
    """A kind of stream."""

    @property
    def batch_info(self) -> str:
        """What the description of a failed batch is called."""

    def identifier(self, record: ShardRecord) -> str:
        """What a partial failure names."""

    def encoded(self, shard: str, record: ShardRecord) -> bytes:
        """The record as JSON."""

    def matched(self, shard: str, record: ShardRecord) -> Mapping[str, Any]:
        """What filter criteria are held against."""

    def payload(self, shard: str, encoded: Sequence[bytes], more: bytes) -> bytes:
        """The event. `more`: members beside the records, each with a comma before it."""

    def info(self, stream: str, shard: str, records: Sequence[ShardRecord], payload_bytes: int) -> Mapping[str, Any]:
        """The description of a failed batch."""


class KinesisShape:
    """Records of data streams. `role` is whose name the function runs in."""

    batch_info: Final = "KinesisBatchInfo"

    def __init__(self, arn: str, role: str) -> None:
        self._arn = arn
        self._region = arn.split(":")[3]
        self._role = role

    def identifier(self, record: ShardRecord) -> str:
        return record.sequence

    def encoded(self, shard: str, record: ShardRecord) -> bytes:
        return _encode(self._event(shard, record, base64.b64encode(record.content).decode()))

    def matched(self, shard: str, record: ShardRecord) -> Mapping[str, Any]:
        """The data stand where the developer guide has them, below `data`, as the JSON that they are."""
        found = self._event(shard, record, "")
        data = filters.data(record.content)
        return {**found, "data": data, "kinesis": {**found["kinesis"], "data": data}}

    def payload(self, shard: str, encoded: Sequence[bytes], more: bytes) -> bytes:
        return b'{"Records":[' + b",".join(encoded) + b"]" + more + b"}"

    def info(self, stream: str, shard: str, records: Sequence[ShardRecord], payload_bytes: int) -> Mapping[str, Any]:
        return _range(stream, shard, records, iso_millis)

    def _event(self, shard: str, record: ShardRecord, data: str) -> dict[str, Any]:
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.partition_key,
                "sequenceNumber": record.sequence,
                "data": data,
                "approximateArrivalTimestamp": round(record.arrived_at, 3),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{record.sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self._role,
            "awsRegion": self._region,
            "eventSourceARN": self._arn,
        }


class DynamoDbShape:
    """Records of table streams: changes of items, in the shape of DynamoDB Streams' GetRecords, with binary values as
    bytes. Its `content` has eventID, eventName, and dynamodb without SequenceNumber; userIdentity where a service
    made the change."""

    batch_info: Final = "DDBStreamBatchInfo"

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._region = arn.split(":")[3]

    def identifier(self, record: ShardRecord) -> str:
        return record.sequence

    def encoded(self, shard: str, record: ShardRecord) -> bytes:
        return _encode(self.matched(shard, record))

    def matched(self, shard: str, record: ShardRecord) -> Mapping[str, Any]:
        content: Mapping[str, Any] = record.content
        change = content["dynamodb"]
        shown: dict[str, Any] = {"ApproximateCreationDateTime": int(record.arrived_at)}
        for name in ("Keys", "NewImage", "OldImage"):
            if name in change:
                shown[name] = {key: _value(value) for key, value in change[name].items()}
        shown["SequenceNumber"] = record.sequence
        shown |= {name: change[name] for name in ("SizeBytes", "StreamViewType") if name in change}
        event = {
            "eventID": content["eventID"],
            "eventName": content["eventName"],
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self._region,
            "dynamodb": shown,
            "eventSourceARN": self._arn,
        }
        return event | ({"userIdentity": content["userIdentity"]} if "userIdentity" in content else {})

    def payload(self, shard: str, encoded: Sequence[bytes], more: bytes) -> bytes:
        return b'{"Records":[' + b",".join(encoded) + b"]" + more + b"}"

    def info(self, stream: str, shard: str, records: Sequence[ShardRecord], payload_bytes: int) -> Mapping[str, Any]:
        return _range(stream, shard, records, lambda at: iso_millis(at).partition(".")[0] + "Z")


def _range(stream: str, shard: str, records: Sequence[ShardRecord], time: Callable[[float], str]) -> Mapping[str, Any]:
    """Which records of a shard they were."""
    return {
        "shardId": shard,
        "startSequenceNumber": records[0].sequence,
        "endSequenceNumber": records[-1].sequence,
        "approximateArrivalOfFirstRecord": time(records[0].arrived_at),
        "approximateArrivalOfLastRecord": time(records[-1].arrived_at),
        "batchSize": len(records),
        "streamArn": stream,
    }


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    """An attribute's value, with bytes as base64."""
    [(kind, inner)] = value.items()
    if kind == "B":
        return {kind: _binary(inner)}
    if kind == "BS":
        return {kind: [_binary(each) for each in inner]}
    if kind == "L":
        return {kind: [_value(each) for each in inner]}
    if kind == "M":
        return {kind: {name: _value(each) for name, each in inner.items()}}
    return {kind: inner}


def _binary(value: bytes | str) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
