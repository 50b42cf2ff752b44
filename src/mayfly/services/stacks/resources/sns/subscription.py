"""AWS::SNS::Subscription: what is published to a topic, delivered to a queue, a function or a URL.

A URL is asked before anything is sent to it. The stack does not wait for its answer: the subscription is made, and
waits for confirmation, as on AWS.
"""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import document_seen, observed
from mayfly.services.stacks.resources.schema import BOOLEAN, JSON, STRING, PropertyError, Refused, fields
from mayfly.services.stacks.resources.sns.protocols import PROTOCOL
from mayfly.services.stacks.resources.sns.subscriptions import GONE, all_of_topic

# The attributes, in an order in which they can be set one by one where the scope of a filter widens; and what each is
# again when a template says it no more.
_DEFAULTS = {
    "FilterPolicyScope": "MessageAttributes",
    "FilterPolicy": "",
    "RawMessageDelivery": "false",
    "RedrivePolicy": "",
    "DeliveryPolicy": "",
    "ReplayPolicy": "",
}


class Subscription(Unnamed):
    name = "AWS::SNS::Subscription"
    schema = fields(
        "Protocol TopicArn",
        DeliveryPolicy=JSON,
        Endpoint=STRING,
        FilterPolicy=JSON,
        FilterPolicyScope=STRING,
        Protocol=PROTOCOL,
        RawMessageDelivery=BOOLEAN,
        RedrivePolicy=JSON,
        Region=STRING,
        ReplayPolicy=JSON,
        SubscriptionRoleArn=Refused("It is for the protocol firehose, which Mayfly does not have."),
        TopicArn=STRING,
    )
    replaced_by = frozenset({"Endpoint", "Protocol", "TopicArn"})
    attributes = frozenset({"Arn"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        if properties.get("Region", target.region) != target.region:
            raise PropertyError(
                f"#/Region: the topic is in {properties['Region']}, and Mayfly has {target.region} alone"
            )
        endpoint = {"Endpoint": properties["Endpoint"]} if "Endpoint" in properties else {}
        reply = await call(
            "sns",
            "Subscribe",
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            **endpoint,
            Attributes=_attributes(properties),
            ReturnSubscriptionArn=True,
        )
        arn = reply["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        before, after = _attributes(old), _attributes(new)
        widened = after.get("FilterPolicyScope") == "MessageBody"
        for name in _DEFAULTS if widened else dict.fromkeys(("FilterPolicy", *_DEFAULTS)):
            value = after.get(name, _DEFAULTS[name])
            if before.get(name, _DEFAULTS[name]) != value:
                await call(
                    "sns",
                    "SetSubscriptionAttributes",
                    SubscriptionArn=made.physical_id,
                    AttributeName=name,
                    AttributeValue=value,
                )
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        arn = made.physical_id if made.attributes else await self._find(call, properties)
        if arn is not None:
            await call.unless(GONE, "sns", "Unsubscribe", SubscriptionArn=arn)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        reply = await call.unless(GONE, "sns", "GetSubscriptionAttributes", SubscriptionArn=made.physical_id)
        if reply is None:
            return None
        found = reply["Attributes"]
        documents = ("FilterPolicy", "RedrivePolicy", "DeliveryPolicy", "ReplayPolicy")
        return observed(
            properties,
            {
                "TopicArn": found["TopicArn"],
                "Protocol": found["Protocol"],
                "FilterPolicyScope": found.get("FilterPolicyScope"),
                "RawMessageDelivery": found["RawMessageDelivery"] == "true",
                **{name: document_seen(properties.get(name), found.get(name)) for name in documents},
            },
            "Endpoint",  # a URL is shown without its password; it cannot be changed anyway
            "Region",
            defaults={"RawMessageDelivery": False, "FilterPolicyScope": _DEFAULTS["FilterPolicyScope"]},
        )

    async def _find(self, call: Caller, properties: Mapping[str, Any]) -> str | None:
        """The ARN of what an interrupted creation made."""
        mine = (properties["Protocol"], properties.get("Endpoint", ""))
        for one in await all_of_topic(call, properties["TopicArn"]):
            if (one["Protocol"], one["Endpoint"]) == mine and one["SubscriptionArn"].startswith("arn:"):
                return str(one["SubscriptionArn"])
        return None


def _attributes(properties: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(properties[name]) for name in _DEFAULTS if name in properties}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)
