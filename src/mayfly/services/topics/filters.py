"""Filter policies of subscriptions, compiled: whether a message is wanted."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mayfly.matching.errors import FilterPolicyError
from mayfly.matching.filter_policy import (
    FilterPolicy,
    Scope,
    compile_filter_policy,
    event_of_attributes,
    event_of_body,
)
from mayfly.matching.index import Index
from mayfly.services.topics.model import Message, Subscription

DEFAULT_SCOPE: Literal["MessageAttributes"] = "MessageAttributes"
MOST_POLICIES = 10_000

_log = logging.getLogger(__name__)


class Policies:
    """Compiled policies by what they say, so that a topic whose subscriptions change compiles what is new alone.

    Not for several threads at a time.
    """

    def __init__(self, most: int = MOST_POLICIES) -> None:
        self._most = most
        self._compiled: dict[tuple[str, Scope], FilterPolicy] = {}

    def of(self, subscription: Subscription) -> FilterPolicy | None:
        """The policy of a subscription, which was checked when it was given; None: it wants everything.

        `FilterPolicyError` for one that an earlier version of the platform took.
        """
        text = subscription.attributes.get("FilterPolicy")
        if text is None:
            return None
        key = (text, scope_of(subscription.attributes))
        found = self._compiled.get(key)
        if found is None:
            found = compile_filter_policy(*key)
            if len(self._compiled) >= self._most:
                self._compiled.clear()
            self._compiled[key] = found
        return found


class Wants:
    """Which of some subscriptions want a message: one look into an index for all that have a policy, whatever their
    number. Not for several threads at a time."""

    def __init__(self, subscriptions: Sequence[Subscription], policies: Policies) -> None:
        self._everything: list[int] = []
        self._by_attributes: Index[int] = Index()
        self._by_body: dict[str, Index[int]] = {}  # by protocol, each of which may have a text of its own
        for at, one in enumerate(subscriptions):
            try:
                policy = policies.of(one)
            except FilterPolicyError as error:
                # It must cost its subscription the messages, not the topic.
                _log.error("%s gets nothing until its filter policy is set anew: %s", one.arn, error)
                continue
            if policy is None:
                self._everything.append(at)
            elif policy.scope == "MessageBody":
                self._by_body.setdefault(one.protocol, Index()).add(at, policy.pattern)
            else:
                self._by_attributes.add(at, policy.pattern)

    def by(self, seen: "Seen") -> list[int]:
        """The places of those that want it, in their order."""
        found = list(self._everything)
        if len(self._by_attributes):
            found += self._by_attributes.match(seen.attributes)
        for protocol, index in self._by_body.items():
            body = seen.body(protocol)
            if body is not None:
                found += index.match(body)
        found.sort()
        return found


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


def scope_of(attributes: Mapping[str, str]) -> Scope:
    """What a filter policy looks at, by the attributes of its subscription."""
    return "MessageBody" if attributes.get("FilterPolicyScope") == "MessageBody" else DEFAULT_SCOPE
