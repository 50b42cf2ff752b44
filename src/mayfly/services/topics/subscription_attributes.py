"""Attributes of subscriptions: which there are, which values they have, and how they are shown. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mayfly.matching.errors import FilterPolicyError
from mayfly.matching.filter_policy import compile_filter_policy
from mayfly.services.topics import delivery_policy, faults, names
from mayfly.services.topics.filters import DEFAULT_SCOPE, scope_of
from mayfly.services.topics.model import URLS, Subscription, Topic

_SCOPES = ("MessageAttributes", "MessageBody")
SETTABLE = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
)


class ReplayPolicy(NamedTuple):
    """What to send again, by the time at which it was published."""

    since: float
    until: float | None


def checked(topic: Topic, protocol: str, name: str, value: str) -> str | None:
    """The value of an attribute as it is kept; None: as if it had not been given. `check_filter` is for the caller."""
    if name == "SubscriptionRoleArn":
        raise faults.unserved("SubscriptionRoleArn: it is for the protocol firehose, which Mayfly does not have")
    if name not in SETTABLE:
        raise faults.invalid("AttributeName")
    if name == "RawMessageDelivery":
        return _raw(protocol, value)
    if name == "FilterPolicyScope":
        if value not in _SCOPES:
            raise faults.invalid(
                f"FilterPolicyScope: Invalid value [{value}]. Please use either {' or '.join(_SCOPES)}"
            )
        return value
    if not value.strip() or value.strip() == "{}":
        return None
    if name == "DeliveryPolicy":
        if protocol not in URLS:
            raise faults.invalid(f"DeliveryPolicy: it is not for subscriptions of the protocol {protocol}")
        delivery_policy.of_subscription(value)
    elif name == "RedrivePolicy":
        _redrive(topic, value)
    elif name == "ReplayPolicy":
        _replayable(topic, value)
    return value


def check_filter(attributes: Mapping[str, str]) -> None:
    """Refuse attributes with what is no filter policy for their scope."""
    if "FilterPolicy" not in attributes:
        return
    try:
        compile_filter_policy(attributes["FilterPolicy"], scope_of(attributes))
    except FilterPolicyError as error:
        raise faults.invalid(error.reason) from error


def dead_letters(attributes: Mapping[str, str]) -> str | None:
    """The ARN of the queue for what cannot be delivered."""
    text = attributes.get("RedrivePolicy")
    return None if text is None else str(json.loads(text)["deadLetterTargetArn"])


def replay_policy(text: str) -> ReplayPolicy:
    """The times of a ReplayPolicy."""
    document = _object("ReplayPolicy", text)
    unknown = set(document) - {"PointType", "StartingPoint", "EndingPoint"}
    if unknown:
        raise faults.invalid(f"ReplayPolicy: Unexpected JSON member: {min(unknown)}")
    if document.get("PointType") != "Timestamp":
        raise faults.invalid("ReplayPolicy: PointType must be Timestamp")
    since = _time(document.get("StartingPoint"), "StartingPoint")
    until = _time(document["EndingPoint"], "EndingPoint") if "EndingPoint" in document else None
    if until is not None and until < since:
        raise faults.invalid("ReplayPolicy: EndingPoint must not be before StartingPoint")
    return ReplayPolicy(since, until)


def shown(subscription: Subscription, topic: Topic) -> dict[str, str]:
    """What GetSubscriptionAttributes answers."""
    answer = {
        "SubscriptionArn": subscription.arn,
        "TopicArn": subscription.topic_arn,
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": names.masked(subscription.endpoint),
        "PendingConfirmation": "false" if subscription.confirmed else "true",
        "ConfirmationWasAuthenticated": "true" if subscription.authenticated else "false",
        "RawMessageDelivery": "false",
        "SubscriptionPrincipal": subscription.principal,
        **subscription.attributes,
    }
    if "FilterPolicy" in subscription.attributes:
        answer.setdefault("FilterPolicyScope", DEFAULT_SCOPE)
    if subscription.protocol in URLS:
        answer["EffectiveDeliveryPolicy"] = delivery_policy.effective_of_subscription(effective(subscription, topic))
    if subscription.replay is not None:
        answer["ReplayStatus"] = subscription.replay.status
    return answer


def effective(subscription: Subscription, topic: Topic) -> delivery_policy.DeliveryPolicy:
    """How messages go to a URL."""
    mine, theirs = subscription.attributes.get("DeliveryPolicy"), topic.attributes.get("DeliveryPolicy")
    above = delivery_policy.NOTHING if theirs is None else delivery_policy.of_topic(theirs)
    return (delivery_policy.NOTHING if mine is None else delivery_policy.of_subscription(mine)).over(above)


def _raw(protocol: str, value: str) -> str | None:
    if value.lower() not in ("true", "false"):
        raise faults.invalid(f"RawMessageDelivery Reason: Invalid value [{value}]. Must be true or false.")
    if value.lower() == "true" and protocol == "lambda":
        raise faults.invalid("Delivery protocol [lambda] does not support raw message delivery.")
    return value.lower()


def _redrive(topic: Topic, text: str) -> None:
    document = _object("RedrivePolicy", text)
    target = document.get("deadLetterTargetArn")
    if len(document) != 1 or not isinstance(target, str) or not names.is_arn_of("sqs", target, topic.region):
        raise faults.invalid("RedrivePolicy: deadLetterTargetArn is the ARN of a queue in the topic's region")
    if target.endswith(".fifo") != topic.fifo:
        kind = "a FIFO" if topic.fifo else "a standard"
        raise faults.invalid(f"RedrivePolicy: the dead-letter queue of a subscription to {kind} topic is {kind} queue")


def _replayable(topic: Topic, text: str) -> None:
    replay_policy(text)
    if not topic.fifo or "ArchivePolicy" not in topic.attributes:
        raise faults.invalid("ReplayPolicy: the topic is no FIFO topic with an ArchivePolicy")


def _time(value: Any, name: str) -> float:
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise faults.invalid(f"ReplayPolicy: {name} is a time such as 2026-01-31T12:00:00.000Z") from error
    return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise faults.invalid(f"{name}: failed to parse JSON") from error
    if not isinstance(document, dict):
        raise faults.invalid(f"{name}: it must be a JSON object")
    return document
