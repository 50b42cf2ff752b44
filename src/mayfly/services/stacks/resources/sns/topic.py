"""AWS::SNS::Topic: a topic with its attributes, tags and the subscriptions that stand inside it."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.keys import KEY, without_aws_keys
from mayfly.services.stacks.resources.reading import document_seen, in_order, observed, tags_of
from mayfly.services.stacks.resources.schema import (
    BOOLEAN,
    INTEGER,
    JSON,
    STRING,
    TAGS,
    Ignored,
    Items,
    Refused,
    fields,
)
from mayfly.services.stacks.resources.sns.protocols import PROTOCOL
from mayfly.services.stacks.resources.sns.subscriptions import GONE, all_of_topic
from mayfly.services.stacks.resources.tags import retag

_FIFO = ".fifo"
_MOST_CHARACTERS = 256
# The attributes that are one property each, and what each is again when a template says it no more.
_DEFAULTS = MappingProxyType(
    {
        "ArchivePolicy": "",
        "ContentBasedDeduplication": "false",
        "DisplayName": "",
        "FifoThroughputScope": "Topic",
        "KmsMasterKeyId": "",
        "MaximumMessageSize": "262144",
        "SignatureVersion": "1",
    }
)
_LOGGED = MappingProxyType(
    {"http/s": "HTTP", "sqs": "SQS", "lambda": "Lambda", "firehose": "Firehose", "application": "Application"}
)
_FEEDBACK = ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")


class Topic:
    name = "AWS::SNS::Topic"
    schema = fields(
        ArchivePolicy=JSON,
        ContentBasedDeduplication=BOOLEAN,
        DataProtectionPolicy=Refused("Mayfly does not implement data protection policies."),
        DeliveryStatusLogging=Items(
            fields(
                "Protocol",
                FailureFeedbackRoleArn=STRING,
                Protocol=STRING,
                SuccessFeedbackRoleArn=STRING,
                SuccessFeedbackSampleRate=STRING,
            )
        ),
        DisplayName=STRING,
        FifoThroughputScope=STRING,
        FifoTopic=BOOLEAN,
        KmsMasterKeyId=STRING,
        MaximumMessageSize=INTEGER,
        SignatureVersion=STRING,
        Subscription=Items(fields("Endpoint Protocol", Endpoint=STRING, Protocol=PROTOCOL)),
        Tags=TAGS,
        TopicName=STRING,
        TracingConfig=Ignored("Topics write nothing into traces; the functions that they call do.", STRING),
    )
    replaced_by = frozenset({"TopicName", "FifoTopic"})
    attributes = frozenset({"TopicArn", "TopicName"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return f"arn:aws:sns:{target.region}:{target.account}:{self._name(target, properties)}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("TopicName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        arn = self.physical_id(target, properties)
        return await call.unless(GONE, "sns", "GetTopicAttributes", TopicArn=arn) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self._name(target, properties)
        fifo = {"FifoTopic": "true"} if properties.get("FifoTopic") else {}
        reply = await call(
            "sns",
            "CreateTopic",
            Name=name,
            Attributes=fifo | _attributes(properties),
            Tags=properties.get("Tags", []),
        )
        arn = reply["TopicArn"]
        await self._subscribe(call, arn, {}, properties)
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        arn, before, after = made.physical_id, _attributes(old), _attributes(new)
        for name in before.keys() | after.keys():
            value = after.get(name, _DEFAULTS.get(name, ""))
            if before.get(name) != value:
                await call("sns", "SetTopicAttributes", TopicArn=arn, AttributeName=name, AttributeValue=value)
        await retag(call, "sns", old, new, ResourceArn=arn)
        await self._subscribe(call, arn, old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        if "ArchivePolicy" in properties:  # which would keep the topic
            params = {"AttributeName": "ArchivePolicy", "AttributeValue": ""}
            await call.unless(GONE, "sns", "SetTopicAttributes", TopicArn=made.physical_id, **params)
        await call("sns", "DeleteTopic", TopicArn=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        arn = made.physical_id
        reply = await call.unless(GONE, "sns", "GetTopicAttributes", TopicArn=arn)
        if reply is None:
            return None
        found = reply["Attributes"]
        subscriptions = [
            {"Endpoint": one["Endpoint"], "Protocol": one["Protocol"]} for one in await all_of_topic(call, arn)
        ]
        mine = properties.get("Subscription", ())
        return observed(
            properties,
            {
                "TopicName": made.attributes["TopicName"] if "TopicName" in properties else None,
                "FifoTopic": True if found.get("FifoTopic") == "true" else properties.get("FifoTopic"),
                **{
                    name: _typed(name, properties.get(name), found.get(name, default))
                    for name, default in _DEFAULTS.items()
                },
                KEY: found.get(KEY) or properties.get(KEY),
                # Those that are resources of their own are none of this topic's.
                "Subscription": in_order(mine, [one for one in subscriptions if one in mine], json.dumps) or None,
                "DeliveryStatusLogging": _logging(found) or None,
                **await tags_of(call, "sns", properties, ResourceArn=arn),
            },
            defaults={name: _typed(name, None, value) for name, value in _DEFAULTS.items()},
        )

    def _name(self, target: Target, properties: Mapping[str, Any]) -> str:
        if (custom := self.custom_name(properties)) is not None:
            return custom
        if properties.get("FifoTopic"):
            return target.name(_MOST_CHARACTERS - len(_FIFO)) + _FIFO
        return target.name(_MOST_CHARACTERS)

    async def _subscribe(self, call: Caller, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Bring the subscriptions that stand inside the topic from `old` to `new`."""
        if not changed(old, new, "Subscription"):
            return
        wanted = new.get("Subscription", [])
        gone = [one for one in old.get("Subscription", ()) if one not in wanted]
        for one in await all_of_topic(call, arn) if gone else ():
            if {"Endpoint": one["Endpoint"], "Protocol": one["Protocol"]} in gone:
                await call.unless(GONE, "sns", "Unsubscribe", SubscriptionArn=one["SubscriptionArn"])
        for one in wanted:
            await call("sns", "Subscribe", TopicArn=arn, **one)


def _attributes(properties: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that a template gives, as the API has them: all of them text."""
    said = without_aws_keys(properties)
    found = {name: _text(said[name]) for name in _DEFAULTS if name in said}
    for logged in properties.get("DeliveryStatusLogging", ()):
        kind = _LOGGED.get(logged["Protocol"], logged["Protocol"])
        found |= {f"{kind}{name}": logged[name] for name in _FEEDBACK if name in logged}
    return found


def _logging(found: Mapping[str, str]) -> list[dict[str, str]]:
    logged = []
    for protocol, kind in _LOGGED.items():
        said = {name: found[f"{kind}{name}"] for name in _FEEDBACK if f"{kind}{name}" in found}
        if said:
            logged.append({"Protocol": protocol, **said})
    return logged


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _typed(name: str, given: Any, text: str) -> Any:
    if name == "ContentBasedDeduplication":
        return text == "true"
    if name == "MaximumMessageSize":
        return int(text)
    return document_seen(given, text) if name == "ArchivePolicy" else text
