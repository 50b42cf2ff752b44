"""What is told of a batch that was given up: the records for OnFailure destinations. Pure."""

from collections.abc import Mapping
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


def record(given_up: GivenUp, name: str, info: Mapping[str, Any], now: float, payload: bytes | None = None) -> bytes:
    """The record for a queue or a topic; with `payload`, for a bucket, which gets the records themselves, too. `info`
    says which records they were, under the `name` that their kind of stream has for that."""
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
    shown[name] = info
    if payload is not None:
        shown["payload"] = msgspec.Raw(payload)
    return msgspec.json.encode(shown)
