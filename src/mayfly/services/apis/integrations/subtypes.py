"""Integrations of HTTP APIs with services: a subtype names an operation, parameters its members. Pure.

`SQS-SendMessage` and its like, with the names of parameters that API Gateway documents for each; some are not called
what the operation calls them (`EventBridge-PutEvents` puts one event, `Region` says where). What a parameter holds is
text, which becomes JSON where the operation has more than text.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from mayfly.vtl import relaxed_json

_PUT_EVENTS = "EventBridge-PutEvents"


class Subtype(Struct, frozen=True):
    """What one subtype calls."""

    service: str  # as SDKs name it
    operation: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    structured: frozenset[str] = frozenset()  # parameters that are JSON
    numbers: frozenset[str] = frozenset()

    def missing(self, parameters: Mapping[str, str]) -> list[str]:
        """Parameters that have to be there and are not."""
        return [name for name in self.required if name not in parameters]

    def unknown(self, parameters: Mapping[str, str]) -> list[str]:
        """Parameters that the subtype does not have."""
        return [name for name in parameters if name not in {*self.required, *self.optional, "Region"}]


SUBTYPES: Mapping[str, Subtype] = {
    _PUT_EVENTS: Subtype(
        "eventbridge",
        "PutEvents",
        ("Detail", "DetailType", "Source"),
        ("Time", "EventBusName", "Resources", "TraceHeader"),
        frozenset({"Resources"}),
    ),
    "SQS-SendMessage": Subtype(
        "sqs",
        "SendMessage",
        ("QueueUrl", "MessageBody"),
        (
            "DelaySeconds",
            "MessageAttributes",
            "MessageDeduplicationId",
            "MessageGroupId",
            "MessageSystemAttributes",
        ),
        frozenset({"MessageAttributes", "MessageSystemAttributes"}),
        frozenset({"DelaySeconds"}),
    ),
    "SQS-ReceiveMessage": Subtype(
        "sqs",
        "ReceiveMessage",
        ("QueueUrl",),
        (
            "AttributeNames",
            "MaxNumberOfMessages",
            "MessageAttributeNames",
            "ReceiveRequestAttemptId",
            "VisibilityTimeout",
            "WaitTimeSeconds",
        ),
        frozenset({"AttributeNames", "MessageAttributeNames"}),
        frozenset({"MaxNumberOfMessages", "VisibilityTimeout", "WaitTimeSeconds"}),
    ),
    "SQS-DeleteMessage": Subtype("sqs", "DeleteMessage", ("ReceiptHandle", "QueueUrl")),
    "SQS-PurgeQueue": Subtype("sqs", "PurgeQueue", ("QueueUrl",)),
    "StepFunctions-StartExecution": Subtype("sfn", "StartExecution", ("StateMachineArn",), ("Name", "Input")),
    "StepFunctions-StartSyncExecution": Subtype(
        "sfn", "StartSyncExecution", ("StateMachineArn",), ("Name", "Input", "TraceHeader")
    ),
    "StepFunctions-StopExecution": Subtype("sfn", "StopExecution", ("ExecutionArn",), ("Cause", "Error")),
}
# Those that API Gateway has and Mayfly has no service for.
REFUSED: Mapping[str, str] = {
    "AppConfig-GetConfiguration": "AWS AppConfig",
    "Kinesis-PutRecord": "Kinesis Data Streams",
}


def document_of(name: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of the operation as JSON; ValueError says which parameter is not what it has to be."""
    subtype = SUBTYPES[name]
    given = {key: _value(subtype, key, value) for key, value in parameters.items() if key != "Region"}
    if name == _PUT_EVENTS:
        return {"Entries": [given]}
    if subtype.service == "sfn":
        return {key[0].lower() + key[1:]: value for key, value in given.items()}
    return given


def _value(subtype: Subtype, name: str, text: str) -> Any:
    if name in subtype.numbers:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"{name} has to be a whole number, not {text!r}") from None
    if name not in subtype.structured:
        return text
    try:
        return relaxed_json.strict(text)
    except ValueError:
        if text and not text.startswith(("{", "[")):
            return [part.strip() for part in text.split(",")]
        raise ValueError(f"{name} has to be JSON, not {json.dumps(text)}") from None
