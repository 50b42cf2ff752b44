"""What may be published: one request of Publish, or one entry of a batch, checked and made a message. Pure."""

import base64
import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec.structs import replace

from mayfly.services.topics import faults
from mayfly.services.topics.model import KNOWN, MAX_SUBJECT, Attribute, Message, Topic

# What XML can carry: SNS takes no other characters, neither in messages nor in attributes.
_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_\-.]{1,256}")
_TYPE = re.compile(r"(String|Number|Binary)(\..*)?")
_RESERVED = ("aws.", "amazon.")


class Origin(NamedTuple):
    """What is known of a publish beside what it says."""

    message_id: str
    now: float
    sender: str
    trace: str | None = None  # X-Amzn-Trace-Id


class Draft(NamedTuple):
    """A message, checked without its topic; `message` has neither sequence nor the topic's deduplication id."""

    message: Message
    size: int  # bytes of text and attributes
    body: str  # as it was given, with the texts of all protocols


def drafted(request: Mapping[str, Any], origin: Origin) -> Draft:
    """The message that a request, or an entry of a batch, is."""
    text = request["Message"]
    if not text:
        raise faults.invalid("Empty message")
    _speakable("Message", text)
    subject = request.get("Subject")
    if subject is not None:
        _check_subject(subject)
    structure = request.get("MessageStructure")
    if structure not in (None, "", "json"):
        raise faults.invalid("MessageStructure")
    attributes = tuple(_attribute(name, value) for name, value in request.get("MessageAttributes", {}).items())
    size = len(text.encode()) + sum(_size(one) for one in attributes)
    default, texts = _by_protocol(text) if structure == "json" else (text, {})
    group_id, deduplication_id = request.get("MessageGroupId"), request.get("MessageDeduplicationId")
    for name, value in (("MessageGroupId", group_id), ("MessageDeduplicationId", deduplication_id)):
        if value is not None and _ID.fullmatch(value) is None:
            raise faults.invalid(f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length")
    message = Message(
        origin.message_id,
        default,
        origin.now,
        subject=subject,
        texts=texts,
        attributes=attributes,
        group_id=group_id,
        deduplication_id=deduplication_id,
        sender=origin.sender,
        trace=origin.trace,
    )
    return Draft(message, size, text)


def for_topic(draft: Draft, topic: Topic) -> Message:
    """The message as its topic takes it; the text decides the deduplication id where the topic says so."""
    message = draft.message
    if draft.size > topic.max_bytes:
        raise faults.invalid("Message too long")
    if not topic.fifo:
        if message.deduplication_id is not None:
            raise faults.invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not "
                "valid for this topic type"
            )
        return message
    if message.group_id is None:
        raise faults.invalid("The MessageGroupId parameter is required for FIFO topics")
    if message.deduplication_id is not None:
        return message
    if topic.attributes.get("ContentBasedDeduplication") != "true":
        raise faults.invalid(
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly"
        )
    return replace(message, deduplication_id=sha256(draft.body.encode()).hexdigest())


def _check_subject(subject: str) -> None:
    if not 1 <= len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise faults.invalid("Subject")


def _by_protocol(text: str) -> tuple[str, dict[str, str]]:
    """The texts of a message structure: the default, and those of protocols."""
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise faults.invalid("Message Structure - JSON message body failed to parse") from error
    if not isinstance(document, dict):
        raise faults.invalid("Message Structure - JSON message body failed to parse")
    default = document.get("default")
    if not isinstance(default, str):
        raise faults.invalid("Message Structure - No default entry in JSON message body")
    return default, {name: value for name, value in document.items() if name in KNOWN and isinstance(value, str)}


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _attribute(name: str, value: Mapping[str, Any]) -> Attribute:
    if (
        _ATTRIBUTE_NAME.fullmatch(name) is None
        or name.lower().startswith(_RESERVED)
        or name[0] == "."
        or name[-1] == "."
        or ".." in name
    ):
        raise faults.invalid_value(f"Invalid attribute name: {name}")
    kind = value.get("DataType", "")
    if not kind:
        raise faults.invalid_value(f"The message attribute '{name}' must contain non-empty message attribute type.")
    parsed = _TYPE.fullmatch(kind)
    if parsed is None or len(kind) > 256:
        raise faults.invalid_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    if parsed[1] == "Binary":
        return Attribute(name, kind, base64.b64encode(_given(name, kind, value, "BinaryValue")).decode())
    text = _given(name, kind, value, "StringValue")
    _speakable(f"MessageAttributes.{name}", text)
    if parsed[1] == "Number":
        _check_number(name, text)
    elif kind == "String.Array":
        _check_array(name, text)
    return Attribute(name, kind, text)


def _given(name: str, kind: str, value: Mapping[str, Any], member: str) -> Any:
    found = value.get(member)
    if not found:
        raise faults.invalid_value(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
            f"type '{kind}'."
        )
    return found


def _check_number(name: str, text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or len(text) > 256:
        raise faults.invalid_value(f"Could not cast message attribute '{name}' value to number.")


def _check_array(name: str, text: str) -> None:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        items = None
    scalar = (str, int, float, bool, type(None))
    if not isinstance(items, list) or not all(isinstance(item, scalar) for item in items):
        raise faults.invalid_value(f"The message attribute '{name}' with type 'String.Array' must be a JSON array.")


def _size(attribute: Attribute) -> int:
    value = len(attribute.value.encode())
    if attribute.binary:
        value = len(base64.b64decode(attribute.value))
    return len(attribute.name.encode()) + len(attribute.type.encode()) + value


def _speakable(where: str, text: str) -> None:
    found = _UNSPEAKABLE.search(text)
    if found is not None:
        raise faults.invalid(f"{where} Reason: Invalid character 0x{ord(found[0]):x}")
