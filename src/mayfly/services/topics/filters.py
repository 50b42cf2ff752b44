"""Filter policies of subscriptions, compiled: whether a message is wanted."""

from collections.abc import Mapping
from typing import Any, Literal

from mayfly.matching.filter_policy import (
    FilterPolicy,
    Scope,
    compile_filter_policy,
    event_of_attributes,
    event_of_body,
)
from mayfly.services.topics.model import Message, Subscription

DEFAULT_SCOPE: Literal["MessageAttributes"] = "MessageAttributes"


class Filter:
    """The filter of one subscription. Without a policy everything is wanted."""

    def __init__(self, policy: FilterPolicy | None, protocol: str) -> None:
        self._policy = policy
        self._protocol = protocol

    def wants(self, seen: "Seen") -> bool:
        """Whether the subscription gets the message."""
        if self._policy is None:
            return True
        event = seen.attributes if self._policy.scope == "MessageAttributes" else seen.body(self._protocol)
        return event is not None and self._policy.pattern.matches(event)


class Seen:
    """A message as filters see it; what they share is parsed once, and only if one asks."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._attributes: Mapping[str, Any] | None = None
        self._bodies: dict[str, Mapping[str, Any] | None] = {}

    @property
    def attributes(self) -> Mapping[str, Any]:
        if self._attributes is None:
            # What is binary no policy sees, so it need not be decoded.
            plain = {one.name: (one.type, one.value) for one in self._message.attributes if not one.binary}
            self._attributes = event_of_attributes(plain)
        return self._attributes

    def body(self, protocol: str) -> Mapping[str, Any] | None:
        text = self._message.text_for(protocol)
        if text not in self._bodies:
            self._bodies[text] = event_of_body(text)
        return self._bodies[text]


def compiled(subscription: Subscription) -> Filter:
    """The filter of a subscription, whose policy was checked when it was given."""
    text = subscription.attributes.get("FilterPolicy")
    policy = None if text is None else compile_filter_policy(text, scope_of(subscription.attributes))
    return Filter(policy, subscription.protocol)


def scope_of(attributes: Mapping[str, str]) -> Scope:
    """What a filter policy looks at, by the attributes of its subscription."""
    return "MessageBody" if attributes.get("FilterPolicyScope") == "MessageBody" else DEFAULT_SCOPE
