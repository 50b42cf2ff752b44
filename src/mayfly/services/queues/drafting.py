"""From what a sender says to a `Draft`: all checks that need no queue, and the digests. Pure; done on the loop."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.ports import QueueMessage
from mayfly.services.queues import message_attributes
from mayfly.services.queues.errors import InvalidValueError, MissingError, invalid
from mayfly.services.queues.model import MAX_MESSAGE_BYTES, Details, Draft, Queue, Value

MAX_DELAY_S = 900
_ID = re.compile(r"[!-~]{1,128}\Z")
_ALLOWED = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"


def draft(entry: Mapping[str, Any], sender: str, message_id: bytes, trace: str | None = None) -> Draft:
    """The draft of a SendMessage request or an entry of a batch; `ServiceError`.

    `trace`: the X-Amzn-Trace-Id of the request, which counts where the entry names none.
    """
    given = entry.get("MessageAttributes")
    attributes = message_attributes.checked(given) if given else {}
    system = entry.get("MessageSystemAttributes")
    said = message_attributes.checked_system(system) if system else None
    return _draft(
        entry["MessageBody"],
        attributes,
        said,
        entry.get("MessageGroupId"),
        entry.get("MessageDeduplicationId"),
        entry.get("DelaySeconds"),
        sender,
        message_id,
        trace,
    )


def draft_of(message: QueueMessage, platform: str, message_id: bytes) -> Draft:
    """The draft of a message from inside the platform; `ServiceError`."""
    attributes = {}
    if message.attributes:
        given = {
            name: {
                "DataType": each.data_type,
                ("StringValue" if isinstance(each.value, str) else "BinaryValue"): each.value,
            }
            for name, each in message.attributes.items()
        }
        attributes = message_attributes.checked(given)
    return _draft(
        message.body,
        attributes,
        message.trace_header,
        message.group_id,
        message.deduplication_id,
        message.delay_s,
        message.sender_id or platform,
        message_id,
    )


def _draft(
    body: str,
    attributes: dict[str, Value],
    trace_header: str | None,
    group: str | None,
    deduplication_id: str | None,
    delay_s: int | None,
    sender: str,
    message_id: bytes,
    trace: str | None = None,
) -> Draft:
    if not body:
        raise MissingError("MessageBody")
    if (character := message_attributes.forbidden_character(body)) is not None:
        raise ServiceError(
            "InvalidMessageContents",
            f"Invalid binary character '#x{ord(character):X}' was found in the message body, the set of allowed "
            f"characters is {_ALLOWED}",
        )
    if delay_s is not None and not 0 <= delay_s <= MAX_DELAY_S:
        raise invalid(delay_s, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", deduplication_id)):
        if value is not None and not _ID.match(value):
            raise invalid(
                value, name, f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            )
    encoded = body.encode()
    system: dict[str, Value] = {message_attributes.TRACE_HEADER: ("String", trace_header)} if trace_header else {}
    return Draft(
        body=body,
        body_md5=hashlib.md5(encoded, usedforsecurity=False).hexdigest(),
        size=len(encoded) + (message_attributes.size(attributes) if attributes else 0),
        details=Details(sender, attributes or None, trace_header or trace, group, deduplication_id),
        delay_s=delay_s,
        attributes_md5=message_attributes.digest(attributes) if attributes else None,
        system_md5=message_attributes.digest(system) if system else None,
        message_id=message_id,
    )


def check_for(queue: Queue, draft: Draft) -> None:
    """`ServiceError` when `queue` cannot take the message."""
    if draft.size > queue.max_bytes:
        raise InvalidValueError(
            f"One or more parameters are invalid. Reason: Message must be shorter than {queue.max_bytes} bytes."
        )
    details = draft.details
    if not queue.fifo:
        if details.deduplication_id is not None:
            raise _not_for_this_type(details.deduplication_id, "MessageDeduplicationId")
        return
    if details.group is None:
        raise MissingError("MessageGroupId")
    if details.deduplication_id is None and not queue.content_deduplication:
        raise InvalidValueError(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly"
        )
    if draft.delay_s:
        raise _not_for_this_type(draft.delay_s, "DelaySeconds")


def check_total(sizes: int) -> None:
    """`ServiceError` when the messages of a batch are too large together."""
    if sizes > MAX_MESSAGE_BYTES:
        raise ServiceError(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes. You have sent {sizes} bytes.",
        )


def deduplication_id(draft: Draft) -> str:
    """The id that a FIFO queue remembers: the sender's, or the hash of the body."""
    given = draft.details.deduplication_id
    return given if given is not None else hashlib.sha256(draft.body.encode()).hexdigest()


def _not_for_this_type(value: object, name: str) -> ServiceError:
    return invalid(value, name, "The request include parameter that is not valid for this queue type.")
