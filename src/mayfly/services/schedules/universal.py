"""Targets by their ARN: services that take events, and `arn:aws:scheduler:::aws-sdk:service:apiAction`. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

from mayfly.ids import Arn

# "Using universal targets in EventBridge Scheduler": operations that only read are no targets.
_READING = re.compile(
    r"(get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe|"
    r"batchRead|transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized|"
    r"isAuthorizedWithToken|invokeModel)(?![a-z])"
)
_UNIVERSAL = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:([a-z0-9]+):([a-zA-Z0-9]+)")

Kind = Literal["function", "queue", "topic", "bus", "states", "absent", "other"]
_KINDS: dict[str, Kind] = {"lambda": "function", "sqs": "queue", "sns": "topic", "events": "bus", "states": "states"}
# Templated targets of AWS whose services Mayfly does not have.
_ABSENT = {"codebuild", "codepipeline", "ecs", "firehose", "inspector", "inspector2", "kinesis", "sagemaker"}


@dataclass(frozen=True, slots=True)
class Call:
    """An operation by the names that AWS's SDKs give it."""

    service: str  # "sqs", "eventbridge"
    action: str  # "sendMessage"

    @property
    def reads_only(self) -> bool:
        return _READING.match(self.action) is not None


def call_of(arn: str) -> Call | None:
    """The operation that a universal target names; None for any other ARN."""
    match = _UNIVERSAL.fullmatch(arn)
    return None if match is None else Call(match[1], match[2])


def kind_of(arn: str) -> Kind:
    """What an ARN that is no universal target names; ValueError when it is no ARN."""
    parsed = Arn.parse(arn)
    if parsed.service in _ABSENT:
        return "absent"
    if parsed.service == "events" and not parsed.resource.startswith("event-bus/"):
        return "other"
    return _KINDS.get(parsed.service, "other")
