"""AWS::SQS::Queue: a queue, with its attributes and tags."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, tag_changes
from mayfly.services.stacks.resources.keys import KEY, without_aws_keys
from mayfly.services.stacks.resources.reading import document_seen, observed, tags_seen
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, JSON, STRING, TAGS, fields

GONE = "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist"
_FIFO = ".fifo"
_MOST_CHARACTERS = 80
# What an attribute is again when a template says it no more.
_DEFAULTS = MappingProxyType(
    {
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "queue",
        "DelaySeconds": "0",
        "FifoThroughputLimit": "perQueue",
        "KmsDataKeyReusePeriodSeconds": "300",
        "KmsMasterKeyId": "",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "RedriveAllowPolicy": "",
        "RedrivePolicy": "",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }
)


class Queue:
    name = "AWS::SQS::Queue"
    schema = fields(
        QueueName=STRING,
        FifoQueue=BOOLEAN,
        ContentBasedDeduplication=BOOLEAN,
        DeduplicationScope=STRING,
        DelaySeconds=INTEGER,
        FifoThroughputLimit=STRING,
        KmsDataKeyReusePeriodSeconds=INTEGER,
        KmsMasterKeyId=STRING,
        MaximumMessageSize=INTEGER,
        MessageRetentionPeriod=INTEGER,
        ReceiveMessageWaitTimeSeconds=INTEGER,
        RedriveAllowPolicy=JSON,
        RedrivePolicy=JSON,
        SqsManagedSseEnabled=BOOLEAN,
        VisibilityTimeout=INTEGER,
        Tags=TAGS,
    )
    replaced_by = frozenset({"QueueName", "FifoQueue"})
    attributes = frozenset({"Arn", "QueueName", "QueueUrl"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        if (custom := self.custom_name(properties)) is not None:
            return custom
        if properties.get("FifoQueue"):
            return target.name(_MOST_CHARACTERS - len(_FIFO)) + _FIFO
        return target.name(_MOST_CHARACTERS)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("QueueName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, "sqs", "GetQueueUrl", QueueName=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        fifo = {"FifoQueue": "true"} if properties.get("FifoQueue") else {}
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
        reply = await call("sqs", "CreateQueue", QueueName=name, Attributes=fifo | _attributes(properties), tags=tags)
        return _made(target, name, reply["QueueUrl"])

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        url = made.attributes["QueueUrl"]
        before, after = _attributes(old), _attributes(new)
        changes = {name: value for name, value in after.items() if before.get(name) != value}
        changes |= {name: _DEFAULTS[name] for name in before if name not in after}
        if changes:
            await call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=changes)
        put, remove = tag_changes(old, new)
        if remove:
            await call("sqs", "UntagQueue", QueueUrl=url, TagKeys=remove)
        if put:
            await call("sqs", "TagQueue", QueueUrl=url, Tags={tag["Key"]: tag["Value"] for tag in put})
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        name = self.physical_id(target, properties)
        found = await call.unless(GONE, "sqs", "GetQueueUrl", QueueName=name)
        if found is not None:
            await call.unless(GONE, "sqs", "DeleteQueue", QueueUrl=found["QueueUrl"])

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        url = made.physical_id
        reply = await call.unless(GONE, "sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        if reply is None:
            return None
        found = reply["Attributes"]
        tags = (await call("sqs", "ListQueueTags", QueueUrl=url)).get("Tags", {})
        truth = {name: _typed(name, properties.get(name), found.get(name)) for name in _DEFAULTS}
        if KEY not in without_aws_keys(properties):
            truth[KEY] = properties.get(KEY)
        fifo = True if found.get("FifoQueue") == "true" else properties.get("FifoQueue")
        return observed(
            properties,
            {**truth, "QueueName": made.attributes["QueueName"], "FifoQueue": fifo, **tags_seen(properties, tags)},
            defaults={
                "QueueName": made.attributes["QueueName"],
                **{name: _typed(name, None, value) for name, value in _DEFAULTS.items()},
            },
        )


def _typed(name: str, given: Any, text: str | None) -> Any:
    """An attribute as a template has it; None for one that the queue has not."""
    if not text:
        return given if given in ("", {}) else None
    if name in ("RedrivePolicy", "RedriveAllowPolicy"):
        found = document_seen(given, text)
        same = isinstance(given, dict) and {key: str(value) for key, value in given.items()} == {
            key: str(value) for key, value in found.items()
        }
        return given if same else found
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() and name != "KmsMasterKeyId" else text


def _attributes(properties: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that a template gives, as the API has them: all of them text."""
    said = without_aws_keys(properties)
    return {name: _text(said[name]) for name in _DEFAULTS if name in said}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _made(target: Target, name: str, url: str) -> Made:
    arn = f"arn:aws:sqs:{target.region}:{target.account}:{name}"
    return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})
