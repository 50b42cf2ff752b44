"""A message of a queue as a record of an event, to the letter. Pure."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.functions.mappings import filters

_encode = msgspec.json.Encoder().encode


def event(shown: Mapping[str, Any], arn: str, region: str) -> dict[str, Any]:
    """The record of a message in the shape of ReceiveMessage."""
    return {
        "messageId": shown["MessageId"],
        "receiptHandle": shown["ReceiptHandle"],
        "body": shown["Body"],
        "attributes": shown.get("Attributes", {}),
        "messageAttributes": {name: _attribute(each) for name, each in shown.get("MessageAttributes", {}).items()},
        "md5OfMessageAttributes": shown.get("MD5OfMessageAttributes"),
        "md5OfBody": shown["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region,
    }


def encoded(shown: Mapping[str, Any], arn: str, region: str) -> bytes:
    return _encode(event(shown, arn, region))


def matched(shown: Mapping[str, Any], arn: str, region: str) -> dict[str, Any]:
    """What filter criteria are held against: the body as the JSON that it is."""
    found = event(shown, arn, region)
    return {**found, "body": filters.data(found["body"])}


def _attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    """A message attribute: names that begin with a small letter."""
    shown: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": given["DataType"]}
    if "BinaryValue" in given:
        return {"binaryValue": base64.b64encode(given["BinaryValue"]).decode(), **shown}
    return {"stringValue": given.get("StringValue", ""), **shown}
