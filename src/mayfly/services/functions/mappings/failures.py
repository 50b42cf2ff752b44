"""What is told of a batch that was given up: the records for OnFailure destinations. Pure."""

from typing import Any, NamedTuple

import msgspec

from mayfly.clock import iso_millis
from mayfly.policy.stream_batches import Reason


class GivenUp(NamedTuple):
    """A batch, and the last call with it."""

    reason: Reason
    request_id: str
    function: str  # ARN
    attempts: int
    version: str | None = None  # that ran; None: it was given up for its age
    error: bool = False  # the function failed; else it reported that a record did


class Range(NamedTuple):
    """Which records they were."""

    stream: str  # ARN
    shard: str
    first: str  # sequence numbers
    last: str
    first_at: str  # times, as the kind of stream writes them
    last_at: str
    size: int


def record(given_up: GivenUp, batch_info: str, found: Range, now: float, payload: bytes | None = None) -> bytes:
    """The record for a queue or a topic; with `payload`, for a bucket, which gets the records themselves, too."""
    shown: dict[str, Any] = {
        "requestContext": {
            "requestId": given_up.request_id,
            "functionArn": given_up.function,
            "condition": given_up.reason,
            "approximateInvokeCount": max(1, given_up.attempts),
        }
    }
    if given_up.version is not None:
        shown["responseContext"] = {
            "statusCode": 200,
            "executedVersion": given_up.version,
            "functionError": "Unhandled" if given_up.error else None,
        }
    shown["version"] = "1.0"
    shown["timestamp"] = iso_millis(now)
    shown[batch_info] = {
        "shardId": found.shard,
        "startSequenceNumber": found.first,
        "endSequenceNumber": found.last,
        "approximateArrivalOfFirstRecord": found.first_at,
        "approximateArrivalOfLastRecord": found.last_at,
        "batchSize": found.size,
        "streamArn": found.stream,
    }
    if payload is not None:
        shown["payload"] = msgspec.Raw(payload)
    return msgspec.json.encode(shown)
