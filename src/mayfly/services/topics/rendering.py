"""What subscribers get: the forms of a message for queues, functions and URLs, and the text that is signed. Pure.

The names of members, their order and the blanks are SNS's, because there are readers that depend on each of them.
"""

from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec

from mayfly.clock import iso_millis
from mayfly.services.topics.model import Message, Subscription, Topic

PAGES = "/_mayfly/topics/"
_encode = msgspec.json.encode


class Signer(Protocol):
    """Signs; its certificate is found under its name."""

    @property
    def name(self) -> str: ...

    def sign(self, version: str, text: str) -> str:
        """The signature of a canonical text."""


class Rendering:
    """One message of one topic on its way to many subscriptions: what they share is made once."""

    def __init__(self, topic: Topic, message: Message, signer: Signer | None) -> None:
        """What FIFO topics send is not signed, on AWS neither; for all others there is a signer."""
        self.topic = topic
        self.message = message
        self._signer = signer
        self._timestamp = iso_millis(message.published_at)
        self._signatures: dict[str, str] = {}  # by text

    def signature(self, text: str) -> str:
        """The signature of the notification with a text; made when it is first asked for."""
        found = self._signatures.get(text)
        if found is None:
            message = self.message
            members = [("Message", text), ("MessageId", message.id)]
            members += [("Subject", message.subject)] if message.subject is not None else []
            members += [("Timestamp", self._timestamp), ("TopicArn", self.topic.arn), ("Type", "Notification")]
            assert self._signer is not None, "only what FIFO topics send has no signer"
            found = self._signer.sign(self.topic.signature_version, canonical(members))
            self._signatures[text] = found
        return found

    def envelope(self, subscription: Subscription) -> str:
        """The JSON document that queues and URLs get unless they want it raw."""
        message = self.message
        text = message.text_for(subscription.protocol)
        members = [("Type", "Notification"), ("MessageId", message.id)]
        if message.sequence_number is not None:
            members.append(("SequenceNumber", message.sequence_number))
        members.append(("TopicArn", self.topic.arn))
        if message.subject is not None:
            members.append(("Subject", message.subject))
        members += [("Message", text), ("Timestamp", self._timestamp)]
        if not self.topic.fifo:
            members += [
                ("SignatureVersion", self.topic.signature_version),
                ("Signature", self.signature(text)),
                ("SigningCertURL", self._certificate_url(subscription)),
            ]
        members.append(("UnsubscribeURL", unsubscribe_url(subscription)))
        if message.replayed:
            members.append(("Replayed", "true"))
        lines = [f'  "{name}" : {_quoted(value)}' for name, value in members]
        if message.attributes:
            inner = [
                f'    {_quoted(one.name)} : {{"Type":{_quoted(one.type)},"Value":{_quoted(one.value)}}}'
                for one in message.attributes
            ]
            lines.append('  "MessageAttributes" : {\n' + ",\n".join(inner) + "\n  }")
        return "{\n" + ",\n".join(lines) + "\n}"

    def event(self, subscription: Subscription) -> bytes:
        """The event that a function gets."""
        message = self.message
        text = message.text_for("lambda")
        inner: dict[str, Any] = {
            "Type": "Notification",
            "MessageId": message.id,
            "TopicArn": self.topic.arn,
            "Subject": message.subject,
            "Message": text,
            "Timestamp": self._timestamp,
        }
        if self.topic.fifo:
            inner["SequenceNumber"] = message.sequence_number
        else:
            inner |= {
                "SignatureVersion": self.topic.signature_version,
                "Signature": self.signature(text),
                "SigningCertUrl": self._certificate_url(subscription),
            }
        inner["UnsubscribeUrl"] = unsubscribe_url(subscription)
        inner["MessageAttributes"] = {one.name: {"Type": one.type, "Value": one.value} for one in message.attributes}
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription.arn,
            "Sns": inner,
        }
        return _encode({"Records": [record]})

    def body(self, subscription: Subscription) -> str:
        """What a queue, or a URL, gets as a body."""
        return self.message.text_for(subscription.protocol) if subscription.raw else self.envelope(subscription)

    def _certificate_url(self, subscription: Subscription) -> str:
        assert self._signer is not None, "as above"
        return certificate_url(subscription.base_url, self._signer.name)


def canonical(members: Iterable[tuple[str, str]]) -> str:
    """The text that is signed: names and values on lines of their own, in the order of the names."""
    return "".join(f"{name}\n{value}\n" for name, value in members)


def confirmation(subscription: Subscription, message_id: str, now: float, signer: Signer, topic: Topic) -> str:
    """The document that asks a URL to confirm its subscription."""
    text = (
        f"You have chosen to subscribe to the topic {topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    return _handshake("SubscriptionConfirmation", text, subscription, message_id, now, signer, topic)


def cancellation(subscription: Subscription, message_id: str, now: float, signer: Signer, topic: Topic) -> str:
    """The document that tells a URL that its subscription has ended, and how to have it back."""
    text = (
        f"You have chosen to deactivate subscription {subscription.arn}.\n"
        "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
    )
    return _handshake("UnsubscribeConfirmation", text, subscription, message_id, now, signer, topic)


def _handshake(
    kind: str,
    text: str,
    subscription: Subscription,
    message_id: str,
    now: float,
    signer: Signer,
    topic: Topic,
) -> str:
    members = {
        "Type": kind,
        "MessageId": message_id,
        "Token": subscription.token,
        "TopicArn": topic.arn,
        "Message": text,
        "SubscribeURL": subscribe_url(subscription),
        "Timestamp": iso_millis(now),
        "SignatureVersion": topic.signature_version,
    }
    signed = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    members["Signature"] = signer.sign(topic.signature_version, canonical((one, members[one]) for one in signed))
    members["SigningCertURL"] = certificate_url(subscription.base_url, signer.name)
    return "{\n" + ",\n".join(f'  "{key}" : {_quoted(value)}' for key, value in members.items()) + "\n}"


def subscribe_url(subscription: Subscription) -> str:
    """Where a subscription is confirmed without a signature."""
    query = {"Action": "ConfirmSubscription", "TopicArn": subscription.topic_arn, "Token": subscription.token}
    return f"{subscription.base_url}{PAGES}?{urlencode(query, safe=':')}"


def unsubscribe_url(subscription: Subscription) -> str:
    """Where a subscription is ended without a signature."""
    query = {"Action": "Unsubscribe", "SubscriptionArn": subscription.arn}
    return f"{subscription.base_url}{PAGES}?{urlencode(query, safe=':')}"


def certificate_url(base_url: str, name: str) -> str:
    return f"{base_url}{PAGES}{name}"


def _quoted(text: str) -> str:
    return _encode(text).decode()
